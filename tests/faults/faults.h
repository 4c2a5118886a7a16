/*
 * System calls that fail as asked. A test program that is linked with this reaches the kernel
 * through wrappers (ld --wrap): the nth call of one kind, by whichever thread, fails with an errno
 * and does nothing. Like the kernel's own, a refusal with EAGAIN is followed by an edge of epoll
 * once the call would succeed.
 */
#ifndef RILL_TESTS_FAULTS_H
#define RILL_TESTS_FAULTS_H

#include <stdbool.h>

#define FAULT_CALLS(X)                                                                             \
    X(accept4) X(recv) X(send) X(epoll_wait) X(connect) X(socket) X(open) X(fsync) X(read) X(write)

enum fault_call {
#define FAULT_ENUM(name) FAULT_##name,
    FAULT_CALLS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
};

const char *fault_name(enum fault_call call);
/* The nth call of the kind from now on fails with the errno. */
void fault_arm(enum fault_call call, int error, unsigned long nth);
/* No more; returns how many calls of the kind there were since it was armed. */
unsigned long fault_disarm(void);
/* Whether the nth call came since it was armed. */
bool fault_reached(void);

#endif

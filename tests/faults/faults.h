/*
 * System calls that fail as asked. A test program that is linked with this reaches the kernel
 * through wrappers (ld --wrap): the nth call of one kind, by whichever thread, fails with an errno
 * and does nothing. Like the kernel's own, a refusal with EAGAIN is followed by an edge of epoll
 * once the call would succeed, and a close that fails has closed. What the loop's own wake-up
 * (an eventfd) reads and writes is left alone: that cannot fail.
 */
#ifndef RILL_TESTS_FAULTS_H
#define RILL_TESTS_FAULTS_H

#include <stdbool.h>

#define FAULT_CALLS(X)                                                                             \
    X(accept4)                                                                                     \
    X(recv)                                                                                        \
    X(send)                                                                                        \
    X(recvfrom)                                                                                    \
    X(sendto)                                                                                      \
    X(epoll_wait)                                                                                  \
    X(epoll_ctl)                                                                                   \
    X(connect)                                                                                     \
    X(socket)                                                                                      \
    X(open)                                                                                        \
    X(opendir)                                                                                     \
    X(fsync)                                                                                       \
    X(read)                                                                                        \
    X(write)                                                                                       \
    X(close)                                                                                       \
    X(rename)                                                                                      \
    X(pipe2)                                                                                       \
    X(posix_spawnp)                                                                                \
    X(pidfd_open)                                                                                  \
    X(waitid)                                                                                      \
    X(pthread_create)

enum fault_call {
#define FAULT_ENUM(name) FAULT_##name,
    FAULT_CALLS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
};

/* Instead of an errno: the read or write moves half of its bytes. */
#define FAULT_SHORT (-1)

struct fault {
    enum fault_call call;
    int error;
    bool unnoticed; /* the library tries again, and nobody is told */
    bool told;      /* or each is told, wherever it comes */
};

/* Runs the work as the first task of a loop, again and again: with the 1st, 2nd, … call between
 * fault_begin and fault_end failing, until a run makes fewer of them. The work returns how many of
 * its parts failed. A run that fails though nobody should notice, that leaves a descriptor open, or
 * a fault that makes no run fail though it should, fails the test. */
void fault_sweep(struct fault fault, int (*work)(void));
void fault_begin(void);
void fault_end(void);
/* What fails at present: "send EPIPE 3". */
const char *fault_label(void);

/* The same by hand: the nth call of the kind from now on fails; 0: no more. */
void fault_arm(struct fault fault, unsigned long nth);

#endif

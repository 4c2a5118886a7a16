/*
 * The one way to make an error: a code and a sentence, written to the slot of whoever is running.
 *
 * base does not know of tasks. Whoever switches them sets rill__error_owner to the place that
 * holds the running task's error; outside tasks it points to one of the thread's own.
 */
#ifndef RILL_SRC_BASE_FAIL_H
#define RILL_SRC_BASE_FAIL_H

#include <rill/error.h>
#include <stdarg.h>

/* The place where the running task keeps its error; the error itself is allocated on first use. */
extern __thread rill_error **rill__error_owner __attribute__((tls_model("initial-exec")));

/* Returns early with the code when an internal call fails. */
#define RILL__TRY(expression)                                                                      \
    do {                                                                                           \
        int rill__rc = (expression);                                                               \
        if (rill__rc < 0)                                                                          \
            return rill__rc;                                                                       \
    } while (0)

/* Fills the last error and returns the code. */
int rill__fail(int code, const char *format, ...) RILL_PRINTF(2, 3);
int rill__vfail(int code, const char *format, va_list args) RILL_PRINTF(2, 0);
/* The same with an errno, whose text is put behind the message. */
int rill__fail_errno(int code, int os_errno, const char *format, ...) RILL_PRINTF(3, 4);
/* Fails for want of memory, without needing any. Returns RILL_ENOMEM. */
int rill__fail_nomem(void);

/* What a system call's errno means to one who connects: RILL_EREFUSED, RILL_ERESET, …,
 * RILL_ESOCKET for the rest. */
int rill__code_of_errno(int os_errno);

/* Changes to the error that stands: context put in front ("redirect to …: "), another code with the
 * old one as its cause, the URL or peer, the status. Each returns the code that stands then. */
int rill__error_prefix(const char *format, ...) RILL_PRINTF(1, 2);
int rill__error_recode(int code);
int rill__error_where(const char *where);
int rill__error_status(int status);

/* The words for a code that a call has returned: the last error's, if it is about that one, else
 * the code's own. They live as long as rill_last_error(). */
const char *rill__error_words(int code);

/* The running task's error for writing; never NULL. */
rill_error *rill__error_slot(void);
/* Moves an error from one owner to another: how a join hands it on. */
void rill__error_move(rill_error **from, rill_error **to);
void rill__error_free(rill_error **owner);

#endif

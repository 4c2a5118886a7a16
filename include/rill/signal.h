/*
 * Signals as a stream: a task waits for the next one, as for a message.
 *
 *     rill_auto(rill_signals) signals = rill_signals_new(SIGHUP, SIGUSR1);
 *     for (int number; (number = rill_signals_next(signals, NULL)) > 0;)
 *         if (number == SIGHUP)
 *             reload();
 *
 * A signal is told to every watcher that names it, on whatever loop. While there is one, the signal
 * does nothing else: SIGINT and SIGTERM do not cancel the first task of rill_run, nor does a second
 * one end the process. The last watcher's end puts back what was before: that very cancelling, the
 * default action, or a handler of the program's own.
 */
#ifndef RILL_SIGNAL_H
#define RILL_SIGNAL_H

#include <rill/select.h>

#include <signal.h>

RILL_BEGIN_DECLS

typedef struct rill_signals rill_signals;

/* Begins to watch for the signals, whose numbers end with a 0 in the second form. What arrives is
 * kept until it is asked for.
 * Returns the watcher, or NULL: RILL_EINVAL for no signal at all, for a number that is none, and
 *   for those that cannot be watched (SIGKILL, SIGSTOP, and SIGSEGV, SIGBUS, SIGFPE, SIGILL, which
 *   come from a fault); RILL_ENOMEM; RILL_ENOTASK. */
#define rill_signals_new(...) rill_signals_new_with((const int[]){ __VA_ARGS__, 0 })
RILL_API rill_signals *rill_signals_new_with(const int *numbers);

/* Waits for the next signal and returns its number. Signals of different numbers take turns, in no
 * order of time. *ret_count (may be NULL) says how many of the number have come since it was told
 * last; two that come before the process gets to run may count as one. Each is told to one task
 * when several wait.
 * Errors  RILL_ECLOSED when the watcher is freed meanwhile.
 * Cancel  no signal is lost. */
RILL_AWAITS RILL_API int rill_signals_next(rill_signals *signals, unsigned *ret_count);

/* For rill_select: the next signal has come; the result is what rill_signals_next would return, and
 * *ret_count (may be NULL) as there. */
RILL_API rill_case rill_case_signal(rill_signals *signals, unsigned *ret_count);

/* Ends the watch; what was not asked for is dropped. NULL is fine. */
RILL_API void rill_signals_free(rill_signals *signals);
RILL_DEFINE_AUTO(rill_signals)

RILL_END_DECLS

#endif

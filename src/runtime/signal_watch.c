/*
 * Who gets a signal: the watchers of the user's, or else the library itself, which may have claimed
 * it (SIGINT and SIGTERM to stop, and so on).
 *
 * One handler serves all signals of both. It walks the list of watchers, which is changed under a
 * lock that the handler does not take: a watcher is unlinked first, and its memory goes only when
 * no handler runs that may have seen it before. The handler counts up and posts mail to the
 * watcher's loop, which then gives what has come to the tasks that wait.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "runtime/runtime_internal.h"
#include "runtime/source.h"

#include <errno.h>
#include <rill/signal.h>
#include <sched.h>
#include <stdatomic.h>

struct rill_signals {
    _Atomic(rill_signals *) next; /* in the list of all */
    rill_loop *loop;              /* a reference */
    rill__mail mail;
    rill__birth birth;
    _Atomic bool posted;         /* the mail is under way */
    bool freed;                  /* its memory goes with the mail */
    int last;                    /* the number that was told last */
    rill__waitq waiters;         /* the slot is where the count goes, or NULL */
    bool wants[NSIG];            /* by number */
    _Atomic unsigned came[NSIG]; /* and not told yet */
};

/* What the process does with a signal that is watched or claimed. */
struct disposition {
    unsigned users; /* watchers and claims */
    struct sigaction old;
    _Atomic(rill__signal_fn *) claim; /* the library's own use, or NULL */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct disposition dispositions[NSIG];
static _Atomic(rill_signals *) all;
static _Atomic int handlers; /* that run now */

/* ---- in the handler ---- */

static bool tell_watchers(int number)
{
    bool told = false;
    for (rill_signals *signals = all; signals; signals = signals->next) {
        if (!signals->wants[number])
            continue;
        told = true;
        signals->came[number]++;
        if (!atomic_exchange(&signals->posted, true) && !rill__post(signals->loop, &signals->mail))
            signals->posted = false; /* the loop has ended */
    }
    return told;
}

static void on_signal(int number)
{
    int error = errno;
    handlers++;
    rill__signal_fn *claim = dispositions[number].claim;
    if (!tell_watchers(number) && claim)
        claim(number);
    handlers--;
    errno = error;
}

/* What was unlinked before is in no handler's hands afterwards. */
static void wait_for_handlers(void)
{
    while (handlers > 0)
        sched_yield(); /* on another thread, and a few instructions from its end */
}

/* ---- dispositions: with the lock held ---- */

static void use(int number)
{
    struct disposition *disposition = &dispositions[number];
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    if (disposition->users++ == 0)
        sigaction(number, &action, &disposition->old);
}

static void unuse(int number)
{
    struct disposition *disposition = &dispositions[number];
    struct sigaction now;
    if (--disposition->users > 0)
        return;
    sigaction(number, NULL, &now);
    if (now.sa_handler == on_signal) /* else the program has set its own meanwhile */
        sigaction(number, &disposition->old, NULL);
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

static void unuse_all(const rill_signals *signals)
{
    for (int number = 1; number < NSIG; number++)
        if (signals->wants[number])
            unuse(number);
}

/* In the child no other thread is in a handler; and what other threads' loops have watched, and the
 * library has claimed for them, does again what it did before. */
static void reset_in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    handlers = 0;
    for (int number = 1; number < NSIG; number++) {
        if (!dispositions[number].claim)
            continue;
        atomic_store(&dispositions[number].claim, (rill__signal_fn *)NULL);
        unuse(number);
    }
    for (_Atomic(rill_signals *) *at = &all; *at;) {
        rill_signals *signals = *at;
        if (signals->loop == rill_loop_current()) {
            at = &signals->next;
            continue;
        }
        unuse_all(signals);
        *at = signals->next;
    }
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, reset_in_child);
}

static void take_lock(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
}

/* ---- the library's own signals ---- */

bool rill__signal_claim(int number, rill__signal_fn *fn)
{
    struct disposition *disposition = &dispositions[number];
    struct sigaction now;
    take_lock();
    if (disposition->users > 0)
        now = disposition->old;
    else
        sigaction(number, NULL, &now);
    bool ok = now.sa_handler == SIG_DFL && !disposition->claim;
    if (ok) {
        disposition->claim = fn;
        use(number);
    }
    pthread_mutex_unlock(&lock);
    return ok;
}

void rill__signal_unclaim(int number)
{
    take_lock();
    unuse(number);
    atomic_store(&dispositions[number].claim, (rill__signal_fn *)NULL);
    wait_for_handlers();
    pthread_mutex_unlock(&lock);
}

/* ---- watchers ---- */

static bool can_be_watched(int number)
{
    static const int never[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    struct sigaction now;
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (number == never[i])
            return false;
    /* The C library keeps some for itself. */
    return number > 0 && number < NSIG && sigaction(number, NULL, &now) == 0;
}

static int check(const int *numbers)
{
    if (!numbers || !*numbers)
        return rill__fail(RILL_EINVAL, "watch signals: none is named");
    for (; *numbers; numbers++)
        if (!can_be_watched(*numbers))
            return rill__fail(RILL_EINVAL, "watch signal %d: it cannot be watched", *numbers);
    return 0;
}

/* First the watcher is there, then the signals come to it: none falls in between. */
static void begin_watch(rill_signals *signals)
{
    take_lock();
    signals->next = all;
    all = signals;
    for (int number = 1; number < NSIG; number++)
        if (signals->wants[number])
            use(number);
    pthread_mutex_unlock(&lock);
}

static void end_watch(rill_signals *signals)
{
    take_lock();
    unuse_all(signals);
    _Atomic(rill_signals *) *at = &all;
    while (*at != signals)
        at = &(*at)->next;
    *at = signals->next;
    wait_for_handlers();
    pthread_mutex_unlock(&lock);
}

/* ---- telling ---- */

/* The next number that has come, in turn, or 0. */
static int take(rill_signals *signals, unsigned *ret_count)
{
    for (int i = 1; i <= NSIG; i++) {
        int number = (signals->last + i) % NSIG;
        unsigned count = signals->came[number] ? atomic_exchange(&signals->came[number], 0) : 0;
        if (count == 0)
            continue;
        if (ret_count)
            *ret_count = count;
        return signals->last = number;
    }
    return 0;
}

static void give(rill__mail *mail)
{
    rill_signals *signals = rill__container(mail, rill_signals, mail);
    signals->posted = false;
    if (signals->freed) {
        rill__free(signals);
        return;
    }
    for (rill__waiter *waiter; (waiter = rill__waitq_first(&signals->waiters));) {
        int number = take(signals, waiter->slot);
        if (number == 0)
            return;
        rill__waiter_finish(waiter, number);
    }
}

/* What has come already, unless others have waited for longer. */
static int take_in_turn(rill_signals *signals, unsigned *ret_count)
{
    return rill__waitq_empty(&signals->waiters) ? take(signals, ret_count) : 0;
}

static int freed_meanwhile(void)
{
    return rill__fail(RILL_ECLOSED, "signals: the watcher was freed");
}

int rill_signals_next(rill_signals *signals, unsigned *ret_count)
{
    RILL__TRY(rill__checkpoint("signals"));
    int number = take_in_turn(signals, ret_count);
    if (number == 0)
        number = rill__waitq_wait_for(&signals->waiters, "a signal", ret_count);
    return number == RILL_ECLOSED ? freed_meanwhile() : number;
}

/* ---- select ---- */

static int attempt_next(rill_case *self)
{
    int number = take_in_turn(self->subject, self->item);
    return number ? number : RILL_EAGAIN;
}

static void enter_next(rill_case *self)
{
    rill__case_enter(self, &((rill_signals *)self->subject)->waiters);
}

static int fail_next(const rill_case *self, int result)
{
    (void)self;
    (void)result;
    return freed_meanwhile();
}

rill_case rill_case_signal(rill_signals *signals, unsigned *ret_count)
{
    static const rill__source source = {
        .attempt = attempt_next,
        .enter = enter_next,
        .fail = fail_next,
    };
    return signals ? rill__case(&source, signals, ret_count) : rill__case_never();
}

/* ---- making and freeing ---- */

rill_signals *rill_signals_new_with(const int *numbers)
{
    if (rill__need_task("watch signals") < 0 || check(numbers) < 0)
        return NULL;
    rill_signals *signals = rill__zalloc(sizeof *signals);
    if (!signals) {
        rill__fail_nomem();
        return NULL;
    }
    /* The reference says as well that somebody may call: no deadlock is told of who waits. */
    signals->loop = rill_loop_ref(rill_loop_current());
    signals->mail.run = give;
    rill__waitq_init(&signals->waiters);
    for (; *numbers; numbers++)
        signals->wants[*numbers] = true;
    begin_watch(signals);
    rill__born_from(&signals->birth, "signals", NULL, __builtin_return_address(0));
    return signals;
}

void rill_signals_free(rill_signals *signals)
{
    if (!signals)
        return;
    for (rill__waiter *waiter; (waiter = rill__waitq_first(&signals->waiters));)
        rill__waiter_finish(waiter, RILL_ECLOSED);
    rill__died(&signals->birth);
    end_watch(signals);
    rill_loop_unref(signals->loop);
    signals->freed = signals->posted;
    if (!signals->freed)
        rill__free(signals);
}

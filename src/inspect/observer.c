/*
 * The observer's thread, and SIGUSR1, which only wakes it: so the tree of tasks is written by a
 * thread that can do so, also when the loops are stuck.
 *
 * While a loop is busy the thread looks every quarter of the time after which a stall is told. When
 * none is, it sleeps until a loop pokes it. For that it says that it sleeps, has every thread of
 * the process see it (membarrier), and looks once more: so a loop pays one load a turn.
 */
#include "inspect/observer.h"

#include "base/clock.h"
#include "runtime/context.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <rill/metrics.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)512 << 10)
/* So many looks without a busy loop, then it sleeps. */
#define QUIET_LOOKS 2

static struct {
    pthread_mutex_t lock;
    int loops; /* that have begun and not ended */
    bool running;
    bool handles; /* SIGUSR1 */
    bool forked;  /* this is the child of a process that was watched */
    pthread_t thread;
    rill__settings settings;
    sem_t wake;
    _Atomic bool ends;
    _Atomic unsigned dumps; /* asked for */
    _Atomic bool measures;  /* one was: CPU time is measured from then on */
} observer = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the thread ---- */

static void see_each_other(int command)
{
    syscall(SYS_membarrier, command, 0, 0);
}

/* Waits for somebody to wake it, or until it is time to look again. */
static void rest(uint64_t ns)
{
    struct timespec until;
    if (ns == RILL__NEVER) {
        while (sem_wait(&observer.wake) < 0 && errno == EINTR)
            continue;
        return;
    }
    uint64_t at = rill__clock_ns(CLOCK_MONOTONIC) + ns;
    until.tv_sec = (time_t)(at / RILL__SECOND);
    until.tv_nsec = (long)(at % RILL__SECOND);
    while (sem_clockwait(&observer.wake, CLOCK_MONOTONIC, &until) < 0 && errno == EINTR)
        continue;
}

static void sleep_until_poked(rill__stalls *stalls)
{
    atomic_store(&rill__inspector_waits, true);
    see_each_other(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    if (!stalls || !rill__stalls_look(stalls))
        rest(RILL__NEVER);
    atomic_store(&rill__inspector_waits, false);
}

/* Who looks once will look again: then there is something to see. The loops hear of it by the poke
 * that they are asked for. */
static void dump(void)
{
    rill_dump();
    observer.measures = true;
    atomic_store(&rill__inspector_waits, true);
}

static void *observe(void *arg)
{
    rill__stalls *stalls =
        observer.settings.stall == RILL__NEVER ? NULL : rill__stalls_new(observer.settings.stall);
    unsigned quiet = 0;
    see_each_other(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    if (stalls)
        rill__capture_on();
    while (!observer.ends) {
        if (atomic_exchange(&observer.dumps, 0) > 0)
            dump();
        quiet = stalls && rill__stalls_look(stalls) ? 0 : quiet + 1;
        if (!stalls)
            rest(RILL__NEVER); /* for a dump */
        else if (quiet < QUIET_LOOKS)
            rest(observer.settings.stall / 4);
        else
            sleep_until_poked(stalls);
    }
    if (stalls)
        rill__capture_off();
    rill__stalls_free(stalls);
    return arg;
}

void rill__observer_poke(void)
{
    if (observer.measures)
        rill_measure(true);
    if (atomic_exchange(&rill__inspector_waits, false))
        sem_post(&observer.wake);
}

static void start(void)
{
#ifdef RILL__TSAN
    if (observer.forked) /* the sanitizer has no threads in the child of a process with threads */
        return;
#endif
    pthread_attr_t attributes;
    sigset_t blocked, old;
    sem_init(&observer.wake, 0, 0);
    observer.ends = observer.measures = false;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    rill__signals_to_block(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    observer.running = pthread_create(&observer.thread, &attributes, observe, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
}

static void stop(void)
{
    observer.ends = true;
    sem_post(&observer.wake);
    pthread_join(observer.thread, NULL);
    sem_destroy(&observer.wake);
    atomic_store(&rill__inspector_waits, false);
    observer.running = false;
}

/* ---- SIGUSR1 ---- */

static void on_dump(int number)
{
    (void)number;
    atomic_fetch_add(&observer.dumps, 1);
    sem_post(&observer.wake);
}

static void unhandle_signal(void)
{
    if (observer.handles)
        rill__signal_unclaim(SIGUSR1);
    observer.handles = false;
}

/* ---- loops begin and end ---- */

/* In the child of a fork the thread is gone; and what it wakes must not be used. */
static void forget(void)
{
    pthread_mutex_init(&observer.lock, NULL);
    observer.running = observer.handles = false;
    observer.forked = true;
    observer.loops = 0;
    atomic_store(&rill__inspector_waits, false);
}

static pthread_key_t watched; /* set in threads whose loop has begun */

/* The thread ended inside its loop, by pthread_exit: the observer must not outlive it. */
static void thread_ended(void *arg)
{
    (void)arg;
    rill__observer_end();
}

static void prepare(void)
{
    pthread_atfork(NULL, NULL, forget);
    pthread_key_create(&watched, thread_ended);
}

void rill__observer_begin(const rill__settings *settings)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
    pthread_setspecific(watched, &observer);
    pthread_mutex_lock(&observer.lock);
    if (observer.loops++ == 0 && (settings->dumps || settings->stall != RILL__NEVER)) {
        observer.settings = *settings;
        start();
        observer.handles =
            observer.running && settings->dumps && rill__signal_claim(SIGUSR1, on_dump);
    }
    pthread_mutex_unlock(&observer.lock);
}

void rill__observer_end(void)
{
    pthread_setspecific(watched, NULL);
    pthread_mutex_lock(&observer.lock);
    if (observer.loops > 0 && --observer.loops == 0 && observer.running) {
        unhandle_signal();
        stop();
    }
    pthread_mutex_unlock(&observer.lock);
}

/*
 * What every lock has in common, checked on each of them: the mutex, the reader-writer lock to
 * write, the semaphore and the limiter with room for one. Order, hand-over, cancellation in every
 * state, deadlines, use outside tasks, and that nothing allocates.
 */
#include "base/alloc.h"
#include "in_task.h"
#include "runtime/runtime.h"

#include <rill/sync.h>

union lock {
    rill_mutex mutex;
    rill_rwlock rwlock;
    rill_semaphore semaphore;
    rill_limiter limiter;
};

struct kind {
    const char *name;
    void (*init)(union lock *lock);
    int (*lock)(union lock *lock);
    int (*try_lock)(union lock *lock);
    int (*unlock)(union lock *lock);
};

#define KIND(name, member, start, lock_fn, try_fn, unlock_fn)                                      \
    static void name##_init(union lock *lock)                                                      \
    {                                                                                              \
        start;                                                                                     \
    }                                                                                              \
    static int name##_lock(union lock *lock)                                                       \
    {                                                                                              \
        return lock_fn(&lock->member);                                                             \
    }                                                                                              \
    static int name##_try(union lock *lock)                                                        \
    {                                                                                              \
        return try_fn(&lock->member);                                                              \
    }                                                                                              \
    static int name##_unlock(union lock *lock)                                                     \
    {                                                                                              \
        return unlock_fn(&lock->member);                                                           \
    }

KIND(mutex, mutex, rill_mutex_init(&lock->mutex), rill_mutex_lock, rill_mutex_try_lock,
     rill_mutex_unlock)
KIND(zeroed, mutex, *lock = (union lock){ 0 }, rill_mutex_lock, rill_mutex_try_lock,
     rill_mutex_unlock)
KIND(writer, rwlock, rill_rwlock_init(&lock->rwlock), rill_rwlock_write, rill_rwlock_try_write,
     rill_rwlock_unlock)
KIND(semaphore, semaphore, rill_semaphore_init(&lock->semaphore, 1), rill_semaphore_acquire,
     rill_semaphore_try_acquire, rill_semaphore_release)
KIND(bounded, semaphore, rill_semaphore_init_bounded(&lock->semaphore, 1, 1),
     rill_semaphore_acquire, rill_semaphore_try_acquire, rill_semaphore_release)
KIND(limiter, limiter, rill_limiter_init(&lock->limiter, 1), rill_limiter_acquire,
     rill_limiter_try_acquire, rill_limiter_release)

#define ENTRY(name)                                                                                \
    {                                                                                              \
#name, name##_init, name##_lock, name##_try, name##_unlock                                 \
    }
static const struct kind kinds[] = {
    ENTRY(mutex), ENTRY(zeroed), ENTRY(writer), ENTRY(semaphore), ENTRY(bounded), ENTRY(limiter),
};

static const struct kind *kind;
static union lock lock;

/* A TASK_TEST whose body runs once for each kind, on a fresh lock that is free afterwards too. */
#define EACH_LOCK_TEST(title)                                                                      \
    static void each_##title(void);                                                                \
    TASK_TEST(title)                                                                               \
    {                                                                                              \
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {                              \
            int before = test_failures();                                                          \
            kind = &kinds[i];                                                                      \
            kind->init(&lock);                                                                     \
            each_##title();                                                                        \
            CHECK_INT(kind->try_lock(&lock), 0);                                                   \
            CHECK_INT(kind->unlock(&lock), 0);                                                     \
            if (test_failures() > before)                                                          \
                test_fail(__FILE__, __LINE__, "with %s", kind->name);                              \
        }                                                                                          \
    }                                                                                              \
    static void each_##title(void)

/* ---- who had it, in order ---- */

static char trace[64];
static int inside; /* how many tasks stand between lock and unlock */

static void clear_trace(void)
{
    trace[0] = '\0';
}

static void mark(const char *text)
{
    size_t len = strlen(trace);
    snprintf(trace + len, sizeof trace - len, "%s", text);
}

/* Locks, notes its name, lets others run, unlocks. */
static int use(void *arg)
{
    int rc = kind->lock(&lock);
    if (rc < 0)
        return rc;
    CHECK_INT(++inside, 1);
    mark(arg);
    rill_sleep(0);
    inside--;
    CHECK_INT(kind->unlock(&lock), 0);
    return 0;
}

static int only_lock(void *arg)
{
    (void)arg;
    return kind->lock(&lock);
}

EACH_LOCK_TEST(sync_locks_are_handed_over_in_the_order_of_asking)
{
    clear_trace();
    CHECK_INT(kind->lock(&lock), 0);
    rill_task tasks[] = { rill_spawn(use, "a"), rill_spawn(use, "b"), rill_spawn(use, "c") };
    rill_sleep(0);
    CHECK_STR(trace, "");
    CHECK_INT(kind->unlock(&lock), 0);
    /* It is the first waiter's from this moment: nobody slips in. */
    CHECK_INT(kind->try_lock(&lock), RILL_EAGAIN);
    CHECK_INT(use("d"), 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    CHECK_STR(trace, "abcd");
}

EACH_LOCK_TEST(sync_locks_go_round_among_those_who_ask_again)
{
    clear_trace();
    CHECK_INT(kind->lock(&lock), 0);
    rill_task other = rill_spawn(use, "b");
    rill_sleep(0);
    CHECK_INT(kind->unlock(&lock), 0);
    CHECK_INT(use("a"), 0); /* asked again at once, and is behind the other all the same */
    CHECK_INT(rill_join(other), 0);
    CHECK_STR(trace, "ba");
}

EACH_LOCK_TEST(sync_try_takes_what_is_free_and_never_waits)
{
    CHECK_INT(kind->try_lock(&lock), 0);
    rill_task other = rill_spawn(use, "");
    rill_sleep(0);
    CHECK(!rill_task_done(other));
    CHECK_INT(kind->unlock(&lock), 0);
    CHECK_INT(kind->try_lock(&lock), RILL_EAGAIN);
    CHECK_INT(rill_errcode(), RILL_EAGAIN);
    CHECK_INT(rill_join(other), 0);
}

/* ---- cancellation ---- */

EACH_LOCK_TEST(sync_a_cancelled_waiter_leaves_the_queue)
{
    clear_trace();
    CHECK_INT(kind->lock(&lock), 0);
    rill_task a = rill_spawn(use, "a"), b = rill_spawn(use, "b"), c = rill_spawn(use, "c");
    rill_sleep(0);
    rill_cancel(a, .reason = "not needed");
    rill_cancel(b);
    CHECK_INT(kind->unlock(&lock), 0); /* before the cancelled ones have run */
    CHECK_INT(rill_join(a), RILL_ECANCELED);
    CHECK_CONTAINS(rill_last_error()->message, "not needed");
    CHECK_INT(rill_join(b), RILL_ECANCELED);
    CHECK_INT(rill_join(c), 0);
    CHECK_STR(trace, "c");
}

EACH_LOCK_TEST(sync_a_lock_given_before_the_cancellation_is_kept)
{
    clear_trace();
    CHECK_INT(kind->lock(&lock), 0);
    rill_task a = rill_spawn(use, "a"), b = rill_spawn(use, "b");
    rill_sleep(0);
    CHECK_INT(kind->unlock(&lock), 0); /* it is a's now */
    rill_cancel(a);
    CHECK_INT(rill_join(a), 0);
    CHECK_INT(rill_join(b), 0);
    CHECK_STR(trace, "ab");
}

EACH_LOCK_TEST(sync_inside_a_cancelled_scope_nothing_is_locked)
{
    rill_scope scope;
    CHECK_INT(rill_scope_begin(&scope), 0);
    rill_scope_cancel(&scope, "over");
    CHECK_INT(kind->lock(&lock), RILL_ECANCELED);
    CHECK_INT(kind->try_lock(&lock), 0); /* which asks for no cancellation */
    CHECK_INT(kind->lock(&lock), RILL_ECANCELED);
    CHECK_INT(kind->unlock(&lock), 0); /* neither does this */
    rill_scope_end(&scope, 0);
}

EACH_LOCK_TEST(sync_a_task_cancelled_before_it_asks_gets_nothing)
{
    CHECK_INT(kind->lock(&lock), 0);
    rill_task task = rill_spawn(only_lock, NULL);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(kind->unlock(&lock), 0);
    CHECK_INT(rill_join(rill_spawn(use, "")), 0);
}

static int lock_from_a_task(void *arg)
{
    return rill_within(*(double *)arg, only_lock, NULL);
}

EACH_LOCK_TEST(sync_waiting_for_a_lock_ends_with_the_deadline)
{
    CHECK_INT(kind->lock(&lock), 0);
    CHECK_INT(rill_join(rill_spawn(lock_from_a_task, &a_moment)), RILL_ETIMEDOUT);
    CHECK_INT(kind->unlock(&lock), 0);
    CHECK_INT(kind->try_lock(&lock), 0);
    CHECK_INT(kind->unlock(&lock), 0);
}

/* Three tasks that use the lock in turn; the sweep cancels whichever comes to the nth point. */
struct sweeping {
    unsigned long cancel_at, points;
    int cancelled;
};

static int use_all(void *arg)
{
    struct sweeping *sweeping = arg;
    rill__sweep *sweep = rill__loop_sweep();
    clear_trace();
    kind->init(&lock);
    sweep->cancel_at = sweeping->cancel_at;
    rill_task a = rill_spawn(use, "a"), b = rill_spawn(use, "b");
    sweeping->cancelled = use("c") == RILL_ECANCELED;
    sweeping->cancelled += rill_join(a) == RILL_ECANCELED;
    sweeping->cancelled += rill_join(b) == RILL_ECANCELED;
    sweeping->points = sweep->points;
    return 0;
}

static int find_free(void *arg)
{
    (void)arg;
    CHECK_INT(kind->try_lock(&lock), 0);
    return kind->unlock(&lock);
}

static struct sweeping sweep_once(unsigned long cancel_at)
{
    struct sweeping sweeping = { .cancel_at = cancel_at };
    CHECK_INT(rill_run(use_all, &sweeping), 0);
    CHECK_INT(inside, 0);
    CHECK_INT(rill_run(find_free, NULL), 0);
    return sweeping;
}

TEST(sync_locks_survive_a_cancellation_at_every_point)
{
    hear_the_log(); /* of tasks that were not joined */
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        kind = &kinds[i];
        unsigned long points = sweep_once(0).points;
        CHECK(points >= 8);
        CHECK_STR(trace, "cab");
        for (unsigned long at = 1; at <= points; at++)
            CHECK(sweep_once(at).cancelled > 0 || at > 2);
        CHECK_INT(sweep_once(points + 1).cancelled, 0);
    }
}

/* ---- outside tasks ---- */

TEST(sync_locks_are_for_tasks)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        kinds[i].init(&lock);
        CHECK_INT(kinds[i].lock(&lock), RILL_ENOTASK);
        CHECK_INT(rill_errcode(), RILL_ENOTASK);
        bool anybodys = kinds[i].lock == semaphore_lock || kinds[i].lock == bounded_lock;
        CHECK_INT(kinds[i].try_lock(&lock), anybodys ? 0 : RILL_ENOTASK);
        CHECK_INT(kinds[i].unlock(&lock), anybodys ? 0 : RILL_ENOTASK);
    }
}

/* ---- many, and memory ---- */

#define WAITERS 1000
static int order[WAITERS], arrived;

static int note_order(void *arg)
{
    int rc = kind->lock(&lock);
    if (rc < 0)
        return rc;
    order[arrived++] = *(int *)arg;
    return kind->unlock(&lock);
}

EACH_LOCK_TEST(sync_a_thousand_waiters_are_served_in_order_without_memory)
{
    static int numbers[WAITERS];
    rill_task tasks[WAITERS];
    arrived = 0;
    CHECK_INT(kind->lock(&lock), 0);
    for (int i = 0; i < WAITERS; i++) {
        numbers[i] = i;
        tasks[i] = rill_spawn(note_order, &numbers[i]);
    }
    unsigned long before = rill__alloc_count;
    rill_sleep(0);
    CHECK_INT(arrived, 0);
    for (int i = 100; i < 200; i++)
        rill_cancel(tasks[i]);
    CHECK_INT(kind->unlock(&lock), 0);
    CHECK_INT(kind->lock(&lock), 0); /* behind them all */
    CHECK_INT(arrived, WAITERS - 100);
    CHECK_INT(kind->unlock(&lock), 0);
    /* But for the errors of those that were cancelled. */
    CHECK_INT(rill__alloc_count - before, 100);
    for (int i = 0; i < WAITERS; i++)
        CHECK_INT(rill_join(tasks[i]), i >= 100 && i < 200 ? RILL_ECANCELED : 0);
    for (int i = 0; i < arrived; i++)
        CHECK_INT(order[i], i < 100 ? i : i + 100);
}

/* ---- until the end of the block ---- */

static int in_blocks(void *arg)
{
    rill_mutex *mutex = arg;
    {
        rill_auto(rill_mutex) held = rill_mutex_hold(mutex);
        if (!held)
            return rill_errcode();
        CHECK(rill_mutex_is_locked(mutex));
        rill_auto(rill_mutex) again = rill_mutex_hold(mutex);
        CHECK(!again);
        CHECK_INT(rill_errcode(), RILL_EDEADLOCK);
    }
    CHECK(!rill_mutex_is_locked(mutex));
    return 0;
}

TASK_TEST(sync_a_block_unlocks_at_its_end)
{
    rill_mutex mutex = { 0 };
    rill_semaphore semaphore;
    rill_limiter limiter;
    rill_rwlock rwlock = { 0 };
    rill_semaphore_init(&semaphore, 1);
    rill_limiter_init(&limiter, 1);
    CHECK_INT(in_blocks(&mutex), 0);
    for (int i = 0; i < 2; i++) {
        rill_auto(rill_semaphore) permit = rill_semaphore_hold(&semaphore);
        rill_auto(rill_limiter) token = rill_limiter_hold(&limiter);
        rill_auto(rill_rwlock) writing = rill_rwlock_hold_write(&rwlock);
        CHECK(permit && token && writing);
        CHECK_INT(rill_semaphore_value(&semaphore), 0);
        CHECK_INT(rill_limiter_borrowed(&limiter), 1);
    }
    rill_auto(rill_rwlock) reading = rill_rwlock_hold_read(&rwlock);
    CHECK(reading);
    rill_mutex *mine = rill_mutex_hold(&mutex);
    rill_auto(rill_mutex) moved = rill_take(mine);
    CHECK(moved && !mine);
}

/* ---- left locked ---- */

static int lock_and_leave(void *arg)
{
    (void)arg;
    kind->lock(&lock);
    return 0;
}

TEST(sync_what_is_moved_is_looked_at_once)
{
    rill_mutex mutexes[2], *held[] = { &mutexes[0], &mutexes[1] };
    int at = 0;
    rill_mutex *moved = rill_take(held[at++]);
    CHECK(moved == &mutexes[0] && !held[0] && held[1] == &mutexes[1]);
    CHECK_INT(at, 1);
}

TASK_TEST(sync_a_task_that_ends_with_a_lock_is_reported)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        kind = &kinds[i];
        kind->init(&lock);
        hear_the_log();
        CHECK_INT(rill_join(rill_spawn(lock_and_leave, NULL, .name = "leaver")), 0);
        bool anybodys = kind->lock == semaphore_lock || kind->lock == bounded_lock;
        CHECK_INT(logged_lines, anybodys ? 0 : 1);
        if (!anybodys)
            CHECK_CONTAINS(logged, "'leaver' (");
        if (!anybodys)
            CHECK_CONTAINS(logged, "exited holding 1 lock: nobody else can unlock it");
        /* It stays locked, also for the next task, which lies where the other one lay. */
        CHECK_INT(rill_join(rill_spawn(lock_from_a_task, &a_moment)), RILL_ETIMEDOUT);
        CHECK_INT(kind->unlock(&lock), anybodys ? 0 : RILL_EINVAL);
    }
}

/* What the locks know of who holds them: misuse, readers and writers, tokens, bounds. */
#include "in_task.h"

#include <limits.h>
#include <rill/sync.h>

static char trace[64];

static void mark(const char *text)
{
    size_t len = strlen(trace);
    snprintf(trace + len, sizeof trace - len, "%s", text);
}

/* ---- mutex ---- */

static int unlock_anothers(void *arg)
{
    return rill_mutex_unlock(arg);
}

TASK_TEST(mutex_misuse_is_refused_and_changes_nothing)
{
    rill_mutex mutex;
    rill_mutex_init(&mutex);
    CHECK(!rill_mutex_is_locked(&mutex));
    CHECK_INT(rill_mutex_unlock(&mutex), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "unlock: the mutex is not locked");
    CHECK_INT(rill_mutex_lock(&mutex), 0);
    CHECK_INT(rill_mutex_lock(&mutex), RILL_EDEADLOCK);
    CHECK_INT(rill_mutex_try_lock(&mutex), RILL_EDEADLOCK);
    CHECK_INT(rill_join(rill_spawn(unlock_anothers, &mutex)), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "unlock: another task holds the mutex");
    CHECK(rill_mutex_is_locked(&mutex));
    CHECK_INT(rill_mutex_unlock(&mutex), 0);
    CHECK_INT(rill_mutex_unlock(&mutex), RILL_EINVAL);
}

/* ---- reader-writer lock ---- */

static rill_rwlock rwlock;

static int read_it(void *arg)
{
    int rc = rill_rwlock_read(&rwlock);
    if (rc < 0)
        return rc;
    mark(arg);
    rill_sleep(0);
    return rill_rwlock_unlock(&rwlock);
}

static int write_it(void *arg)
{
    int rc = rill_rwlock_write(&rwlock);
    if (rc < 0)
        return rc;
    mark(arg);
    rill_sleep(0);
    mark(";");
    return rill_rwlock_unlock(&rwlock);
}

static void join_all(rill_task *tasks, int count)
{
    for (int i = 0; i < count; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
}

TASK_TEST(rwlock_serves_in_order_and_readers_together)
{
    trace[0] = '\0';
    rill_rwlock_init(&rwlock);
    rill_task tasks[] = {
        rill_spawn(read_it, "a"), rill_spawn(read_it, "b"),  rill_spawn(write_it, "W"),
        rill_spawn(read_it, "c"), rill_spawn(write_it, "X"), rill_spawn(write_it, "Y"),
        rill_spawn(read_it, "d"), rill_spawn(read_it, "e"),
    };
    rill_sleep(0);
    CHECK_STR(trace, "ab"); /* c reads as they do, but came after a writer */
    CHECK_INT(rill_rwlock_try_read(&rwlock), RILL_EAGAIN);
    CHECK_INT(rill_rwlock_try_write(&rwlock), RILL_EAGAIN);
    join_all(tasks, 8);
    CHECK_STR(trace, "abW;cX;Y;de");
    CHECK_INT(rill_rwlock_try_write(&rwlock), 0);
    CHECK_INT(rill_rwlock_unlock(&rwlock), 0);
}

TASK_TEST(rwlock_lets_readers_in_when_the_writer_before_them_is_cancelled)
{
    trace[0] = '\0';
    rill_rwlock_init(&rwlock);
    CHECK_INT(rill_rwlock_read(&rwlock), 0);
    rill_task writer = rill_spawn(write_it, "W");
    rill_task readers[] = { rill_spawn(read_it, "a"), rill_spawn(read_it, "b") };
    rill_task last = rill_spawn(write_it, "X");
    rill_sleep(0);
    CHECK_STR(trace, "");
    rill_cancel(writer);
    CHECK_INT(rill_join(writer), RILL_ECANCELED);
    join_all(readers, 2);
    CHECK_STR(trace, "ab");
    CHECK_INT(rill_rwlock_unlock(&rwlock), 0);
    CHECK_INT(rill_join(last), 0);
    CHECK_STR(trace, "abX;");
}

static int write_for_a_moment(void *arg)
{
    return rill_within(a_moment, write_it, arg);
}

TASK_TEST(rwlock_is_done_with_a_writer_as_soon_as_it_is_cancelled)
{
    rill_rwlock_init(&rwlock);
    CHECK_INT(rill_rwlock_read(&rwlock), 0);
    rill_task writer = rill_spawn(write_it, "w"), reader = rill_spawn(read_it, "r");
    rill_sleep(0);
    CHECK_INT(rwlock.readers, 1);
    rill_cancel(writer);
    CHECK_INT(rwlock.readers, 2);
    CHECK_INT(rill_join(reader), 0);
    CHECK_INT(rill_rwlock_unlock(&rwlock), 0);
    memset(&rwlock, 0x55, sizeof rwlock); /* nobody waits for it, nobody holds it */
    CHECK_INT(rill_join(writer), RILL_ECANCELED);
}

TASK_TEST(rwlock_lets_readers_in_when_the_writers_time_is_up)
{
    trace[0] = '\0';
    rill_rwlock_init(&rwlock);
    CHECK_INT(rill_rwlock_read(&rwlock), 0);
    rill_task writer = rill_spawn(write_for_a_moment, "W"), reader = rill_spawn(read_it, "a");
    CHECK_INT(rill_join(writer), RILL_ETIMEDOUT);
    CHECK_INT(rill_join(reader), 0);
    CHECK_STR(trace, "a");
    CHECK_INT(rill_rwlock_unlock(&rwlock), 0);
}

TASK_TEST(rwlock_readers_given_it_before_a_cancellation_keep_it)
{
    trace[0] = '\0';
    rill_rwlock_init(&rwlock);
    CHECK_INT(rill_rwlock_write(&rwlock), 0);
    rill_task reader = rill_spawn(read_it, "a"), writer = rill_spawn(write_it, "W");
    rill_sleep(0);
    CHECK_INT(rill_rwlock_unlock(&rwlock), 0);
    rill_cancel(reader);
    CHECK_INT(rill_join(reader), 0);
    CHECK_INT(rill_join(writer), 0);
    CHECK_STR(trace, "aW;");
}

TASK_TEST(rwlock_misuse_is_refused_and_changes_nothing)
{
    rill_rwlock_init(&rwlock);
    CHECK_INT(rill_rwlock_unlock(&rwlock), RILL_EINVAL);
    CHECK_INT(rill_rwlock_read(&rwlock), 0);
    CHECK_INT(rill_rwlock_read(&rwlock), RILL_EDEADLOCK);
    CHECK_INT(rill_rwlock_try_read(&rwlock), RILL_EDEADLOCK);
    CHECK_INT(rill_rwlock_write(&rwlock), RILL_EDEADLOCK);
    CHECK_INT(rill_rwlock_unlock(&rwlock), 0);
    CHECK_INT(rill_rwlock_unlock(&rwlock), RILL_EINVAL);
    CHECK_INT(rill_rwlock_write(&rwlock), 0);
    CHECK_INT(rill_rwlock_write(&rwlock), RILL_EDEADLOCK);
    CHECK_INT(rill_rwlock_read(&rwlock), RILL_EDEADLOCK);
    CHECK_INT(rill_rwlock_unlock(&rwlock), 0);
}

static int unlock_unheld(void *arg)
{
    (void)arg;
    return rill_rwlock_unlock(&rwlock);
}

TASK_TEST(rwlock_is_unlocked_by_its_holders_only)
{
    rill_rwlock_init(&rwlock);
    CHECK_INT(rill_rwlock_read(&rwlock), 0);
    CHECK_INT(rill_join(rill_spawn(unlock_unheld, NULL)), RILL_EINVAL);
    CHECK_INT(rill_rwlock_unlock(&rwlock), 0);
    CHECK_INT(rill_rwlock_write(&rwlock), 0);
    CHECK_INT(rill_join(rill_spawn(unlock_unheld, NULL)), RILL_EINVAL);
    CHECK_INT(rill_rwlock_unlock(&rwlock), 0);
}

TASK_TEST(rwlock_a_task_reads_sixteen_at_once)
{
    rill_rwlock locks[17];
    for (int i = 0; i < 17; i++)
        rill_rwlock_init(&locks[i]);
    for (int i = 0; i < 16; i++)
        CHECK_INT(rill_rwlock_read(&locks[i]), 0);
    CHECK_INT(rill_rwlock_read(&locks[16]), RILL_ELIMIT);
    CHECK_INT(rill_rwlock_write(&locks[16]), 0); /* which the lock itself remembers */
    CHECK_INT(rill_rwlock_unlock(&locks[16]), 0);
    CHECK_INT(rill_rwlock_write(&locks[15]), RILL_EDEADLOCK);
    CHECK_INT(rill_rwlock_unlock(&locks[3]), 0);
    CHECK_INT(rill_rwlock_read(&locks[16]), 0);
    for (int i = 0; i < 17; i++)
        CHECK_INT(rill_rwlock_unlock(&locks[i]), i == 3 ? RILL_EINVAL : 0);
}

/* ---- semaphore ---- */

TASK_TEST(semaphore_counts)
{
    rill_semaphore semaphore;
    rill_semaphore_init(&semaphore, 2);
    CHECK_INT(rill_semaphore_acquire(&semaphore), 0);
    CHECK_INT(rill_semaphore_value(&semaphore), 1);
    CHECK_INT(rill_semaphore_acquire(&semaphore), 0);
    CHECK_INT(rill_semaphore_try_acquire(&semaphore), RILL_EAGAIN);
    for (int i = 0; i < 3; i++) /* without a bound, above where it began */
        CHECK_INT(rill_semaphore_release(&semaphore), 0);
    CHECK_INT(rill_semaphore_value(&semaphore), 3);
}

TASK_TEST(semaphore_bounded_is_not_released_above_its_bound)
{
    rill_semaphore semaphore;
    CHECK_INT(rill_semaphore_init_bounded(&semaphore, 1, 2), 0);
    CHECK_INT(rill_semaphore_release(&semaphore), 0);
    CHECK_INT(rill_semaphore_release(&semaphore), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "semaphore: released too often, its bound is 2");
    CHECK_INT(rill_semaphore_value(&semaphore), 2);
    CHECK_INT(rill_semaphore_init_bounded(&semaphore, 3, 2), RILL_EINVAL);
    CHECK_INT(rill_semaphore_value(&semaphore), 2);
}

/* ---- limiter ---- */

static rill_limiter limiter;
static int most;

static int borrow(void *arg)
{
    int rc = rill_limiter_acquire(&limiter);
    if (rc < 0)
        return rc;
    int lent = (int)rill_limiter_borrowed(&limiter);
    most = lent > most ? lent : most;
    rc = rill_sleep(*(double *)arg);
    int returned = rill_limiter_release(&limiter);
    return rc < 0 ? rc : returned;
}

TASK_TEST(limiter_misuse_is_refused)
{
    rill_limiter_init(&limiter, 2);
    CHECK_INT(rill_limiter_release(&limiter), RILL_EINVAL);
    CHECK_INT(rill_limiter_acquire(&limiter), 0);
    CHECK_INT(rill_limiter_acquire(&limiter), RILL_EDEADLOCK);
    CHECK_INT(rill_limiter_try_acquire(&limiter), RILL_EDEADLOCK);
    CHECK_INT(rill_limiter_borrowed(&limiter), 1);
    CHECK_INT(rill_limiter_release(&limiter), 0);
    CHECK_INT(rill_limiter_release(&limiter), RILL_EINVAL);
    rill_rwlock_init(&rwlock);
    rill_limiter many[16];
    for (int i = 0; i < 16; i++) {
        rill_limiter_init(&many[i], SIZE_MAX);
        CHECK_INT(rill_limiter_acquire(&many[i]), 0);
    }
    CHECK_INT(rill_limiter_acquire(&limiter), RILL_ELIMIT);
    CHECK_INT(rill_rwlock_read(&rwlock), RILL_ELIMIT);
    for (int i = 0; i < 16; i++)
        CHECK_INT(rill_limiter_release(&many[i]), 0);
}

TASK_TEST(limiter_follows_its_total_up_and_down)
{
    rill_limiter_init(&limiter, 2);
    most = 0;
    rill_task tasks[8];
    for (int i = 0; i < 8; i++)
        tasks[i] = rill_spawn(borrow, &a_moment);
    rill_sleep(0);
    CHECK_INT(rill_limiter_borrowed(&limiter), 2);
    rill_limiter_set_total(&limiter, 5);
    CHECK_INT(rill_limiter_borrowed(&limiter), 5); /* handed over at once */
    rill_limiter_set_total(&limiter, 1);
    CHECK_INT(rill_limiter_total(&limiter), 1);
    CHECK_INT(rill_limiter_borrowed(&limiter), 5); /* taken from nobody */
    CHECK_INT(rill_limiter_try_acquire(&limiter), RILL_EAGAIN);
    for (int i = 0; i < 5; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    most = 0;
    for (int i = 5; i < 8; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    CHECK_INT(most, 1);
    CHECK_INT(rill_limiter_borrowed(&limiter), 0);
}

TASK_TEST(limiter_without_tokens_lends_none)
{
    rill_limiter_init(&limiter, 0);
    CHECK_INT(rill_limiter_try_acquire(&limiter), RILL_EAGAIN);
    CHECK_INT(rill_within(a_moment, borrow, &a_moment), RILL_ETIMEDOUT);
    rill_limiter_set_total(&limiter, SIZE_MAX);
    CHECK_INT(rill_limiter_try_acquire(&limiter), 0);
    CHECK_INT(rill_limiter_release(&limiter), 0);
}

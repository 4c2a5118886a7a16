/* Work on threads: results, errors, cancellation, and loops that end meanwhile. */
#include "in_task.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int thread_starts, thread_ends;

static int add_one(void *arg)
{
    return *(int *)arg + 1;
}

static int nap(void *arg)
{
    atomic_fetch_add(&thread_starts, 1);
    usleep(*(useconds_t *)arg);
    atomic_fetch_add(&thread_ends, 1);
    return 5;
}

static useconds_t ten_ms = 10000, fifty_ms = 50000;

static int nap_on_thread(void *arg)
{
    return rill_to_thread(nap, arg);
}

static void wait_for_starts(int count)
{
    while (atomic_load(&thread_starts) < count)
        CHECK_INT(rill_sleep(0.0005), 0);
}

TASK_TEST(a_thread_gives_its_result)
{
    int one = 1;
    CHECK_INT(rill_to_thread(add_one, &one), 2);
}

static int which_thread(void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return 0;
}

TASK_TEST(it_is_another_thread)
{
    pthread_t thread;
    CHECK_INT(rill_to_thread(which_thread, &thread), 0);
    CHECK(!pthread_equal(thread, pthread_self()));
}

static int fail_mutely(void *arg)
{
    (void)arg;
    return RILL_EREDIS;
}

TASK_TEST(a_thread_gives_its_error)
{
    CHECK_INT(rill_to_thread(fail_at_once, "from a thread"), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "from a thread");
    CHECK_INT(rill_to_thread(fail_mutely, NULL), RILL_EREDIS);
    CHECK_INT(rill_errcode(), RILL_EREDIS);
}

TASK_TEST(other_tasks_run_meanwhile)
{
    ends = 0;
    rill_task task = rill_spawn(sleep_for, &a_moment);
    CHECK_INT(rill_to_thread(nap, &fifty_ms), 5);
    CHECK_INT(ends, 1);
    CHECK_INT(rill_join(task), 0);
}

TASK_TEST(race_a_job_that_has_started_is_awaited)
{
    rill_task task = rill_spawn(nap_on_thread, &fifty_ms);
    wait_for_starts(1);
    rill_cancel(task);
    CHECK_INT(rill_join(task), 5); /* the result wins */
    CHECK_INT(atomic_load(&thread_ends), 1);
}

static atomic_bool gate_open;

static int wait_at_gate(void *arg)
{
    (void)arg;
    atomic_fetch_add(&thread_starts, 1);
    while (!atomic_load(&gate_open))
        usleep(500);
    return 5;
}

static int gate_on_thread(void *arg)
{
    return rill_to_thread(wait_at_gate, arg);
}

TASK_TEST(race_a_job_that_has_not_started_is_taken_back)
{
    /* More jobs than there are threads: the last wait in the queue. */
    enum { COUNT = 12, THREADS = 8 };
    rill_task tasks[COUNT];
    for (int i = 0; i < COUNT; i++)
        tasks[i] = rill_spawn(gate_on_thread, NULL);
    wait_for_starts(THREADS);
    rill_cancel(tasks[COUNT - 1]);
    CHECK_INT(rill_join(tasks[COUNT - 1]), RILL_ECANCELED);
    atomic_store(&gate_open, true);
    for (int i = 0; i < COUNT - 1; i++)
        CHECK_INT(rill_join(tasks[i]), 5);
    CHECK_INT(atomic_load(&thread_starts), COUNT - 1);
}

TASK_TEST(jobs_submitted_together_run_side_by_side)
{
    rill_task tasks[4];
    int zero = 0;
    rill_to_thread(add_one, &zero); /* leaves one idle thread */
    for (int i = 0; i < 4; i++)
        tasks[i] = rill_spawn(gate_on_thread, NULL);
    wait_for_starts(4); /* none of them has ended */
    atomic_store(&gate_open, true);
    for (int i = 0; i < 4; i++)
        CHECK_INT(rill_join(tasks[i]), 5);
}

static int increment_on_thread(void *arg)
{
    int rc = rill_to_thread(add_one, arg);
    return rc == *(int *)arg + 1 ? 0 : rill_fail(RILL_EFAILED, "%d", rc);
}

TASK_TEST(two_thousand_jobs)
{
    enum { COUNT = 2000 };
    static int numbers[COUNT];
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i;
    CHECK_INT(rill_gather(numbers, COUNT, increment_on_thread), 0);
}

static int leave_job(void *arg)
{
    rill_detach(rill_spawn(nap_on_thread, arg));
    wait_for_starts(atomic_load(&thread_ends) + 1);
    return 0;
}

TEST(a_loop_that_ends_waits_for_its_jobs)
{
    for (int i = 1; i <= 5; i++) {
        CHECK_INT(rill_run(leave_job, &ten_ms), 0);
        CHECK_INT(atomic_load(&thread_ends), i);
    }
}

struct thread_loop {
    pthread_t thread;
    int status;
};

static int gather_on_threads(void *arg)
{
    (void)arg;
    int numbers[100];
    for (int i = 0; i < 100; i++)
        numbers[i] = i;
    return rill_gather(numbers, 100, increment_on_thread);
}

static void *run_loop(void *arg)
{
    struct thread_loop *loop = arg;
    loop->status = rill_run(gather_on_threads, NULL);
    return NULL;
}

TEST(loops_of_several_threads_share_the_pool)
{
    struct thread_loop loops[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&loops[i].thread, NULL, run_loop, &loops[i]);
    for (int i = 0; i < 4; i++) {
        pthread_join(loops[i].thread, NULL);
        CHECK_INT(loops[i].status, 0);
    }
}

/* ---- abandoning ---- */

struct query {
    atomic_bool begun, go, ended;
    bool saw_cancel;
    int result;
};

static atomic_int discarded;

static void discard_query(void *arg)
{
    free(arg);
    atomic_fetch_add(&discarded, 1);
}

static int run_query(void *arg)
{
    struct query *query = arg;
    atomic_store(&query->begun, true);
    while (!atomic_load(&query->go))
        usleep(500);
    query->saw_cancel = rill_thread_cancelled();
    atomic_store(&query->ended, true);
    return query->result;
}

static int abandon_query(void *arg)
{
    return rill_to_thread(run_query, arg, .abandon = true);
}

static int run_query_awaited(void *arg)
{
    return rill_to_thread(run_query, arg);
}

static int discard_abandoned(void *arg)
{
    return rill_to_thread(run_query, arg, .abandon = true, .discard = discard_query);
}

static void wait_for(atomic_bool *flag)
{
    while (!atomic_load(flag))
        CHECK_INT(rill_sleep(0.0005), 0);
}

TASK_TEST(an_abandoned_job_lets_its_task_go_and_ends_by_itself)
{
    static struct query query;
    rill_task task = rill_spawn(abandon_query, &query);
    wait_for(&query.begun);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK(!atomic_load(&query.ended));
    atomic_store(&query.go, true);
    wait_for(&query.ended);
    CHECK(query.saw_cancel);
}

TASK_TEST(a_job_that_may_be_abandoned_and_is_not_gives_its_result)
{
    struct query query = { .go = true, .result = 6 };
    CHECK_INT(abandon_query(&query), 6);
    CHECK(!query.saw_cancel);
    query.result = RILL_EREFUSED;
    CHECK_INT(abandon_query(&query), RILL_EREFUSED);
    CHECK_INT(rill_to_thread(fail_at_once, "from a thread", .abandon = true), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "from a thread");
}

TASK_TEST(what_was_cancelled_is_discarded_once_whenever_that_was)
{
    /* before the call */
    CHECK_INT(rill_within(0, discard_abandoned, calloc(1, sizeof(struct query))), RILL_ETIMEDOUT);
    CHECK_INT(discarded, 1);
    /* while it runs: by the thread, when it has ended */
    struct query *query = calloc(1, sizeof *query);
    rill_task task = rill_spawn(discard_abandoned, query);
    wait_for(&query->begun);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(discarded, 1);
    atomic_store(&query->go, true);
    while (atomic_load(&discarded) < 2)
        CHECK_INT(rill_sleep(0.0005), 0);
    /* when the function itself says so */
    query = calloc(1, sizeof *query);
    *query = (struct query){ .go = true, .result = RILL_ECANCELED };
    CHECK_INT(discard_abandoned(query), RILL_ECANCELED);
    CHECK_INT(discarded, 3);
    /* not at all: it is the caller's */
    query = calloc(1, sizeof *query);
    *query = (struct query){ .go = true, .result = 1 };
    CHECK_INT(discard_abandoned(query), 1);
    CHECK_INT(discarded, 3);
    free(query);
}

static int leave_abandoned(void *arg)
{
    struct query *query = arg;
    rill_task task = rill_spawn(discard_abandoned, query);
    wait_for(&query->begun);
    rill_cancel(task);
    return rill_join(task) == RILL_ECANCELED ? 0 : 1;
}

TEST(a_loop_ends_without_the_jobs_it_has_abandoned)
{
    struct query *query = calloc(1, sizeof *query);
    CHECK_INT(rill_run(leave_abandoned, query), 0);
    CHECK_INT(discarded, 0);
    atomic_store(&query->go, true);
    while (atomic_load(&discarded) == 0)
        usleep(500);
}

TASK_TEST(race_a_job_abandoned_as_it_ends)
{
    for (int i = 0; i < 300; i++) {
        struct query *query = calloc(1, sizeof *query);
        *query = (struct query){ .go = true, .result = 1 };
        int before = discarded;
        rill_task task = rill_spawn(discard_abandoned, query);
        rill_sleep(0);
        usleep((unsigned)(i % 10) * 5);
        rill_cancel(task);
        if (rill_join(task) == 1) {
            CHECK_INT(discarded, before);
            free(query);
            continue;
        }
        while (atomic_load(&discarded) == before)
            CHECK_INT(rill_sleep(0), 0);
    }
}

TASK_TEST(a_job_that_is_awaited_sees_that_it_was_cancelled)
{
    struct query query = { .result = 4 };
    CHECK(!rill_thread_cancelled());
    rill_task task = rill_spawn(run_query_awaited, &query);
    wait_for(&query.begun);
    rill_cancel(task);
    CHECK_INT(rill_sleep(0.002), 0);
    CHECK(!rill_task_done(task));
    atomic_store(&query.go, true);
    CHECK_INT(rill_join(task), 4);
    CHECK(query.saw_cancel);
}

/* ---- the size of the pool ---- */

TASK_TEST(the_pool_has_as_many_threads_as_it_may)
{
    enum { COUNT = 5 };
    rill_task tasks[COUNT];
    CHECK_INT(rill_thread_limit(2), 0);
    for (int i = 0; i < COUNT; i++)
        tasks[i] = rill_spawn(gate_on_thread, NULL);
    wait_for_starts(2);
    CHECK_INT(rill_sleep(0.01), 0);
    CHECK_INT(atomic_load(&thread_starts), 2);
    CHECK_INT(rill_thread_limit(4), 0); /* those that wait are helped at once */
    wait_for_starts(4);
    CHECK_INT(rill_sleep(0.01), 0);
    CHECK_INT(atomic_load(&thread_starts), 4);
    CHECK_INT(rill_thread_limit(1), 0);
    atomic_store(&gate_open, true);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(rill_join(tasks[i]), 5);
    CHECK_INT(atomic_load(&thread_starts), COUNT);
}

static atomic_int at_once, most_at_once;

static int count_at_once(void *arg)
{
    (void)arg;
    int now = atomic_fetch_add(&at_once, 1) + 1;
    if (now > atomic_load(&most_at_once))
        atomic_store(&most_at_once, now);
    usleep(1000);
    atomic_fetch_sub(&at_once, 1);
    return 0;
}

static int count_on_thread(void *arg)
{
    return rill_to_thread(count_at_once, arg);
}

TASK_TEST(a_pool_that_was_made_smaller_stays_so)
{
    char items[12];
    CHECK_INT(rill_gather(items, 12, count_on_thread), 0);
    CHECK(most_at_once > 2);
    CHECK_INT(rill_thread_limit(1), 0);
    CHECK_INT(rill_sleep(0.01), 0);
    atomic_store(&most_at_once, 0);
    CHECK_INT(rill_gather(items, 12, count_on_thread), 0);
    CHECK_INT(most_at_once, 1);
}

TEST(limits_of_the_limit)
{
    CHECK_INT(rill_thread_limit(0), RILL_EINVAL);
    CHECK_INT(rill_thread_limit(-1), RILL_EINVAL);
    CHECK_INT(rill_thread_limit(1025), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "thread_limit: 1025 is not 1 to 1024");
    CHECK_INT(rill_thread_limit(1024), 0);
    CHECK_INT(rill_thread_limit(1), 0);
}

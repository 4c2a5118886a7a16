/* Work on threads: results, errors, cancellation, and loops that end meanwhile. */
#include "in_task.h"

#include <pthread.h>
#include <stdatomic.h>
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

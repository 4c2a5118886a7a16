/*
 * Threads for what blocks: a small pool, started as it is needed and shared by all loops.
 *
 * A job lies on the stack of the task that waits for it. Until a thread has taken it, it can be
 * taken back; afterwards the task waits for its end. Finished jobs are pushed to their loop's list,
 * and the loop wakes their tasks.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "runtime/runtime_internal.h"

#include <sched.h>
#include <stdatomic.h>

#define THREADS_MAX 8
/* A thread that has had nothing to do for so long ends. */
#define IDLE_SECONDS 10

typedef struct rill__job {
    rill__list link; /* queue.jobs, while no thread has taken it */
    struct rill__job *next_finished;
    rill__task *task;
    rill__loop *loop;
    rill_task_fn *fn;
    void *arg;
    rill_error *error;
    int result;
    bool taken;
    rill__timer timer; /* of a job that is called by the loop */
} rill__job;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    rill__list jobs; /* that no thread has taken */
    int waiting;     /* how many these are */
    int threads, idle;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static void run_job(rill__job *job)
{
    rill__error_owner = &job->error;
    job->result = job->fn(job->arg);
    rill__error_owner = NULL;
    rill__loop *loop = job->loop;
    rill__job *head = atomic_load(&loop->finished_jobs);
    do
        job->next_finished = head;
    while (!atomic_compare_exchange_weak(&loop->finished_jobs, &head, job));
    loop->driver->ops->wake(loop->driver);
    atomic_fetch_sub(&loop->jobs, 1); /* the loop may go only now */
}

/* Waits for a job, with the lock held. Returns NULL when none came for long. */
static rill__job *next_job(void)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += IDLE_SECONDS;
    pool.idle++;
    int rc = 0;
    while (rill__list_empty(&pool.jobs) && rc == 0)
        rc = pthread_cond_timedwait(&pool.more, &pool.lock, &limit);
    pool.idle--;
    rill__list *node = rill__list_pop(&pool.jobs);
    if (!node)
        return NULL;
    rill__job *job = rill__container(node, rill__job, link);
    pool.waiting--;
    job->taken = true;
    return job;
}

static void *thread_main(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&pool.lock);
    for (rill__job *job; (job = next_job());) {
        pthread_mutex_unlock(&pool.lock);
        run_job(job);
        pthread_mutex_lock(&pool.lock);
    }
    pool.threads--;
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

/* In the child of a fork the threads are gone. */
static void reset_in_child(void)
{
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.more, NULL);
    rill__list_init(&pool.jobs);
    pool.waiting = pool.threads = pool.idle = 0;
}

static void init_pool(void)
{
    rill__list_init(&pool.jobs);
    pthread_atfork(NULL, NULL, reset_in_child);
}

/* Starts one more thread when nobody is free for the job. With the lock held. */
static bool ensure_thread(void)
{
    if (pool.idle > pool.waiting || pool.threads >= THREADS_MAX)
        return true;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigset_t all, old;
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_t thread;
    int rc = pthread_create(&thread, &attributes, thread_main, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    if (rc == 0)
        pool.threads++;
    return pool.threads > 0;
}

static rill__abort abort_job(void *arg)
{
    rill__job *job = arg;
    pthread_mutex_lock(&pool.lock);
    bool taken = job->taken;
    if (!taken) {
        rill__list_remove(&job->link);
        pool.waiting--;
        atomic_fetch_sub(&job->loop->jobs, 1);
    }
    pthread_mutex_unlock(&pool.lock);
    return taken ? RILL__ABORT_PENDING : RILL__ABORTED;
}

static int submit_job(rill__job *job)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_pool);
    pthread_mutex_lock(&pool.lock);
    bool ok = ensure_thread();
    if (ok) {
        atomic_fetch_add(&job->loop->jobs, 1);
        rill__list_append(&pool.jobs, &job->link);
        pool.waiting++;
        pthread_cond_signal(&pool.more);
    }
    pthread_mutex_unlock(&pool.lock);
    return ok ? 0 : rill__fail(RILL_ENOMEM, "to_thread: no thread could be started");
}

/* ---- without threads ---- */

static void call_job(rill__timer *timer)
{
    rill__job *job = rill__container(timer, rill__job, timer);
    rill__loop *loop = rill__this_loop;
    rill__error_owner = &job->error;
    rill__this_loop = NULL; /* a thread has none */
    job->result = job->fn(job->arg);
    rill__this_loop = loop;
    rill__error_owner = &loop->error;
    rill__wake(job->task);
}

static rill__abort abort_timer(void *arg)
{
    rill__timer_cancel(arg);
    return RILL__ABORTED;
}

static int call_later(rill__job *job, rill__driver *driver)
{
    job->timer = (rill__timer){
        .deadline = rill__after(driver->ops->now(driver), driver->ops->job_time(driver)),
        .fire = call_job,
    };
    rill__timer_set(&job->timer);
    return rill__park("a thread", abort_timer, &job->timer);
}

static int call_in_thread(rill__job *job)
{
    RILL__TRY(submit_job(job));
    return rill__park("a thread", abort_job, job);
}

int rill_to_thread(rill_task_fn *fn, void *arg)
{
    RILL__TRY(rill__checkpoint("to_thread"));
    rill__job job = { .task = rill__current(), .loop = rill__this_loop, .fn = fn, .arg = arg };
    rill__driver *driver = rill__loop_driver();
    RILL__TRY(driver->ops->job_time ? call_later(&job, driver) : call_in_thread(&job));
    if (job.result < 0 && job.error)
        rill__error_move(&job.error, &job.task->error);
    else if (job.result < 0)
        rill__fail(job.result, "to_thread: %s", rill_code_text(job.result));
    rill__error_free(&job.error);
    return job.result;
}

void rill__jobs_collect(rill__loop *loop)
{
    if (!atomic_load_explicit(&loop->finished_jobs, memory_order_relaxed))
        return;
    rill__job *job = atomic_exchange(&loop->finished_jobs, NULL);
    for (rill__job *next; job; job = next) {
        next = job->next_finished;
        rill__wake(job->task);
    }
}

void rill__jobs_settle(rill__loop *loop)
{
    while (atomic_load(&loop->jobs) > 0)
        sched_yield(); /* a thread is a few instructions from letting go */
}

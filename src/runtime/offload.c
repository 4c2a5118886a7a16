/*
 * Threads for what blocks: a small pool, started as it is needed and shared by all loops.
 *
 * Until a thread has taken a job, it can be taken back; afterwards the task waits for its end,
 * which comes to its loop by mail. So a job may lie on the stack of the task that waits for it. One
 * that may be abandoned has memory of its own: whoever comes last, the task or the thread, frees
 * it.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

#define THREADS_DEFAULT 8
#define THREADS_MAX 1024
/* A thread that has had nothing to do for so long ends. */
#define IDLE_SECONDS 10

enum job_state {
    WAITING, /* no thread has taken it */
    TAKEN,
    ENDED,     /* the mail that says so is on its way */
    ABANDONED, /* taken, and the thread's own */
};

typedef struct rill__job {
    rill__list link; /* pool.jobs, while it waits */
    rill__mail mail; /* that it has ended */
    rill__task *task;
    rill_loop *home;
    rill_task_fn *fn;
    void *arg;
    void (*discard)(void *arg);
    rill_error *error;
    int result;
    enum job_state state; /* changed under the pool's lock */
    _Atomic bool cancelled;
    rill__timer timer; /* of a job that is called by the loop */
} rill__job;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    rill__list jobs; /* that no thread has taken */
    int waiting;     /* how many these are */
    int threads, idle, limit;
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .more = PTHREAD_COND_INITIALIZER,
    .jobs = { &pool.jobs, &pool.jobs },
    .limit = THREADS_DEFAULT,
};

static __thread rill__job *this_job; /* that this thread runs */

/* ---- the threads' side ---- */

static void job_done(rill__mail *mail)
{
    rill__wake(rill__container(mail, rill__job, mail)->task);
}

static void run_job(rill__job *job)
{
    this_job = job;
    rill__error_owner = &job->error;
    job->result = job->fn(job->arg);
    rill__error_owner = NULL;
    this_job = NULL;
    pthread_mutex_lock(&pool.lock);
    bool abandoned = job->state == ABANDONED;
    job->state = ENDED;
    pthread_mutex_unlock(&pool.lock);
    if (!abandoned) {
        rill__post(job->home, &job->mail);
        return;
    }
    if (job->discard)
        job->discard(job->arg);
    rill__error_free(&job->error);
    rill__free(job);
}

/* Waits for a job, with the lock held. Returns NULL when none came for long, or when there are more
 * threads than there may be. */
static rill__job *next_job(void)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += IDLE_SECONDS;
    pool.idle++;
    int rc = 0;
    while (rill__list_empty(&pool.jobs) && rc == 0 && pool.threads <= pool.limit)
        rc = pthread_cond_timedwait(&pool.more, &pool.lock, &limit);
    pool.idle--;
    rill__list *node = pool.threads <= pool.limit ? rill__list_pop(&pool.jobs) : NULL;
    if (!node)
        return NULL;
    rill__job *job = rill__container(node, rill__job, link);
    pool.waiting--;
    job->state = TAKEN;
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

bool rill_thread_cancelled(void)
{
    return this_job && atomic_load(&this_job->cancelled);
}

/* ---- the pool ---- */

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
    pthread_atfork(NULL, NULL, reset_in_child);
}

int rill__thread_detached(void *(*run)(void *arg), void *arg)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigset_t blocked, old;
    rill__signals_to_block(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    pthread_t thread;
    int rc = pthread_create(&thread, &attributes, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return rc;
}

/* Starts one more thread when nobody is free for the job. With the lock held. */
static bool ensure_thread(void)
{
    if (pool.idle > pool.waiting || pool.threads >= pool.limit)
        return true;
    if (rill__thread_detached(thread_main, NULL) == 0)
        pool.threads++;
    return pool.threads > 0;
}

int rill_thread_limit(int threads)
{
    if (threads < 1 || threads > THREADS_MAX)
        return rill__fail(RILL_EINVAL, "thread_limit: %d is not 1 to %d", threads, THREADS_MAX);
    pthread_mutex_lock(&pool.lock);
    pool.limit = threads;
    for (int left = pool.waiting - pool.idle; left > 0 && pool.threads < pool.limit; left--)
        if (rill__thread_detached(thread_main, NULL) == 0)
            pool.threads++;
    pthread_cond_broadcast(&pool.more);
    pthread_mutex_unlock(&pool.lock);
    return 0;
}

/* ---- the task's side ---- */

/* A task that waits for a job: lies on its stack. */
struct job_wait {
    rill__job *job;
    bool may_abandon;
    bool abandoned; /* then the job is not the task's any more */
};

static rill__abort abort_job(void *arg)
{
    struct job_wait *wait = arg;
    rill__job *job = wait->job;
    pthread_mutex_lock(&pool.lock);
    bool waited = job->state == WAITING;
    if (waited) {
        rill__list_remove(&job->link);
        pool.waiting--;
    } else if (job->state == TAKEN) {
        atomic_store(&job->cancelled, true);
        wait->abandoned = wait->may_abandon;
        job->state = wait->abandoned ? ABANDONED : TAKEN;
    }
    pthread_mutex_unlock(&pool.lock);
    return waited || wait->abandoned ? RILL__ABORTED : RILL__ABORT_PENDING;
}

static int submit_job(rill__job *job)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_pool);
    pthread_mutex_lock(&pool.lock);
    bool ok = ensure_thread();
    if (ok) {
        rill__list_append(&pool.jobs, &job->link);
        pool.waiting++;
        pthread_cond_signal(&pool.more);
    }
    pthread_mutex_unlock(&pool.lock);
    return ok ? 0 : rill__fail(RILL_ENOMEM, "to_thread: no thread could be started");
}

static int call_in_thread(struct job_wait *wait)
{
    rill__loop *loop = rill__this_loop;
    RILL__TRY(submit_job(wait->job));
    loop->awaited++;
    int rc = rill__park("a thread", abort_job, wait);
    loop->awaited--;
    return rc;
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

/* ---- the public face ---- */

static int take_result(rill__job *job)
{
    if (job->result < 0 && job->error)
        rill__error_move(&job->error, &job->task->error);
    else if (job->result < 0)
        rill__fail(job->result, "to_thread: %s", rill_code_text(job->result));
    return job->result;
}

static int call_job_somewhere(rill_task_fn *fn, const rill_to_thread_opts *opts,
                              bool *ret_abandoned)
{
    RILL__TRY(rill__checkpoint("to_thread"));
    rill__driver *driver = rill__loop_driver();
    rill__job room, *job = opts->abandon ? rill__alloc(sizeof *job) : &room;
    if (!job)
        return rill__fail_nomem();
    *job = (rill__job){
        .mail = { .run = job_done },
        .task = rill__current(),
        .home = rill__this_loop->mailbox,
        .fn = fn,
        .arg = opts->arg,
        .discard = opts->discard,
    };
    struct job_wait wait = { .job = job, .may_abandon = opts->abandon };
    int rc = driver->ops->job_time ? call_later(job, driver) : call_in_thread(&wait);
    *ret_abandoned = wait.abandoned;
    if (wait.abandoned)
        return rc;
    if (rc == 0)
        rc = take_result(job);
    rill__error_free(&job->error);
    if (job != &room)
        rill__free(job);
    return rc;
}

int rill_to_thread_with(rill_task_fn *fn, const rill_to_thread_opts *given)
{
    rill_to_thread_opts opts;
    rill__opts_read(opts, given);
    bool abandoned = false;
    int rc = call_job_somewhere(fn, &opts, &abandoned);
    if (rc == RILL_ECANCELED && opts.discard && !abandoned)
        opts.discard(opts.arg);
    return rc;
}

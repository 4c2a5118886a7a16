/* Loops in threads of their own: started, stopped and joined. */
#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

#include <errno.h>

/* A loop without a function of its own is there for what others spawn on it. */
static int idle(void *arg)
{
    (void)arg;
    rill_sleep(RILL_FOREVER);
    return 0;
}

static void *thread_main(void *arg)
{
    rill__loop *loop = arg;
    rill__promise *end = loop->mailbox->end;
    atomic_fetch_add(&end->refs, 1);
    rill__loop_enter(loop);
    rill__loop_drive(loop);
    int result = loop->main_task->result;
    rill_error *error = NULL;
    rill__error_move(&loop->main_task->error, &error);
    rill__task_free(loop->main_task);
    rill__loop_free(loop);
    rill__promise_keep(end, result, error);
    rill__error_free(&error);
    rill__promise_unref(end);
    return NULL;
}

static void free_promise(rill__promise *promise)
{
    rill__free(promise);
}

/* A loop, its first task and the promise of its end; not yet running. */
static rill__loop *make_loop(rill_task_fn *fn, const rill_spawn_opts *opts)
{
    rill__driver *driver = rill__epoll_new();
    if (!driver) {
        rill__fail_errno(RILL_EOS, errno, "loop: epoll");
        return NULL;
    }
    rill__loop *loop = rill__loop_new(driver);
    if (!loop)
        return NULL;
    loop->mailbox->end = rill__zalloc(sizeof *loop->mailbox->end);
    if (loop->mailbox->end) {
        rill__promise_init(loop->mailbox->end, opts, free_promise);
        if (rill__loop_set_main(loop, fn, opts) == 0)
            return loop;
    } else {
        rill__fail_nomem();
    }
    rill__loop_free(loop);
    return NULL;
}

rill_loop *rill_loop_start_with(rill_task_fn *fn, const rill_spawn_opts *given)
{
    rill_spawn_opts opts;
    rill__opts_read(opts, given);
    opts.name = opts.name ? opts.name : "main";
    rill__loop *loop = make_loop(fn ? fn : idle, &opts);
    if (!loop)
        return NULL;
    rill_loop *mailbox = rill_loop_ref(loop->mailbox);
    int error = rill__thread_detached(thread_main, loop);
    if (error == 0)
        return mailbox;
    rill__scope_close(&loop->main_task->root);
    rill__task_free(loop->main_task);
    rill__loop_free(loop);
    rill_loop_unref(mailbox);
    rill__fail_errno(RILL_EOS, error, "loop_start: no thread could be started");
    return NULL;
}

static void stop_came(rill__mail *mail)
{
    const rill_loop *mailbox = rill__container(mail, rill_loop, stop);
    rill__task *task = mailbox->loop->main_task;
    if (task->state != RILL__DONE)
        rill__scope_cancel(&task->root, RILL__CAUSE_CANCEL, "the loop was stopped");
}

int rill_loop_stop(rill_loop *loop)
{
    if (!loop->end)
        return rill__fail(RILL_EINVAL, "loop_stop: not a loop that loop_start has made");
    if (atomic_exchange(&loop->stopped, true))
        return 0;
    loop->stop.run = stop_came;
    rill__post(loop, &loop->stop); /* or it has ended already */
    return 0;
}

int rill_loop_join(rill_loop *loop)
{
    if (!loop->end)
        return rill__fail(RILL_EINVAL, "loop_join: not a loop that loop_start has made");
    if (rill__this_loop && rill__this_loop->mailbox == loop)
        return rill__fail(RILL_EDEADLOCK, "loop_join: a loop cannot wait for its own end");
    return rill__promise_join(loop->end, "loop_join");
}

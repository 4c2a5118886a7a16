/*
 * Tasks on other loops: spawned, cancelled and joined by mail.
 *
 * A remote is shared by who spawned it and by the loop that runs it. The task itself is touched by
 * its own loop alone; everybody else writes a letter. It belongs to that loop's background, so it
 * ends before the loop does.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

#include <stdio.h>

struct rill_remote {
    rill__promise promise;
    rill_loop *loop; /* that runs it */
    rill_task_fn *fn;
    void *arg;
    size_t stack;
    rill__mail spawn, cancel;
    rill__watch watch;
    rill__task *task; /* for its own loop: while it runs */
    bool cancelling;  /* under the promise's lock: the letter has been written */
    char reason[96];
};

static rill_remote *remote_of(rill__promise *promise)
{
    return rill__container(promise, rill_remote, promise);
}

static void free_remote(rill__promise *promise)
{
    rill_remote *remote = remote_of(promise);
    rill_loop_unref(remote->loop);
    rill__free(remote);
}

/* ---- on the loop that runs it ---- */

static void task_ended(rill__watch *watch, const rill__task *task)
{
    rill_remote *remote = rill__container(watch, rill_remote, watch);
    remote->task = NULL;
    rill__promise_keep(&remote->promise, task->result, task->error);
    rill__promise_unref(&remote->promise);
}

static void spawn_came(rill__mail *mail)
{
    rill_remote *remote = rill__container(mail, rill_remote, spawn);
    rill_spawn_opts opts = {
        .size = sizeof opts,
        .arg = remote->arg,
        .name = remote->promise.name,
        .stack = remote->stack,
        .file = remote->promise.file,
        .line = remote->promise.line,
    };
    remote->task = rill__spawn_background(remote->fn, &opts);
    if (remote->task) {
        remote->watch = (rill__watch){ .ended = task_ended, .joins = true };
        rill__list_append(&remote->task->watches, &remote->watch.link);
        return;
    }
    rill__promise_keep(&remote->promise, rill_errcode(), rill_last_error());
    rill__promise_unref(&remote->promise);
}

static void cancel_came(rill__mail *mail)
{
    rill_remote *remote = rill__container(mail, rill_remote, cancel);
    if (remote->task)
        rill__scope_cancel(&remote->task->root, RILL__CAUSE_CANCEL, remote->reason);
    rill__promise_unref(&remote->promise);
}

/* ---- from anywhere ---- */

static rill_remote *new_remote(rill_loop *loop, rill_task_fn *fn, const rill_spawn_opts *opts)
{
    rill_remote *remote = rill__zalloc(sizeof *remote);
    if (!remote) {
        rill__fail_nomem();
        return NULL;
    }
    rill__promise_init(&remote->promise, opts, free_remote);
    remote->loop = rill_loop_ref(loop);
    remote->fn = fn;
    remote->arg = opts->arg;
    remote->stack = opts->stack;
    remote->spawn.run = spawn_came;
    remote->cancel.run = cancel_came;
    return remote;
}

rill_remote *rill_spawn_on_with(rill_loop *loop, rill_task_fn *fn, const rill_spawn_opts *given)
{
    rill_spawn_opts opts;
    rill__opts_read(opts, given);
    if (opts.group) {
        rill__fail(RILL_EINVAL, "spawn_on: a group has tasks of its own loop only");
        return NULL;
    }
    rill_remote *remote = new_remote(loop, fn, &opts);
    if (!remote)
        return NULL;
    atomic_fetch_add(&remote->promise.refs, 1); /* the loop's, until it has ended */
    if (atomic_load(&loop->phase) == RILL__TAKES_TASKS && rill__post(loop, &remote->spawn))
        return remote;
    rill__promise_unref(&remote->promise);
    rill__promise_unref(&remote->promise);
    rill__fail_ended("spawn_on");
    return NULL;
}

static void cancel_remote(rill_remote *remote, const char *reason)
{
    rill__promise *promise = &remote->promise;
    pthread_mutex_lock(&promise->lock);
    bool first = !remote->cancelling && !promise->done;
    if (first) {
        remote->cancelling = true;
        snprintf(remote->reason, sizeof remote->reason, "%s", reason ? reason : "");
    }
    pthread_mutex_unlock(&promise->lock);
    if (!first)
        return;
    atomic_fetch_add(&promise->refs, 1); /* the letter's */
    if (!rill__post(remote->loop, &remote->cancel))
        rill__promise_unref(promise); /* its loop has ended, and so has the task */
}

void rill_remote_cancel_with(const rill_remote_cancel_opts *given)
{
    rill_remote_cancel_opts opts;
    rill__opts_read(opts, given);
    if (opts.remote)
        cancel_remote(opts.remote, opts.reason);
}

int rill_remote_join(rill_remote *remote)
{
    return rill__promise_join(&remote->promise, "remote_join");
}

int rill_remote_result(rill_remote *remote)
{
    if (!rill__promise_is_kept(&remote->promise))
        return rill__fail(RILL_EAGAIN, "remote_result: '%s' has not ended", remote->promise.name);
    return rill__promise_result(&remote->promise);
}

bool rill_remote_done(rill_remote *remote)
{
    return rill__promise_is_kept(&remote->promise);
}

void rill_remote_free(rill_remote *remote)
{
    if (remote)
        rill__promise_unref(&remote->promise);
}

/* ---- spawn and join in one ---- */

static void pass_on_cancel(rill__promise *promise, const char *reason)
{
    cancel_remote(remote_of(promise), reason);
}

int rill_run_on_with(rill_loop *loop, rill_task_fn *fn, const rill_spawn_opts *opts)
{
    if (rill__this_loop)
        RILL__TRY(rill__checkpoint("run_on"));
    rill_remote *remote = rill_spawn_on_with(loop, fn, opts);
    if (!remote)
        return rill_errcode();
    int rc = rill__promise_join_fast(&remote->promise, "run_on", pass_on_cancel);
    rill_remote_free(remote);
    return rc;
}

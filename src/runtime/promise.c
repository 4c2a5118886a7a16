/*
 * Promises: how something will end in another thread, for tasks and threads that wait for it.
 *
 * Tasks wait by mail: each has a message ready on its stack, which is posted to its loop when the
 * promise is kept. From then on the message is on its way, so a cancellation that comes later finds
 * the result; one that came before has taken the task off the list, under the lock.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "runtime/runtime_internal.h"

#include <rill/log.h>
#include <stdio.h>

/* A task that waits: lies on its stack. */
struct waiter {
    rill__list link; /* promise.waiters */
    rill__mail mail;
    rill_loop *home;
    rill__task *task;
    rill__promise *promise;
    rill__cancelled_fn *on_cancel; /* or NULL */
};

void rill__promise_init(rill__promise *promise, const rill_spawn_opts *opts,
                        void (*free_promise)(rill__promise *promise))
{
    atomic_init(&promise->refs, 1);
    pthread_mutex_init(&promise->lock, NULL);
    pthread_cond_init(&promise->ended, NULL);
    rill__list_init(&promise->waiters);
    promise->file = opts->file;
    promise->line = opts->line;
    snprintf(promise->name, sizeof promise->name, "%s", opts->name ? opts->name : "task");
    promise->free = free_promise;
}

static const char *message_of(const rill__promise *promise)
{
    return promise->error.code ? promise->error.message : rill_code_text(promise->result);
}

static void tell_unjoined(const rill__promise *promise)
{
    char place[RILL__PLACE_SIZE];
    rill_log(RILL_LOG_ERROR, "task", "'%s'%s failed and nobody joined it: %s", promise->name,
             rill__place_words(place, promise->file, promise->line), message_of(promise));
}

void rill__promise_unref(rill__promise *promise)
{
    if (atomic_fetch_sub(&promise->refs, 1) > 1)
        return;
    if (!promise->joined && promise->result < 0 && promise->result != RILL_ECANCELED)
        tell_unjoined(promise);
    pthread_mutex_destroy(&promise->lock);
    pthread_cond_destroy(&promise->ended);
    promise->free(promise);
}

void rill__promise_keep(rill__promise *promise, int result, const rill_error *error)
{
    pthread_mutex_lock(&promise->lock);
    promise->result = result;
    if (result < 0 && error && error->code == result)
        promise->error = *error;
    promise->done = true;
    /* A task that has its mail may be gone at once, and its list node with it. */
    for (rill__list *node; (node = rill__list_pop(&promise->waiters));) {
        struct waiter *waiter = rill__container(node, struct waiter, link);
        rill__post(waiter->home, &waiter->mail);
    }
    pthread_cond_broadcast(&promise->ended);
    pthread_mutex_unlock(&promise->lock);
}

bool rill__promise_is_kept(rill__promise *promise)
{
    pthread_mutex_lock(&promise->lock);
    bool done = promise->done;
    pthread_mutex_unlock(&promise->lock);
    return done;
}

/* ---- waiting ---- */

static void mail_came(rill__mail *mail)
{
    rill__wake(rill__container(mail, struct waiter, mail)->task);
}

static rill__abort abort_wait(void *arg)
{
    struct waiter *waiter = arg;
    rill__promise *promise = waiter->promise;
    if (waiter->on_cancel) {
        waiter->on_cancel(promise, waiter->task->scope->origin->reason);
        return RILL__ABORT_PENDING;
    }
    pthread_mutex_lock(&promise->lock);
    bool waits = !promise->done;
    if (waits)
        rill__list_remove(&waiter->link);
    pthread_mutex_unlock(&promise->lock);
    return waits ? RILL__ABORTED : RILL__ABORT_PENDING;
}

static int wait_as_task(struct waiter *waiter, const char *what)
{
    rill__loop *loop = rill__this_loop;
    pthread_mutex_lock(&waiter->promise->lock);
    bool done = waiter->promise->done;
    if (!done)
        rill__list_append(&waiter->promise->waiters, &waiter->link);
    pthread_mutex_unlock(&waiter->promise->lock);
    if (done)
        return 0;
    loop->awaited++;
    int rc = rill__park(what, abort_wait, waiter);
    loop->awaited--;
    return rc;
}

static void wait_as_thread(rill__promise *promise)
{
    pthread_mutex_lock(&promise->lock);
    while (!promise->done)
        pthread_cond_wait(&promise->ended, &promise->lock);
    pthread_mutex_unlock(&promise->lock);
}

int rill__promise_result(rill__promise *promise)
{
    pthread_mutex_lock(&promise->lock);
    promise->joined = true;
    pthread_mutex_unlock(&promise->lock);
    if (promise->result < 0 && promise->error.code)
        *rill__error_slot() = promise->error;
    else if (promise->result < 0)
        rill__fail(promise->result, "'%s': %s", promise->name, rill_code_text(promise->result));
    return promise->result;
}

int rill__promise_join_fast(rill__promise *promise, const char *what, rill__cancelled_fn *on_cancel)
{
    if (rill__this_loop) {
        RILL__TRY(rill__need_task(what));
        struct waiter waiter = {
            .mail = { .run = mail_came },
            .home = rill__this_loop->mailbox,
            .task = rill__current(),
            .promise = promise,
            .on_cancel = on_cancel,
        };
        RILL__TRY(wait_as_task(&waiter, what));
    } else {
        wait_as_thread(promise);
    }
    return rill__promise_result(promise);
}

int rill__promise_join(rill__promise *promise, const char *what)
{
    return rill__promise_join_fast(promise, what, NULL);
}

/* Requests on a schedule: a task that fetches, hands over, and waits for the next tick. */
#include "base/alloc.h"
#include "base/opts.h"
#include "client/client_internal.h"

struct every {
    rill_session *session;
    rill_interval interval;
    rill_response_fn *fn;
    void *state;
    char url[];
};

static int fetch_once(void *arg)
{
    const struct every *every = arg;
    rill_auto(rill_response) response = rill_get(every->session, every->url);
    if (!response && rill_cancelled())
        return RILL_ECANCELED; /* the task is to end: that is no failure of the request */
    return every->fn(response, every->state);
}

static int run(struct every *every)
{
    for (;;) {
        RILL__TRY(rill_interval_wait(&every->interval));
        RILL__TRY(rill__call_apart(fetch_once, every));
    }
}

static int run_every(void *arg)
{
    struct every *every = arg;
    int rc = run(every);
    rill__free(every);
    return rc;
}

static struct every *make(rill_session *session, double seconds, const char *url,
                          const rill_session_every_opts *opts)
{
    /* A URL that can never be fetched is told now. */
    rill__target *target = rill__target_new(session, url, NULL);
    if (!target)
        return NULL;
    rill__target_unref(target);
    rill_interval interval;
    if (!opts->fn) {
        rill__fail(RILL_EINVAL, "every: there is no function to hand the responses to");
        return NULL;
    }
    if (rill_interval_init(&interval, seconds, opts->delay, opts->missed) < 0 ||
        rill_interval_jitter(&interval, opts->jitter) < 0)
        return NULL;
    size_t size = strlen(url) + 1;
    struct every *every = rill__alloc(sizeof *every + size);
    if (!every) {
        rill__fail_nomem();
        return NULL;
    }
    *every = (struct every){
        .session = session, .interval = interval, .fn = opts->fn, .state = opts->state
    };
    memcpy(every->url, url, size);
    return every;
}

rill_task rill_session_every_with(rill_session *session, double seconds, const char *url,
                                  const rill_session_every_opts *given)
{
    rill_session_every_opts opts;
    rill__opts_read(opts, given);
    struct every *every = make(session, seconds, url, &opts);
    if (!every)
        return (rill_task){ 0 };
    rill_task task = rill_spawn_with(run_every, &(rill_spawn_opts){
                                                    .size = sizeof(rill_spawn_opts),
                                                    .arg = every,
                                                    .name = opts.name ? opts.name : "every",
                                                    .file = opts.file,
                                                    .line = opts.line,
                                                });
    if (!task.id)
        rill__free(every);
    return task;
}

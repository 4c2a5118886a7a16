/*
 * Tasks that run by a cron rule.
 *
 * A job remembers a base, the moment up to which everything has been done, and asks when the rule
 * is due next after it. What was missed, and a clock that was set, only move the base.
 */
#include "schedule/cron.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "schedule/wall.h"
#include "server/server.h"

#include <rill/log.h>

/* A clock set back by more was wrong before; by less it may have been daylight saving, or somebody
 * who thinks so. That is Vixie's cron's limit. */
#define FOLD_NS (3 * 3600 * RILL__SECOND)
/* A clock set back by less is waited for in any case: no job runs twice for a correction. */
#define CORRECTION_NS (60 * RILL__SECOND)
/* What RILL_MISSED_DELAY takes for late. */
#define LATE_NS (60 * RILL__SECOND)

struct job {
    rill_cron_rule rule;
    rill_zone *zone;
    rill_task_fn *fn;
    void *arg;
    uint64_t jitter; /* ns */
    rill_missed missed;
    int64_t base;         /* seconds */
    const char *app_name; /* of a job of an application: its failures are logged under it */
};

static void free_job(struct job *job)
{
    rill_zone_free(job->zone);
    rill__free(job);
}

/* ---- waiting ---- */

static uint64_t ns_of(int64_t moment)
{
    return moment > 0 ? (uint64_t)moment * RILL__SECOND : 0;
}

static int64_t seconds_now(void)
{
    return (int64_t)(rill__wall_now() / RILL__SECOND);
}

static bool began_anew(struct job *job)
{
    uint64_t base = ns_of(job->base), now = rill__wall_now(), back = base > now ? base - now : 0;
    if (back <= (job->rule.repeats ? CORRECTION_NS : FOLD_NS))
        return false;
    job->base = seconds_now();
    return true;
}

static int find_next(const struct job *job, int64_t *ret_due)
{
    if (rill__cron_next(&job->rule, job->zone, job->base, ret_due) < 0)
        return rill__cron_never(job->base);
    return 0;
}

/* Waits until the rule is due, plus the jitter. */
static int wait_due(struct job *job, uint64_t shift, int64_t *ret_due)
{
    RILL__TRY(rill__yield("cron")); /* also when it is due already */
    RILL__TRY(find_next(job, ret_due));
    while (rill__wall_now() < ns_of(*ret_due) + shift) {
        RILL__TRY(rill__wall_wait(ns_of(*ret_due) + shift, "its next run"));
        if (began_anew(job))
            RILL__TRY(find_next(job, ret_due));
    }
    return 0;
}

/* Moves the base over the run that is due, and by policy over those that were missed. Returns
 * whether to run. */
static bool take_due(struct job *job, int64_t due, uint64_t shift)
{
    uint64_t now = rill__wall_now();
    int64_t next;
    job->base = due;
    switch (job->missed) {
    case RILL_MISSED_BURST:
        return true;
    case RILL_MISSED_DELAY:
        if (now - ns_of(due) - shift <= LATE_NS &&
            (rill__cron_next(&job->rule, job->zone, due, &next) < 0 || now < ns_of(next) + shift))
            return true;
        job->base = seconds_now();
        return false;
    case RILL_MISSED_SKIP:
        break;
    }
    job->base = seconds_now();
    return true;
}

/* ---- running ---- */

static int run_once(struct job *job)
{
    int rc = rill__call_apart(job->fn, job->arg);
    if (rc >= 0 || !job->app_name || rill_cancelled())
        return rc;
    rill_log(RILL_LOG_ERROR, "server", "background task '%s': %s", job->app_name,
             rill__error_words(rc));
    return 0;
}

static int run_job(struct job *job)
{
    job->base = seconds_now();
    for (;;) {
        int64_t due;
        uint64_t shift = rill__loop_jitter(job->jitter);
        RILL__TRY(wait_due(job, shift, &due));
        if (take_due(job, due, shift))
            RILL__TRY(run_once(job));
    }
}

static int run_cron(void *arg)
{
    struct job *job = arg;
    int rc = run_job(job);
    free_job(job);
    return rc;
}

/* ---- making ---- */

static int fill_job(struct job *job, const char *expression, const rill_cron_opts *opts)
{
    RILL__TRY(rill_cron_parse(expression, &job->rule));
    if (!(opts->jitter >= 0) || rill__seconds_ns(opts->jitter) == RILL__NEVER)
        return rill__fail(RILL_EINVAL, "cron '%.60s': a jitter of %g s is none", expression,
                          opts->jitter);
    job->zone = rill_zone_new(opts->zone);
    if (!job->zone)
        return rill__error_prefix("cron '%.60s': ", expression);
    if (!opts->fn)
        return rill__fail(RILL_EINVAL, "cron '%.60s': there is no function to run", expression);
    job->fn = opts->fn;
    job->arg = opts->arg;
    job->jitter = rill__seconds_ns(opts->jitter);
    job->missed = opts->missed;
    return 0;
}

/* NULL with the error made. */
static struct job *make_job(const char *expression, const rill_cron_opts *opts)
{
    struct job *job = rill__zalloc(sizeof *job);
    if (!job) {
        rill__fail_nomem();
        return NULL;
    }
    if (fill_job(job, expression, opts) < 0) {
        free_job(job);
        return NULL;
    }
    return job;
}

rill_task rill_cron_with(const char *expression, const rill_cron_opts *given)
{
    const rill_task none = { 0 };
    rill_cron_opts opts;
    rill__opts_read(opts, given);
    struct job *job = make_job(expression, &opts);
    if (!job)
        return none;
    rill_task task = rill_spawn_with(run_cron, &(rill_spawn_opts){
                                                   .size = sizeof(rill_spawn_opts),
                                                   .arg = job,
                                                   .name = opts.name ? opts.name : "cron",
                                                   .group = opts.group,
                                                   .stack = opts.stack,
                                                   .file = opts.file,
                                                   .line = opts.line,
                                               });
    if (!task.id)
        free_job(job);
    return task;
}

/* ---- of an application ---- */

/* What is registered: the job itself is made anew whenever the application starts. */
struct app_job {
    rill_cron_opts opts;
    char *expression;
};

static int run_app_job(void *arg)
{
    const struct app_job *app_job = arg;
    struct job *job = make_job(app_job->expression, &app_job->opts);
    if (!job)
        return rill_errcode();
    job->app_name = app_job->opts.name;
    return run_cron(job);
}

static char *copy(rill_app *app, const char *text)
{
    size_t size = strlen(text) + 1;
    char *memory = rill__app_alloc(app, size);
    return memory ? memcpy(memory, text, size) : NULL;
}

/* NULL when memory is short, or the texts make no job. */
static struct app_job *make_app_job(rill_app *app, const char *expression,
                                    const rill_cron_opts *opts)
{
    struct job *job = make_job(expression, opts);
    if (!job) {
        rill__app_mistake(app);
        return NULL;
    }
    free_job(job);
    struct app_job *app_job = rill__app_alloc(app, sizeof *app_job);
    if (!app_job)
        return NULL;
    app_job->opts = *opts;
    app_job->expression = copy(app, expression);
    app_job->opts.name = copy(app, opts->name ? opts->name : "cron");
    app_job->opts.zone = copy(app, opts->zone ? opts->zone : "local");
    if (!opts->arg)
        app_job->opts.arg = app;
    return app_job->expression && app_job->opts.name && app_job->opts.zone ? app_job : NULL;
}

void rill_app_cron_with(rill_app *app, const char *expression, const rill_cron_opts *given)
{
    rill_cron_opts opts;
    rill__opts_read(opts, given);
    struct app_job *app_job = app ? make_app_job(app, expression, &opts) : NULL;
    if (app_job)
        rill_app_background(app, run_app_job, .arg = app_job, .name = app_job->opts.name);
}

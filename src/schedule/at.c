/* A task that does something at a moment by the wall clock. */
#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"

#include <rill/schedule.h>

struct at {
    double when;
    rill_task_fn *fn;
    void *arg;
};

static int run_at(void *arg)
{
    struct at at = *(struct at *)arg;
    rill__free(arg);
    RILL__TRY(rill_sleep_until(at.when));
    return at.fn(at.arg);
}

rill_task rill_at_with(double when, rill_task_fn *fn, const rill_at_opts *given)
{
    rill_at_opts opts;
    rill__opts_read(opts, given);
    struct at *at = rill__alloc(sizeof *at);
    if (!at) {
        rill__fail_nomem();
        return (rill_task){ 0 };
    }
    *at = (struct at){ when, fn, opts.arg };
    rill_task task = rill_spawn_with(run_at, &(rill_spawn_opts){
                                                 .size = sizeof(rill_spawn_opts),
                                                 .arg = at,
                                                 .name = opts.name ? opts.name : "at",
                                                 .group = opts.group,
                                                 .stack = opts.stack,
                                                 .file = opts.file,
                                                 .line = opts.line,
                                             });
    if (!task.id)
        rill__free(at);
    return task;
}

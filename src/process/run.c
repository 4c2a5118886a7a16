/*
 * A program run to its end: one task writes its input, one reads each of its pipes, and the caller
 * waits for all of them and for the program.
 */
#include "process/process_internal.h"

#include "base/fail.h"
#include "base/opts.h"

#include <unistd.h>

#define LIMIT ((size_t)64 << 20)
#define CHUNK ((size_t)16 << 10)

struct work;

struct feed {
    struct work *work;
    rill_stream *stream;
    rill_str input;
};

struct drain {
    struct work *work;
    rill_stream *stream;
    rill__buf *to;
    size_t limit;
    const char *what;
};

struct work {
    rill_process *process;
    struct feed feed;
    struct drain drains[2];
    rill_group group;
    bool cut_short; /* one of the tasks was cancelled */
};

/* Without one of them the others would wait for ever, for a program that does so too. */
static int cut_short(struct work *work, int rc)
{
    if (rc == RILL_ECANCELED) {
        work->cut_short = true;
        rill_group_cancel(&work->group, NULL);
    }
    return rc;
}

/* A program need not read all of its input. */
static int feed(void *arg)
{
    const struct feed *feed = arg;
    int rc = rill_stream_write(feed->stream, feed->input.ptr, feed->input.len);
    if (rc == 0 || rc == RILL_ERESET)
        rc = rill_stream_shutdown(feed->stream);
    return cut_short(feed->work, rc);
}

static int too_much(const struct drain *drain)
{
    return rill__fail(RILL_ELIMIT, "%s: more than %zu bytes of %s", drain->work->process->name,
                      drain->limit, drain->what);
}

static int drain(void *arg)
{
    const struct drain *drain = arg;
    for (;;) {
        char *room = rill__buf_reserve(drain->to, CHUNK);
        if (!room)
            return rill__fail_nomem();
        ptrdiff_t n = rill_stream_read(drain->stream, room, CHUNK);
        if (n <= 0)
            return cut_short(drain->work, (int)n);
        if ((size_t)n > drain->limit - drain->to->len)
            return too_much(drain);
        rill__buf_commit(drain->to, (size_t)n);
    }
}

static int spawn_in(struct work *work, rill_task_fn *fn, void *arg, const char *name)
{
    rill_task task = rill_spawn(fn, arg, .group = &work->group, .name = name);
    return task.id ? 0 : rill_errcode();
}

static int begin(struct work *work)
{
    if (work->feed.stream)
        RILL__TRY(spawn_in(work, feed, &work->feed, "process input"));
    for (int i = 0; i < 2; i++)
        if (work->drains[i].stream)
            RILL__TRY(spawn_in(work, drain, &work->drains[i], "process output"));
    return rill__process_await(work->process);
}

static int work_to_the_end(rill_process *process, const rill_process_opts *opts)
{
    static const char *const names[] = { "output", "errors" };
    struct work work = { .process = process };
    size_t limit = opts->limit ? opts->limit : LIMIT;
    work.feed = (struct feed){ &work, process->streams[STDIN_FILENO], opts->input };
    for (int i = 0; i < 2; i++) {
        process->collected[i] = rill__buf_make(SIZE_MAX / 2);
        work.drains[i] = (struct drain){ &work, process->streams[STDOUT_FILENO + i],
                                         &process->collected[i], limit, names[i] };
    }
    RILL__TRY(rill_group_begin(&work.group));
    process->collectors = &work.group;
    int rc = rill_group_end(&work.group, begin(&work));
    process->collectors = NULL;
    rill__timer_cancel(&process->timer);
    if (process->timed_out)
        return rill__process_timed_out(process);
    return rc == 0 && work.cut_short ? rill__fail_canceled("run") : rc;
}

/* Fails with what went wrong, and the first line that the program has written about it. */
static int check(const rill_process *process)
{
    int rc = rill__process_outcome(process);
    rill_str said = rill_process_errors(process);
    size_t len = strcspn(said.ptr, "\n");
    if (rc == 0 || len == 0)
        return rc;
    int status = rill_last_error()->status;
    char what[sizeof rill_last_error()->message];
    memcpy(what, rill_last_error()->message, sizeof what);
    rill__fail(rc, "%s: %.*s", what, (int)(len < sizeof what ? len : sizeof what), said.ptr);
    return rill__error_status(status);
}

static void resolve(rill_process_opts *opts)
{
    if (!opts->stdin_)
        opts->stdin_ = opts->input.ptr ? RILL_PIPE : RILL_NULL;
    if (!opts->stdout_)
        opts->stdout_ = RILL_PIPE;
    if (!opts->stderr_)
        opts->stderr_ = RILL_PIPE;
    opts->new_group |= opts->stdin_ != RILL_INHERIT;
}

rill_process *rill_process_run_with(const rill_process_opts *given)
{
    rill_process_opts opts;
    rill__opts_read(opts, given);
    if (opts.input.ptr && opts.stdin_ && opts.stdin_ != RILL_PIPE) {
        rill__fail(RILL_EINVAL, "run: input is given, and another stdin");
        return NULL;
    }
    resolve(&opts);
    rill_process *process = rill__process_start(&opts, true);
    if (!process)
        return NULL;
    int rc = work_to_the_end(process, &opts);
    if (rc == 0 && opts.check)
        rc = check(process);
    if (rc == 0)
        return process;
    rill_process_free(process);
    return NULL;
}

rill_str rill_process_output(const rill_process *process)
{
    return rill__buf_str(&process->collected[0]);
}

rill_str rill_process_errors(const rill_process *process)
{
    return rill__buf_str(&process->collected[1]);
}

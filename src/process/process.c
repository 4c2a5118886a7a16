/*
 * Child processes: the life of one from its start to its end, and what becomes of it after that.
 *
 * A process is watched through its pidfd, which is readable once it has ended; so its status is
 * collected as soon as it is there, whether somebody waits or not, and no zombie stays. The one
 * exception is a process with a group of its own: while its number is taken, a signal to the group
 * of that number can reach nobody else.
 *
 * A process that is freed while it runs is killed and stays on the loop's list until it has ended.
 * At its own end the loop turns for those a little longer, but not for ever: a process in the midst
 * of a system call that does not end cannot be killed.
 */
#include "process/process_internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/source.h"

#include <errno.h>
#include <rill/log.h>
#include <rill/pipe.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* waitid's name for "the process behind this pidfd", which older headers lack. */
#define BY_PIDFD ((idtype_t)3)
#define GRACE_SECONDS 5
/* How often it is asked for the end of a process that has ended, but whose tracer looks first. */
#define AGAIN_NS (RILL__SECOND / 100)
/* How long a loop that ends waits for what it has killed. */
#define PATIENCE_NS RILL__SECOND

/* ---- signals ---- */

/* Whether the number is still that of our child, ended or not. */
static bool is_ours(const rill_process *process)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Returns 0, also when there is nobody left, or an errno. */
static int send_signal(const rill_process *process, int number)
{
    int rc = 0;
    if (process->own_group)
        rc = is_ours(process) ? kill(-process->pid, number) : 0;
    else if (!process->ended)
        rc = (int)syscall(SYS_pidfd_send_signal, process->pidfd, number, NULL, 0);
    return rc < 0 && errno != ESRCH ? errno : 0;
}

int rill_process_kill(rill_process *process, int signal_number)
{
    if (signal_number <= 0 || signal_number >= NSIG)
        return rill__fail(RILL_EINVAL, "kill %s: %d is no signal", process->name, signal_number);
    int error = send_signal(process, signal_number);
    return error ? rill__fail_errno(RILL_EOS, error, "kill %s", process->name) : 0;
}

/* ---- the end of one ---- */

static void destroy(rill_process *process)
{
    rill__free(process);
}

/* It has ended and was freed: nothing but the memory is left, for those who still wait. */
static void bury(rill_process *process)
{
    if (process->own_group) {
        siginfo_t info;
        send_signal(process, SIGKILL);
        waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG);
    }
    rill__list_remove(&process->link);
    process->buried = true;
    if (process->users == 0)
        destroy(process);
}

static void tell_waiters(rill_process *process, int result)
{
    for (rill__waiter *waiter; (waiter = rill__waitq_first(&process->waiters));)
        rill__waiter_finish(waiter, result);
}

static void unwatch(rill_process *process)
{
    rill__driver *driver = rill__loop_driver();
    rill__timer_cancel(&process->again);
    if (process->end.pending)
        driver->ops->cancel(driver, &process->end);
    rill__io_close(&process->handle);
}

static void close_pidfd(rill_process *process)
{
    if (process->pidfd >= 0)
        close(process->pidfd);
    process->pidfd = -1;
}

static void note_status(rill_process *process, const siginfo_t *info)
{
    process->status = info->si_code == CLD_EXITED ? info->si_status : -1;
    process->signal = info->si_code == CLD_EXITED ? 0 : info->si_status;
    process->core_dumped = info->si_code == CLD_DUMPED;
}

static void end(rill_process *process)
{
    unwatch(process);
    close_pidfd(process);
    process->ended = true;
    /* Those it leaves in its group are still to be stopped, and its pipes may be in their hands. */
    if (!process->collects && !(process->stopping && process->own_group))
        rill__timer_cancel(&process->timer);
    tell_waiters(process, 0);
    if (process->freed)
        bury(process);
}

/* Returns false when its end cannot be collected yet. */
static bool collect(rill_process *process)
{
    siginfo_t info = { 0 };
    int keep = process->own_group ? WNOWAIT : 0;
    int rc;
    do
        rc = waitid(BY_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG | keep);
    while (rc < 0 && errno == EINTR);
    if (rc == 0 && info.si_pid == 0)
        return false;
    process->unknown = rc < 0;
    if (rc == 0)
        note_status(process, &info);
    return true;
}

static void look(rill_process *process)
{
    if (process->pidfd < 0) /* it was gone before we could look */
        process->unknown = true;
    else if (!collect(process)) {
        process->again.deadline = rill__after(rill__loop_now(), AGAIN_NS);
        rill__timer_set(&process->again);
        return;
    }
    end(process);
}

static void look_again(rill__timer *timer)
{
    look(rill__container(timer, rill_process, again));
}

static void pidfd_is_readable(rill__op *op)
{
    look(rill__container(op, rill_process, end));
}

/* ---- its time ---- */

static void set_timer(rill_process *process, double seconds)
{
    rill__driver *driver = rill__loop_driver();
    rill__timer_cancel(&process->timer);
    if (seconds == RILL_FOREVER)
        return;
    process->timer.deadline =
        rill__after(driver->ops->now(driver), rill__seconds_ns(seconds < 0 ? 0 : seconds));
    rill__timer_set(&process->timer);
}

static void begin_to_stop(rill_process *process, double grace)
{
    process->stopping = true;
    send_signal(process, SIGTERM);
    send_signal(process, SIGCONT); /* one that is stopped would not hear of it */
    set_timer(process, grace);
}

static void time_is_up(rill__timer *timer)
{
    rill_process *process = rill__container(timer, rill_process, timer);
    if (!process->stopping) {
        process->timed_out = true;
        begin_to_stop(process, process->grace);
        return;
    }
    send_signal(process, SIGKILL);
    if (process->collectors) /* what they read from may be in the hands of one who got away */
        rill_group_cancel(process->collectors, "the time was up");
}

/* ---- those of a loop ---- */

struct processes {
    rill__loop_part part;
    rill__list all;
};

static const char processes_kind;

/* Turns for those who were killed and have not ended yet. */
static void await_killed(struct processes *processes)
{
    rill__driver *driver = rill__loop_driver();
    uint64_t now = driver->ops->now(driver), limit = now + PATIENCE_NS;
    for (; now < limit; now = driver->ops->now(driver)) {
        bool some = false;
        rill__list_each(node, &processes->all)
            some |= rill__container(node, rill_process, link)->freed;
        if (!some || driver->ops->poll(driver, limit - now) < 0)
            return;
    }
}

static void outlive(rill_process *process)
{
    unwatch(process);
    rill__timer_cancel(&process->timer);
    rill__list_remove(&process->link);
    process->outlived = true;
    if (!process->freed)
        return;
    rill_log(RILL_LOG_WARN, "process", "%s (pid %d) was killed and has not ended", process->name,
             (int)process->pid);
    close_pidfd(process);
    destroy(process);
}

static void free_processes(rill__loop_part *part)
{
    struct processes *processes = (struct processes *)part;
    await_killed(processes);
    rill__list_each(node, &processes->all)
        outlive(rill__container(node, rill_process, link));
    rill__free(processes);
}

static struct processes *loop_processes(void)
{
    struct processes *processes = (struct processes *)rill__loop_part_get(&processes_kind);
    if (processes)
        return processes;
    processes = rill__zalloc(sizeof *processes);
    if (!processes) {
        rill__fail_nomem();
        return NULL;
    }
    rill__list_init(&processes->all);
    rill__loop_part_add(&processes->part, &processes_kind, free_processes);
    return processes;
}

/* ---- starting ---- */

static rill_process *new_process(const rill_process_opts *opts)
{
    rill_process *process = rill__zalloc(sizeof *process);
    if (!process) {
        rill__fail_nomem();
        return NULL;
    }
    const char *slash = strrchr(opts->argv[0], '/');
    snprintf(process->name, sizeof process->name, "%s", slash ? slash + 1 : opts->argv[0]);
    process->handle.fd = process->pidfd = -1;
    process->status = -1;
    process->own_group = opts->new_group || opts->new_session;
    process->timeout = opts->timeout;
    process->grace = opts->grace != 0 ? opts->grace : GRACE_SECONDS;
    process->timer.fire = time_is_up;
    process->again.fire = look_again;
    process->end = (rill__op){ .kind = RILL__OP_READABLE,
                               .handle = &process->handle,
                               .done = pidfd_is_readable };
    rill__waitq_init(&process->waiters);
    return process;
}

static void free_streams(rill_process *process)
{
    for (int i = 0; i < 3; i++)
        rill_stream_free(rill_take(process->streams[i]));
    for (int i = 0; i < 2; i++)
        rill__buf_free(&process->collected[i]);
}

/* Waits for the end of one that was killed, without the loop. */
static void await_end(rill_process *process)
{
    siginfo_t info;
    int rc;
    do
        rc = waitid(BY_PIDFD, (id_t)process->pidfd, &info, WEXITED);
    while (rc < 0 && errno == EINTR);
    close_pidfd(process);
}

/* The driver cannot watch it, so nothing can be done with it. */
static int give_up(rill_process *process)
{
    send_signal(process, SIGKILL);
    await_end(process);
    return rill_errcode();
}

static int launch(rill_process *process, const rill_process_opts *opts)
{
    rill__launch launch;
    int rc = rill__launch_begin(&launch, opts, process->streams, process->name);
    if (rc == 0)
        rc = rill__launch_start(&launch);
    rill__launch_end(&launch);
    RILL__TRY(rc);
    process->pid = launch.pid;
    process->pidfd = launch.pidfd;
    if (process->pidfd >= 0 && rill__io_adopt(&process->handle, process->pidfd) < 0)
        return give_up(process);
    process->handle.foreign = true; /* it is closed by us, perhaps after the loop */
    return 0;
}

static void watch(rill_process *process)
{
    if (process->timeout > 0)
        set_timer(process, process->timeout);
    if (process->pidfd < 0 || rill__submit(rill__loop_driver(), &process->end))
        look(process);
}

rill_process *rill__process_start(const rill_process_opts *opts, bool collects)
{
    if (rill__checkpoint("start") < 0)
        return NULL;
    if (!opts->argv || !opts->argv[0] || !opts->argv[0][0]) {
        rill__fail(RILL_EINVAL, "start: no program is named");
        return NULL;
    }
    struct processes *processes = loop_processes();
    rill_process *process = processes ? new_process(opts) : NULL;
    if (!process)
        return NULL;
    if (launch(process, opts) < 0) {
        free_streams(process);
        destroy(process);
        return NULL;
    }
    process->collects = collects;
    rill__list_append(&processes->all, &process->link);
    rill__born(&process->birth, "process", process->name, opts->file, opts->line);
    watch(process);
    return process;
}

rill_process *rill_process_start_with(const rill_process_opts *given)
{
    rill_process_opts opts;
    rill__opts_read(opts, given);
    if (!opts.input.ptr && !opts.limit && !opts.check)
        return rill__process_start(&opts, false);
    rill__fail(RILL_EINVAL, "start: input, limit and check are rill_process_run's");
    return NULL;
}

/* ---- freeing ---- */

/* No loop will tell when it has ended: but it was killed. */
static void end_without_loop(rill_process *process)
{
    if (process->pidfd >= 0)
        await_end(process);
    bury(process);
}

void rill_process_free(rill_process *process)
{
    if (!process || process->freed)
        return;
    process->freed = true;
    rill__died(&process->birth);
    tell_waiters(process, RILL_ECLOSED);
    free_streams(process);
    if (!process->outlived)
        rill__timer_cancel(&process->timer);
    if (!process->ended)
        send_signal(process, SIGKILL);
    if (process->outlived)
        end_without_loop(process);
    else if (process->ended)
        bury(process);
}

/* ---- waiting ---- */

int rill__process_timed_out(const rill_process *process)
{
    return rill__fail(RILL_ETIMEDOUT, "%s: no end within %g s", process->name, process->timeout);
}

static int killed(const rill_process *process)
{
    const char *core = process->core_dumped ? " (core dumped)" : "";
    const char *name = sigabbrev_np(process->signal);
    if (name)
        return rill__fail(RILL_EEXIT, "%s: killed by SIG%s%s", process->name, name, core);
    return rill__fail(RILL_EEXIT, "%s: killed by signal %d%s", process->name, process->signal,
                      core);
}

int rill__process_outcome(const rill_process *process)
{
    if (process->timed_out)
        return rill__process_timed_out(process);
    if (process->unknown)
        return rill__fail(RILL_EEXIT, "%s: exit status unknown: another part of the program has it",
                          process->name);
    if (process->signal)
        return killed(process);
    if (process->status == 0)
        return 0;
    rill__fail(RILL_EEXIT, "%s: exit status %d", process->name, process->status);
    return rill__error_status(process->status);
}

/* Waits, and asks how it ended while it is sure to be there. */
static int await_and_ask(rill_process *process, int (*ask)(const rill_process *process))
{
    RILL__TRY(rill__checkpoint("wait for a process"));
    if (!process->ended && process->outlived)
        return rill__fail(RILL_ECLOSED, "wait for %s: its loop has ended", process->name);
    process->users++;
    int rc = 0;
    if (!process->ended) {
        rill__waits_for(RILL__SUBJECT_TEXT, process->name);
        rc = rill__waitq_wait(&process->waiters, "the process");
    }
    if (rc == RILL_ECLOSED)
        rill__fail(rc, "wait for %s: it was freed", process->name);
    if (rc == 0 && ask)
        rc = ask(process);
    if (--process->users == 0 && process->buried)
        destroy(process);
    return rc;
}

int rill__process_await(rill_process *process)
{
    return await_and_ask(process, NULL);
}

int rill_process_wait(rill_process *process)
{
    return await_and_ask(process, rill__process_outcome);
}

int rill_process_stop(rill_process *process, double grace)
{
    RILL__TRY(rill__checkpoint("stop a process"));
    if (!process->ended && !process->outlived)
        begin_to_stop(process, grace != 0 ? grace : process->grace);
    return rill__process_await(process);
}

/* ---- select ---- */

static int attempt_end(rill_case *self)
{
    return ((rill_process *)self->subject)->ended ? 0 : RILL_EAGAIN;
}

static void enter_end(rill_case *self)
{
    rill__case_enter(self, &((rill_process *)self->subject)->waiters);
}

static int fail_end(const rill_case *self, int result)
{
    (void)self;
    return rill__fail(result, "select: the process was freed");
}

rill_case rill_case_process(rill_process *process)
{
    static const rill__source source = {
        .attempt = attempt_end,
        .enter = enter_end,
        .fail = fail_end,
    };
    return process ? rill__case(&source, process, NULL) : rill__case_never();
}

/* ---- what it says of itself ---- */

rill_stream *rill_process_stdin(const rill_process *process)
{
    return process->streams[STDIN_FILENO];
}

rill_stream *rill_process_stdout(const rill_process *process)
{
    return process->streams[STDOUT_FILENO];
}

rill_stream *rill_process_stderr(const rill_process *process)
{
    return process->streams[STDERR_FILENO];
}

int rill_process_pid(const rill_process *process)
{
    return process->pid;
}

bool rill_process_ended(const rill_process *process)
{
    return process->ended;
}

int rill_process_status(const rill_process *process)
{
    return process->status;
}

int rill_process_signal(const rill_process *process)
{
    return process->signal;
}

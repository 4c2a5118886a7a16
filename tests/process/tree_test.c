/* Ending processes: signals, grace, whole groups, and what becomes of those that are freed. */
#include "in_loop.h"

#include <rill/log.h>
#include <stdlib.h>

/* Starts a shell that says a number, of a child of its own or itself. */
static rill_process *start_and_read(const char *script, bool new_group, int *ret_number)
{
    char text[30] = "";
    rill_process *process =
        rill_process_start(SH(script), .stdout_ = RILL_PIPE, .new_group = new_group);
    if (process)
        CHECK(rill_stream_read(rill_process_stdout(process), text, sizeof text - 1) > 0);
    *ret_number = (int)strtol(text, NULL, 10);
    return process;
}

/* ---- signals ---- */

TASK_TEST(a_signal_is_sent)
{
    rill_auto(rill_process) process = rill_process_start(RILL_ARGV("sleep", "100"));
    CHECK_INT(rill_process_kill(process, SIGTERM), 0);
    CHECK_INT(rill_process_wait(process), RILL_EEXIT);
    CHECK_STR(rill_last_error()->message, "sleep: killed by SIGTERM");
    CHECK_INT(rill_process_kill(process, SIGTERM), 0);
    CHECK_INT(rill_process_kill(process, 0), RILL_EINVAL);
    CHECK_INT(rill_process_kill(process, 1000), RILL_EINVAL);
}

TASK_TEST(a_signal_that_it_handles_does_not_end_it)
{
    int ready;
    rill_auto(rill_process) process =
        start_and_read("trap 'echo 2' USR1; echo 1; sleep 0.02; sleep 0.02", false, &ready);
    CHECK_INT(rill_process_kill(process, SIGUSR1), 0);
    CHECK_INT(rill_process_wait(process), 0);
}

TASK_TEST(without_a_group_its_children_are_not_reached)
{
    int child;
    rill_auto(rill_process) process = start_and_read("sleep 100 & echo $!; wait", false, &child);
    CHECK_INT(rill_process_kill(process, SIGKILL), 0);
    CHECK_INT(rill_process_wait(process), RILL_EEXIT);
    CHECK(is_alive(child));
    kill(child, SIGKILL);
}

/* ---- groups ---- */

TASK_TEST(a_signal_goes_to_the_whole_group)
{
    int child;
    rill_auto(rill_process) process = start_and_read("sleep 100 & echo $!; wait", true, &child);
    CHECK_INT(getpgid(rill_process_pid(process)), rill_process_pid(process));
    CHECK_INT(getpgid(child), rill_process_pid(process));
    CHECK_INT(rill_process_kill(process, SIGTERM), 0);
    CHECK_INT(rill_process_wait(process), RILL_EEXIT);
    CHECK(goes_away(child));
    CHECK_INT(rill_process_kill(process, SIGTERM), 0);
}

TASK_TEST(a_group_is_reached_after_its_first_process_has_ended)
{
    int child;
    rill_auto(rill_process) process = start_and_read("sleep 100 & echo $!", true, &child);
    CHECK_INT(rill_process_wait(process), 0);
    CHECK(is_alive(child));
    CHECK(has_children()); /* its number stays taken */
    CHECK_INT(rill_process_kill(process, SIGTERM), 0);
    CHECK(goes_away(child));
}

TASK_TEST(freeing_kills_the_group)
{
    int child, other;
    rill_process *running = start_and_read("sleep 100 & echo $!; wait", true, &child);
    rill_process *ended = start_and_read("sleep 100 & echo $!", true, &other);
    CHECK_INT(rill_process_wait(ended), 0);
    rill_process_free(running);
    rill_process_free(ended);
    CHECK(goes_away(child));
    CHECK(goes_away(other));
}

TASK_TEST(a_number_that_somebody_else_has_freed_is_not_signalled)
{
    rill_auto(rill_process) process = rill_process_start(RILL_ARGV("true"), .new_group = true);
    CHECK_INT(rill_process_wait(process), 0);
    waitpid(rill_process_pid(process), NULL, 0);
    CHECK_INT(rill_process_kill(process, SIGTERM), 0);
}

TASK_TEST(a_session_has_no_terminal_and_is_a_group)
{
    int child;
    rill_auto(rill_process) process =
        rill_process_start(RILL_ARGV("sleep", "100"), .new_session = true);
    child = rill_process_pid(process);
    CHECK_INT(getsid(child), child);
    CHECK_INT(getpgid(child), child);
    rill_auto(rill_process) plain = rill_process_start(RILL_ARGV("sleep", "100"));
    CHECK_INT(getpgid(rill_process_pid(plain)), getpgid(0));
}

/* ---- time ---- */

TASK_TEST(when_its_time_is_up_it_is_asked_to_end)
{
    rill_auto(rill_process) process =
        rill_process_start(RILL_ARGV("sleep", "100"), .timeout = 0.02);
    CHECK_INT(rill_process_wait(process), RILL_ETIMEDOUT);
    CHECK_STR(rill_last_error()->message, "sleep: no end within 0.02 s");
    CHECK_INT(rill_process_signal(process), SIGTERM);
    rill_auto(rill_process) fast = rill_process_start(RILL_ARGV("true"), .timeout = 0.02);
    CHECK_INT(rill_process_wait(fast), 0);
    rill_sleep(0.03);
    CHECK_INT(rill_process_wait(fast), 0);
}

TASK_TEST(one_that_does_not_listen_is_killed_after_its_grace)
{
    double start = rill_now();
    rill_auto(rill_process) process = rill_process_start(
        SH("trap '' TERM; while :; do sleep 0.01; done"), .timeout = 0.03, .grace = 0.05);
    CHECK_INT(rill_process_wait(process), RILL_ETIMEDOUT);
    CHECK_INT(rill_process_signal(process), SIGKILL);
    CHECK(rill_now() - start >= 0.08);
}

/* In its group something is left that does not listen, when the first process has ended. */
TASK_TEST(grace_ends_for_the_rest_of_the_group_too)
{
    int child;
    rill_auto(rill_process) process =
        rill_process_start(SH("(trap '' TERM; while :; do sleep 0.01; done) & echo $!; wait"),
                           .stdout_ = RILL_PIPE, .new_group = true, .timeout = 0.05, .grace = 0.05);
    char text[30] = "";
    CHECK(rill_stream_read(rill_process_stdout(process), text, sizeof text - 1) > 0);
    child = (int)strtol(text, NULL, 10);
    CHECK_INT(rill_process_wait(process), RILL_ETIMEDOUT);
    CHECK_INT(rill_process_signal(process), SIGTERM);
    CHECK(is_alive(child));
    CHECK(goes_away(child));
}

TASK_TEST(a_stopped_process_hears_of_it)
{
    rill_auto(rill_process) process = rill_process_start(RILL_ARGV("sleep", "100"));
    CHECK_INT(rill_process_kill(process, SIGSTOP), 0);
    CHECK_INT(rill_process_stop(process, 100), 0);
    CHECK_INT(rill_process_signal(process), SIGTERM);
}

TASK_TEST(stop_ends_it_politely_or_not)
{
    int ready;
    rill_auto(rill_process) polite =
        start_and_read("trap 'exit 5' TERM; echo 1; while :; do sleep 0.01; done", false, &ready);
    CHECK_INT(rill_process_stop(polite, 100), 0);
    CHECK_INT(rill_process_status(polite), 5);
    CHECK_INT(rill_process_stop(polite, 100), 0);
    rill_auto(rill_process) stubborn =
        start_and_read("trap '' TERM; echo 1; while :; do sleep 0.01; done", false, &ready);
    CHECK_INT(rill_process_stop(stubborn, 0.02), 0);
    CHECK_INT(rill_process_signal(stubborn), SIGKILL);
    CHECK_INT(rill_process_wait(stubborn), RILL_EEXIT);
}

static int stop_for(void *process)
{
    return rill_process_stop(process, 0.03);
}

TASK_TEST(a_cancelled_stop_goes_on_by_itself)
{
    int ready;
    rill_auto(rill_process) stubborn =
        start_and_read("trap '' TERM; echo 1; while :; do sleep 0.01; done", false, &ready);
    CHECK_INT(rill_within(0, stop_for, stubborn), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0.01, stop_for, stubborn), RILL_ETIMEDOUT);
    CHECK(!rill_process_ended(stubborn));
    CHECK_INT(rill_process_wait(stubborn), RILL_EEXIT);
    CHECK_INT(rill_process_signal(stubborn), SIGKILL);
}

/* ---- freeing ---- */

TASK_TEST(the_loop_collects_what_was_freed)
{
    rill_process *process = rill_process_start(RILL_ARGV("sleep", "100"));
    int pid = rill_process_pid(process);
    rill_process_free(process);
    CHECK(goes_away(pid));
    for (int i = 0; has_children() && i < 500; i++)
        rill_sleep(0.002);
    CHECK(!has_children());
}

static rill_process *kept;

static int wait_for_kept(void *arg)
{
    (void)arg;
    return rill_process_wait(kept) == RILL_ECLOSED && rill_process_stop(kept, 1) == RILL_ECLOSED
               ? 0
               : 1;
}

/* Streams of a loop that has ended are closed by nobody, so this one has none. */
static int keep_plain(void *arg)
{
    (void)arg;
    kept = rill_process_start(RILL_ARGV("sleep", "100"), .timeout = 100);
    rill_process_free(rill_process_start(RILL_ARGV("sleep", "100")));
    return 0;
}

TEST(a_process_may_be_freed_after_its_loop)
{
    CHECK_INT(rill_run(keep_plain, NULL), 0);
    CHECK(is_alive(rill_process_pid(kept)));
    CHECK_INT(rill_run(wait_for_kept, NULL), 0);
    rill_process_free(kept);
    CHECK(!has_children());
}

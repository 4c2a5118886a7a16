/* Programs run to their end: input, output, limits, and what ends them early. */
#include "in_loop.h"

#include "base/alloc.h"
#include "runtime/runtime.h"

#include <stdlib.h>

#define MUCH ((size_t)10 << 20)

static void check_output(const rill_process *process, const char *output, const char *errors)
{
    REQUIRE(process);
    CHECK_STR(rill_process_output(process).ptr, output);
    CHECK_INT(rill_process_output(process).len, strlen(output));
    CHECK_STR(rill_process_errors(process).ptr, errors);
}

/* ---- what it gives ---- */

TASK_TEST(output_errors_and_status_are_collected)
{
    rill_auto(rill_process) process = rill_process_run(SH("echo out; echo err >&2; exit 3"));
    check_output(process, "out\n", "err\n");
    CHECK(rill_process_ended(process));
    CHECK_INT(rill_process_status(process), 3);
    CHECK_INT(rill_process_wait(process), RILL_EEXIT);
    CHECK_STR(rill_last_error()->message, "sh: exit status 3");

    rill_auto(rill_process) silent = rill_process_run(RILL_ARGV("true"));
    check_output(silent, "", "");
    CHECK_INT(rill_process_wait(silent), 0);
}

TASK_TEST(input_is_given)
{
    rill_auto(rill_process) sort =
        rill_process_run(RILL_ARGV("sort"), .input = RILL_STR("b\na\n"), .check = true);
    check_output(sort, "a\nb\n", "");
    rill_auto(rill_process) nothing = rill_process_run(RILL_ARGV("cat"));
    check_output(nothing, "", "");
    rill_auto(rill_process) empty = rill_process_run(RILL_ARGV("cat"), .input = RILL_STR(""));
    check_output(empty, "", "");
    rill_auto(rill_process) none = rill_process_run(RILL_ARGV("cat"), .stdin_ = RILL_PIPE);
    check_output(none, "", "");
}

TASK_TEST(a_program_need_not_read_its_input)
{
    char *much = calloc(1, MUCH);
    rill_auto(rill_process) head =
        rill_process_run(RILL_ARGV("head", "-c", "1"), .input = { much, MUCH });
    CHECK(head);
    CHECK_INT(rill_process_wait(head), 0);
    CHECK_INT(rill_process_output(head).len, 1);
    rill_auto(rill_process) none = rill_process_run(RILL_ARGV("true"), .input = { much, MUCH });
    CHECK_INT(rill_process_wait(none), 0);
    free(much);
}

TASK_TEST(much_goes_through_all_pipes_at_once)
{
    char *much = malloc(MUCH);
    memset(much, 'x', MUCH);
    rill_auto(rill_process) tee =
        rill_process_run(RILL_ARGV("tee", "/dev/stderr"), .input = { much, MUCH });
    REQUIRE(tee);
    CHECK_INT(rill_process_wait(tee), 0);
    CHECK_INT(rill_process_output(tee).len, MUCH);
    CHECK_INT(rill_process_errors(tee).len, MUCH);
    CHECK(memcmp(rill_process_output(tee).ptr, much, MUCH) == 0);
    free(much);
}

TASK_TEST(errors_may_be_merged_or_dropped)
{
    rill_auto(rill_process) merged =
        rill_process_run(SH("echo out; echo err >&2"), .stderr_ = RILL_MERGE);
    check_output(merged, "out\nerr\n", "");
    rill_auto(rill_process) dropped =
        rill_process_run(SH("echo out; echo err >&2"), .stderr_ = RILL_NULL);
    check_output(dropped, "out\n", "");
}

TASK_TEST(check_fails_with_the_first_line_of_the_errors)
{
    CHECK(!rill_process_run(SH("echo bad luck >&2; echo more >&2; exit 9"), .check = true));
    CHECK_INT(rill_errcode(), RILL_EEXIT);
    CHECK_STR(rill_last_error()->message, "sh: exit status 9: bad luck");
    CHECK_INT(rill_last_error()->status, 9);
    CHECK(!rill_process_run(SH("kill -9 $$"), .check = true));
    CHECK_STR(rill_last_error()->message, "sh: killed by SIGKILL");
    CHECK(!rill_process_run(SH("yes 0123456789 | head -n 200 | tr -d '\\n' >&2; exit 1"),
                            .check = true));
    CHECK_CONTAINS(rill_last_error()->message, "sh: exit status 1: 01234567890");
    CHECK_CONTAINS(rill_last_error()->message, "...");
}

TASK_TEST(output_is_collected_that_children_of_it_write_later)
{
    rill_auto(rill_process) process = rill_process_run(SH("(sleep 0.03; echo late) & echo early"));
    check_output(process, "early\nlate\n", "");
}

/* ---- limits ---- */

TASK_TEST(the_limit_holds_on_both_sides)
{
    rill_auto(rill_process) fits =
        rill_process_run(SH("printf 12345; printf 67890 >&2"), .limit = 5);
    check_output(fits, "12345", "67890");
    CHECK(!rill_process_run(SH("printf 123456"), .limit = 5));
    CHECK_INT(rill_errcode(), RILL_ELIMIT);
    CHECK_STR(rill_last_error()->message, "sh: more than 5 bytes of output");
    CHECK(!rill_process_run(SH("printf 123456 >&2"), .limit = 5));
    CHECK_STR(rill_last_error()->message, "sh: more than 5 bytes of errors");
}

TASK_TEST(a_program_without_end_meets_the_limit)
{
    CHECK(!rill_process_run(RILL_ARGV("yes"), .limit = 1 << 20));
    CHECK_INT(rill_errcode(), RILL_ELIMIT);
}

/* ---- what ends it early ---- */

TASK_TEST(its_time_is_limited)
{
    double start = rill_now();
    CHECK(!rill_process_run(RILL_ARGV("sleep", "100"), .timeout = 0.02));
    CHECK_INT(rill_errcode(), RILL_ETIMEDOUT);
    CHECK_STR(rill_last_error()->message, "sleep: no end within 0.02 s");
    CHECK(rill_now() - start < 5);
    rill_auto(rill_process) fast = rill_process_run(RILL_ARGV("true"), .timeout = 100);
    CHECK_INT(rill_process_wait(fast), 0);
}

/* The shell's child has the pipes, and must go as well. */
TASK_TEST(its_children_are_ended_with_it)
{
    double start = rill_now();
    CHECK(!rill_process_run(SH("sleep 100; true"), .timeout = 0.02));
    CHECK_INT(rill_errcode(), RILL_ETIMEDOUT);
    CHECK(!rill_process_run(SH("sleep 100 & exit 0"), .timeout = 0.02));
    CHECK_INT(rill_errcode(), RILL_ETIMEDOUT);
    CHECK(!rill_process_run(SH("trap '' TERM; sleep 100; true"), .timeout = 0.02, .grace = 0.02));
    CHECK_INT(rill_errcode(), RILL_ETIMEDOUT);
    CHECK(rill_now() - start < 5);
}

/* Whoever has left the group cannot be reached, but does not hold us up either. */
TASK_TEST(one_that_got_away_is_not_waited_for)
{
    double start = rill_now();
    CHECK(!rill_process_run(SH("setsid sleep 2 & sleep 100"), .timeout = 0.05, .grace = 0.02));
    CHECK_INT(rill_errcode(), RILL_ETIMEDOUT);
    CHECK(rill_now() - start < 1.5);
}

static int run_sleep(void *arg)
{
    (void)arg;
    rill_process *process = rill_process_run(SH("sleep 100; true"));
    CHECK(!process);
    rill_process_free(process);
    return rill_errcode();
}

TASK_TEST(a_cancelled_run_is_killed)
{
    CHECK_INT(rill_within(0.02, run_sleep, NULL), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0, run_sleep, NULL), RILL_ETIMEDOUT);
    rill_task task = rill_spawn(run_sleep, NULL);
    rill_sleep(0.02);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    for (int i = 0; i < 20; i++) {
        task = rill_spawn(run_sleep, NULL);
        for (int turns = 0; turns < i; turns++)
            rill_sleep(0);
        rill_cancel(task);
        CHECK_INT(rill_join(task), RILL_ECANCELED);
    }
}

struct sweep {
    unsigned long cancel_at, points;
    int rc;
};

static int run_cat(void *arg)
{
    struct sweep *sweep = arg;
    *rill__loop_sweep() = (rill__sweep){ .cancel_at = sweep->cancel_at };
    rill_auto(rill_process) cat = rill_process_run(RILL_ARGV("cat"), .input = RILL_STR("hello"));
    sweep->points = rill__loop_sweep()->points;
    rill__loop_sweep()->cancel_at = 0;
    sweep->rc = cat ? 0 : rill_errcode();
    if (cat)
        check_output(cat, "hello", "");
    return 0;
}

/* One of its tasks is cancelled, at each place where it may have to wait. */
TEST(a_run_that_is_cancelled_anywhere_leaves_nothing)
{
    struct sweep whole = { 0 };
    CHECK_INT(rill_run(run_cat, &whole), 0);
    CHECK(whole.points > 5);
    unsigned long cancelled = 0;
    for (unsigned long at = 1; at <= whole.points + 5; at++) {
        struct sweep sweep = { .cancel_at = at };
        CHECK_INT(rill_run(run_cat, &sweep), 0);
        CHECK(sweep.rc == 0 || sweep.rc == RILL_ECANCELED);
        cancelled += sweep.rc < 0;
        CHECK(!has_children());
    }
    CHECK(cancelled > 3);
}

TASK_TEST(what_contradicts_itself_is_refused)
{
    CHECK(!rill_process_run(RILL_ARGV("cat"), .input = RILL_STR("x"), .stdin_ = RILL_NULL));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_process_run(RILL_ARGV("nosuch")));
    CHECK_INT(rill_errcode(), RILL_ENOTFOUND);
    CHECK(!rill_process_run_with(NULL));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
}

TASK_TEST(without_memory_it_fails_and_leaves_nothing)
{
    rill_auto(rill_process) first = rill_process_run(RILL_ARGV("true"));
    CHECK(first);
    int failed = 0;
    for (unsigned long i = 1; i < 60; i++) {
        rill__alloc_fail_at = rill__alloc_count + i;
        rill_process *process = rill_process_run(RILL_ARGV("cat"), .input = RILL_STR("hello"));
        rill__alloc_fail_at = 0;
        if (process) {
            check_output(process, "hello", "");
            rill_process_free(process);
            break;
        }
        CHECK_INT(rill_errcode(), RILL_ENOMEM);
        failed++;
    }
    CHECK(failed >= 6 && failed < 59);
}

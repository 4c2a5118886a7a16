/* SIGINT and SIGTERM end a program in order; the second one at once. */
#include "child.h"
#include "in_task.h"

static int kill_and_sleep(int number)
{
    raise(number);
    return rill_sleep(10);
}

static int interrupted(void *arg)
{
    int rc = kill_and_sleep(*(int *)arg);
    fprintf(stderr, "reason %s\n", rill_cancel_reason());
    return rc;
}

static int run_interrupted(void)
{
    return rill_run(interrupted, &(int){ SIGINT });
}

static int run_terminated(void)
{
    return rill_run(interrupted, &(int){ SIGTERM });
}

TEST(sigint_cancels_the_first_task_and_gives_130)
{
    struct child child = run_in_child(run_interrupted);
    CHECK(WIFEXITED(child.status));
    CHECK_INT(WEXITSTATUS(child.status), 130);
    CHECK_STR(child.said, "reason SIGINT\n");
}

TEST(sigterm_cancels_the_first_task_and_gives_143)
{
    struct child child = run_in_child(run_terminated);
    CHECK(WIFEXITED(child.status));
    CHECK_INT(WEXITSTATUS(child.status), 143);
    CHECK_STR(child.said, "reason SIGTERM\n");
}

static int stop_in_order(void *arg)
{
    kill_and_sleep(*(int *)arg);
    return 0;
}

static int run_in_order(void)
{
    return rill_run(stop_in_order, &(int){ SIGINT });
}

TEST(a_program_that_ends_in_order_keeps_its_own_status)
{
    struct child child = run_in_child(run_in_order);
    CHECK(WIFEXITED(child.status));
    CHECK_INT(WEXITSTATUS(child.status), 0);
}

static int signal_twice(void *arg)
{
    (void)arg;
    raise(SIGTERM);
    rill_sleep(0.01);
    fprintf(stderr, "after the first\n");
    raise(SIGINT);
    fprintf(stderr, "after the second\n");
    return 0;
}

static int run_signal_twice(void)
{
    return rill_run(signal_twice, NULL);
}

TEST(a_second_signal_ends_the_process_at_once)
{
    struct child child = run_in_child(run_signal_twice);
    CHECK(died_of(&child, SIGINT));
    CHECK_STR(child.said, "after the first\n");
}

static volatile sig_atomic_t own_calls;

static void own_handler(int number)
{
    (void)number;
    own_calls++;
}

static int raise_and_go_on(void *arg)
{
    (void)arg;
    raise(SIGINT);
    raise(SIGTERM);
    return rill_sleep(0.01);
}

TEST(the_users_own_handlers_are_kept)
{
    struct sigaction action = { .sa_handler = own_handler }, after;
    sigaction(SIGINT, &action, NULL);
    signal(SIGTERM, SIG_IGN);
    CHECK_INT(rill_run(raise_and_go_on, NULL), 0);
    CHECK_INT(own_calls, 1);
    sigaction(SIGINT, NULL, &after);
    CHECK(after.sa_handler == own_handler);
}

TEST(the_default_action_is_put_back)
{
    double nothing = 0;
    struct sigaction after;
    CHECK_INT(rill_run(sleep_for, &nothing), 0);
    int numbers[] = { SIGINT, SIGTERM };
    for (int i = 0; i < 2; i++) {
        sigaction(numbers[i], NULL, &after);
        CHECK(after.sa_handler == SIG_DFL);
    }
}

static int run_twice(void)
{
    int first = rill_run(interrupted, &(int){ SIGINT });
    int second = rill_run(sleep_for, &(double){ 0.001 });
    return first == 130 && second == 0 ? 7 : 1;
}

TEST(a_signal_ends_one_loop_not_the_next)
{
    struct child child = run_in_child(run_twice);
    CHECK_INT(WEXITSTATUS(child.status), 7);
}

static int sleep_detached(void *arg)
{
    rill_detach(rill_spawn(sleep_for, &for_ever));
    return interrupted(arg);
}

static int run_with_background(void)
{
    return rill_run(sleep_detached, &(int){ SIGTERM });
}

TEST(a_signal_reaches_the_background_by_way_of_the_loops_end)
{
    struct child child = run_in_child(run_with_background);
    CHECK_INT(WEXITSTATUS(child.status), 143);
}

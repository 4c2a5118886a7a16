/* A program to be looked at from outside: its first word says what it is at. */
#include <rill/rill.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile unsigned spins;

static void say_ready(void)
{
    puts("ready");
    fflush(stdout);
}

__attribute__((noinline)) static int inner_call(int n)
{
    int rc = rill_sleep(60);
    return rc + n;
}

__attribute__((noinline)) static int outer_call(int n)
{
    volatile int kept = n;
    return inner_call(n + 1) - kept;
}

static int sleeper(void *arg)
{
    return outer_call(*(int *)arg);
}

static int receiver(void *arg)
{
    rill_auto(rill_stream) stream = rill_accept(arg);
    char byte;
    return stream ? (int)rill_stream_read(stream, &byte, 1) : rill_errcode();
}

static int limited(void *arg)
{
    (void)arg;
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 50);
    return rill_scope_end(&scope, rill_sleep(60));
}

static int tree(void *arg)
{
    (void)arg;
    rill_group group;
    rill_group_begin(&group);
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 0);
    rill_spawn(sleeper, &(int){ 1 }, .name = "sleeper");
    rill_spawn(receiver, listener, .name = "receiver");
    rill_spawn(limited, NULL, .name = "limited", .group = &group);
    rill_detach(rill_spawn(sleeper, &(int){ 2 }, .name = "behind"));
    rill_auto(rill_stream) stream = rill_connect("127.0.0.1", rill_listener_port(listener));
    rill_sleep(0.05);
    printf("%d\n", rill_listener_port(listener));
    say_ready();
    return rill_group_end(&group, stream ? rill_sleep(60) : rill_errcode());
}

__attribute__((noinline)) static void spin_for_ever(void)
{
    for (;;)
        spins++;
}

static int stuck_task(void *arg)
{
    (void)arg;
    say_ready();
    spin_for_ever();
    return 0;
}

static int spin(void *arg)
{
    (void)arg;
    rill_spawn(sleeper, &(int){ 1 }, .name = "sleeper");
    rill_sleep(0.01);
    rill_task task = rill_spawn(stuck_task, NULL, .name = "stuck");
    return rill_join(task);
}

static int blocking_task(void *arg)
{
    (void)arg;
    say_ready();
    spins += sleep(60); /* no tail call: so it stays among the calls */
    return 0;
}

static int block(void *arg)
{
    (void)arg;
    return rill_join(rill_spawn(blocking_task, NULL, .name = "stuck"));
}

static int churn_a_little(void *arg)
{
    (void)arg;
    return rill_sleep(0.0001);
}

/* Tasks come and go as fast as they can. */
static int churn(void *arg)
{
    (void)arg;
    say_ready();
    for (;;) {
        rill_task tasks[50];
        for (int i = 0; i < 50; i++)
            tasks[i] = rill_spawn(churn_a_little, NULL, .name = "mayfly");
        for (int i = 0; i < 50; i++)
            if (rill_join(tasks[i]) < 0)
                return rill_errcode();
    }
}

static int in_the_other(void *arg)
{
    (void)arg;
    return rill_sleep(60);
}

static int two_loops(void *arg)
{
    (void)arg;
    rill_loop *loop = rill_loop_start(in_the_other, NULL, .name = "other");
    rill_sleep(0.05);
    say_ready();
    rill_sleep(60);
    return loop ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        rill_task_fn *fn;
    } modes[] = { { "tree", tree },
                  { "spin", spin },
                  { "block", block },
                  { "churn", churn },
                  { "loops", two_loops } };
    const char *mode = argc > 1 ? argv[1] : "";
    alarm(60); /* whatever happens to the test */
    if (strcmp(mode, "none") == 0) {
        say_ready();
        pause();
    }
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(mode, modes[i].name) == 0)
            return rill_run(modes[i].fn, NULL);
    return 2;
}

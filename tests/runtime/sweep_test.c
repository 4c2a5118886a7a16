/*
 * Sweeps: a scenario of many kinds of waits, cancelled at each place where it may have to wait, and
 * with each of its allocations failing. After each run nothing may be left, and none may hang.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "in_task.h"
#include "runtime/runtime.h"

#include <fcntl.h>
#include <rill/join.h>
#include <rill/local.h>
#include <rill/sync.h>
#include <unistd.h>

/* ---- the scenario ---- */

static rill__handle handle;
static int peer;
static rill_event event;
static double no_time;     /* what is detached outlives the scenario */
static int started, ended; /* calls of balanced() */

/* What a task may hold while it waits: given back however it ends. */
static int balanced(void *arg)
{
    started++;
    int rc = rill_sleep(*(double *)arg);
    ended++;
    return rc;
}

static int fail_later(void *arg)
{
    (void)arg;
    RILL__TRY(rill_sleep(0.0002));
    return rill_fail(RILL_EDNS, "as planned");
}

static int set_event(void *arg)
{
    (void)arg;
    int rc = rill_sleep(0.0002);
    rill_event_set(&event);
    return rc;
}

static int on_thread(void *arg)
{
    return arg ? 0 : rill_fail(RILL_ETLS, "on a thread");
}

static int two_ticks(void *arg)
{
    return ++*(int *)arg == 2 ? RILL_ELIMIT : rill_sleep(0);
}

static int use_group(void)
{
    double moment = 0.0003, instant = 0;
    rill_group group;
    RILL__TRY(rill_group_begin(&group, .limit = 2, .timeout = 10));
    int rc = 0;
    for (int i = 0; i < 4 && rc == 0; i++)
        if (!rill_spawn(balanced, i % 2 ? &moment : &instant, .group = &group).id)
            rc = rill_errcode();
    return rill_group_end(&group, rc);
}

static int use_gather(void)
{
    double seconds[5] = { 0.0001, 0, 0.0002, 0, 0.0001 };
    rill_error errors[5];
    RILL__TRY(rill_gather(seconds, 5, balanced, .errors = errors, .limit = 2));
    RILL__TRY(rill_gather(seconds, 5, balanced));
    int rc = rill_gather(seconds, 3, fail_later);
    return rc == RILL_EDNS ? 0 : rc;
}

static int use_io(void)
{
    char text[8];
    struct iovec iov = { .iov_base = "ping", .iov_len = 4 };
    int64_t n = rill__io_send_all(&handle, &iov, 1, NULL);
    if (n < 0)
        return (int)n;
    CHECK_INT(recv(peer, text, sizeof text, 0), 4);
    rill_scope scope;
    RILL__TRY(rill_scope_begin(&scope, .timeout = 0.0003));
    n = rill__io_recv(&handle, text, sizeof text); /* nobody answers */
    int rc = rill_scope_end(&scope, (int)n);
    return rc == RILL_ETIMEDOUT ? 0 : rc;
}

static int use_the_rest(void)
{
    static int ticks; /* a clockwork that nobody joined may run on */
    ticks = 0;
    rill_event_init(&event);
    rill_task setter = rill_spawn(set_event, NULL);
    RILL__TRY(setter.id ? 0 : rill_errcode());
    RILL__TRY(rill_event_wait(&event));
    RILL__TRY(rill_join(setter));
    RILL__TRY(rill_to_thread(on_thread, &ticks));
    int rc = rill_to_thread(on_thread, NULL);
    RILL__TRY(rc == RILL_ETLS ? 0 : rc);
    rill_task every = rill_every(0.0001, two_ticks, &ticks);
    RILL__TRY(every.id ? 0 : rill_errcode());
    rc = rill_join(every);
    return rc == RILL_ELIMIT ? 0 : rc;
}

static int win(void *arg)
{
    int rc = balanced(arg);
    return rc < 0 ? rc : 3;
}

static int be_ready(void *arg)
{
    RILL__TRY(balanced(&no_time));
    RILL__TRY(rill_started());
    return balanced(arg);
}

static int use_joining(void)
{
    static double moments[] = { 0.0002, 0.0001, 0 };
    rill_task tasks[3];
    for (int i = 0; i < 3; i++) {
        tasks[i] = rill_spawn(balanced, &moments[i]);
        RILL__TRY(tasks[i].id ? 0 : rill_errcode());
    }
    RILL__TRY(rill_wait(tasks, 3, .until = RILL_WAIT_FIRST, .timeout = 10));
    rill_auto(rill_as_completed) order = rill_as_completed_new(tasks, 3);
    RILL__TRY(order ? 0 : rill_errcode());
    size_t i;
    for (int rc; (rc = rill_as_completed_next(order, &i)) != 0;) {
        RILL__TRY(rc);
        RILL__TRY(rill_join(tasks[i]));
    }
    int rc = rill_race(moments, 3, win, .limit = 2);
    RILL__TRY(rc == 3 ? 0 : rc);
    rill_task task = rill_start(be_ready, &moments[0]);
    RILL__TRY(task.id ? 0 : rill_errcode());
    return rill_cancel_join(task) == RILL_ECANCELED ? rill_sleep(0) : 0;
}

static int give_back(void *arg)
{
    ended++;
    rill_sleep(0.0001);
    return *(int *)arg;
}

static void value_freed(void *value)
{
    ended++;
    rill__free(value);
}

static const rill_local counted = { .free = value_freed };

static int see_value(void *arg)
{
    int rc = balanced(arg);
    CHECK_INT(*(const int *)rill_local_get(&counted), 5);
    return rc;
}

static int defer_and_spawn(void *arg)
{
    int *value = rill__alloc(sizeof *value);
    RILL__TRY(value ? 0 : rill__fail_nomem());
    *value = 5;
    int rc = rill_local_set(&counted, value);
    if (rc < 0)
        rill__free(value);
    RILL__TRY(rc);
    started++;
    int *zero = rill_alloc(sizeof *zero);
    RILL__TRY(zero ? 0 : rill_errcode());
    RILL__TRY(rill_defer(give_back, zero));
    started++;
    rill_task task = rill_spawn(see_value, arg);
    return task.id ? rill_join(task) : rill_errcode();
}

static int use_its_own(void)
{
    double moment = 0.0001;
    rill_task task = rill_spawn(defer_and_spawn, &moment);
    return task.id ? rill_join(task) : rill_errcode();
}

static int scenario(void *arg)
{
    (void)arg;
    RILL__TRY(use_group());
    RILL__TRY(use_gather());
    RILL__TRY(use_io());
    RILL__TRY(use_the_rest());
    RILL__TRY(use_joining());
    RILL__TRY(use_its_own());
    double instant = 0;
    rill_task background = rill_spawn(balanced, &no_time);
    RILL__TRY(background.id ? 0 : rill_errcode());
    RILL__TRY(rill_detach(background));
    return rill_within(1, balanced, &instant);
}

/* ---- the sweeps ---- */

struct sweeping {
    unsigned long cancel_at, points;
    int result;
};

static int run_scenario(void *arg)
{
    struct sweeping *sweeping = arg;
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return 2;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    peer = fds[1];
    int rc = rill__io_adopt(&handle, fds[0]);
    if (rc < 0) {
        close(fds[0]);
        close(fds[1]);
        return rc;
    }
    rill__loop_sweep()->points = 0;
    rill__loop_sweep()->cancel_at = sweeping->cancel_at;
    sweeping->result = scenario(NULL);
    sweeping->points = rill__loop_sweep()->points;
    rill__loop_sweep()->cancel_at = 0;
    CHECK_INT(sweeping->result < 0 ? rill_errcode() : 0,
              sweeping->result < 0 ? sweeping->result : 0);
    rill__io_close(&handle);
    close(peer);
    return 0;
}

static unsigned long sweep_once(unsigned long cancel_at)
{
    struct sweeping sweeping = { .cancel_at = cancel_at };
    CHECK_INT(rill_run(run_scenario, &sweeping), 0);
    CHECK_INT(started, ended);
    CHECK(sweeping.result == 0 || sweeping.result == RILL_ECANCELED);
    return sweeping.points;
}

TEST_WITHIN(cancelling_at_every_point_leaves_nothing_behind, 100)
{
    unsigned long points = sweep_once(0);
    CHECK(points > 30);
    hear_the_log();
    for (unsigned long at = 1; at <= points + 10 && test_failures() == 0; at++)
        sweep_once(at);
}

TEST_WITHIN(failing_every_allocation_leaves_nothing_behind, 100)
{
    hear_the_log();
    sweep_once(0); /* what is allocated once for all is there */
    rill__alloc_count = 0;
    sweep_once(0);
    unsigned long count = rill__alloc_count;
    CHECK(count > 5);
    for (unsigned long at = 1; at <= count + 1 && test_failures() == 0; at++) {
        struct sweeping sweeping = { 0 };
        rill__alloc_count = 0;
        rill__alloc_fail_at = at;
        rill_run(run_scenario, &sweeping);
        rill__alloc_fail_at = 0;
        CHECK_INT(started, ended);
    }
}

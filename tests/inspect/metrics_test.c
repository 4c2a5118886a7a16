/* The figures of a loop, counted and measured. */
#include "seen.h"

static void burn(double seconds)
{
    double end = rill_now() + seconds;
    while (rill_now() < end)
        continue;
}

static int burn_a_little(void *arg)
{
    (void)arg;
    burn(0.03);
    return rill_sleep(RILL_FOREVER);
}

static int sleep_long(void *arg)
{
    (void)arg;
    return rill_sleep(30);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

TASK_TEST(counts_follow_what_happens)
{
    (void)arg;
    rill_metrics before, after;
    rill_sleep(0);
    CHECK_INT(rill_metrics_get(&before), 0);
    CHECK_INT(before.tasks, 1);
    CHECK_INT(before.spawned, 1);
    CHECK_INT(before.timers, 0);
    CHECK_INT(before.stacks_used, 1);
    CHECK(before.stacks_kept > 0 && before.stack_bytes >= 64 * (256 << 10));
    CHECK(!before.measured && before.slice.count == 0);
    rill_task sleeper = rill_spawn(sleep_long, NULL);
    rill_task ready = rill_spawn(nothing, NULL);
    rill_metrics_get(&after);
    CHECK_INT(after.ready, 2);
    CHECK_INT(after.tasks, 3);
    CHECK_INT(after.spawned, 3);
    rill_sleep(0.001);
    rill_metrics_get(&after);
    CHECK_INT(after.timers, 1);
    CHECK_INT(after.ready, 0);
    CHECK(after.turns > before.turns && after.switches >= before.switches + 2);
    rill_cancel(sleeper);
    rill_join(sleeper);
    rill_join(ready);
    CHECK_INT(rill_within(0.001, sleep_long, NULL), RILL_ETIMEDOUT);
    rill_metrics_get(&after);
    CHECK_INT(after.cancels - before.cancels, 2); /* the deadline cancels its scope */
    CHECK_INT(after.timeouts - before.timeouts, 1);
    CHECK_INT(after.tasks, 1);
    return 0;
}

TASK_TEST(operations_are_counted)
{
    (void)arg;
    rill_metrics before, after;
    rill_metrics_get(&before);
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 0);
    rill_auto(rill_stream) stream = rill_connect("127.0.0.1", rill_listener_port(listener));
    rill_auto(rill_stream) peer = rill_accept(listener);
    rill_stream_write(stream, "x", 1);
    char byte;
    CHECK_INT(rill_stream_read(peer, &byte, 1), 1);
    rill_metrics_get(&after);
    CHECK(after.io - before.io >= 4);
    return 0;
}

TASK_TEST(slices_and_turns_are_measured_when_asked_for)
{
    (void)arg;
    rill_metrics metrics;
    char line[512];
    CHECK_INT(rill_measure(true), 0);
    CHECK_INT(rill_measure(true), 0);
    rill_task task = rill_spawn(burn_a_little, NULL, .name = "burner");
    rill_sleep(0.001);
    rill_metrics_get(&metrics);
    CHECK(metrics.measured);
    CHECK(metrics.slice.count >= 2 && metrics.slice.max >= 0.03 && metrics.slice.max < 3);
    CHECK(metrics.slice.sum >= 0.03);
    CHECK(rill_histogram_quantile(&metrics.slice, 1) == metrics.slice.max);
    CHECK(metrics.latency.count >= 1 && metrics.latency.max >= 0.03);
    char *text = DUMP();
    double cpu = 0;
    line_with(text, "burner", line);
    const char *at = strstr(line, "; cpu ");
    CHECK(at && sscanf(at, "; cpu %lf ms", &cpu) == 1 && cpu >= 30 && cpu < 3000);
    CHECK(!strstr(text, "SIGUSR1"));
    free(text);
    rill_cancel(task);
    rill_join(task);
    CHECK_INT(rill_measure(false), 0);
    rill_metrics_get(&metrics);
    CHECK(!metrics.measured && metrics.slice.count == 0);
    rill_sleep(0.001);
    return 0;
}

TEST(a_histogram_tells_its_quantiles)
{
    rill_histogram histogram = { .count = 100, .max = 0.5 };
    histogram.buckets[0] = 50; /* below 1 us */
    histogram.buckets[4] = 49; /* 8 to 16 us */
    histogram.buckets[19] = 1; /* 0.26 to 0.52 s */
    CHECK(rill_histogram_quantile(&histogram, 0.5) == 1e-6);
    CHECK(rill_histogram_quantile(&histogram, 0.51) == 16e-6);
    CHECK(rill_histogram_quantile(&histogram, 0.99) == 16e-6);
    CHECK(rill_histogram_quantile(&histogram, 1) == 0.5);
    CHECK(rill_histogram_quantile(&(rill_histogram){ 0 }, 0.5) == 0);
}

TEST(outside_a_loop_there_are_none)
{
    rill_metrics metrics = { .tasks = 7 };
    CHECK_INT(rill_metrics_get(&metrics), RILL_ENOTASK);
    CHECK_INT(metrics.tasks, 0);
    CHECK_INT(rill_measure(true), RILL_ENOTASK);
}

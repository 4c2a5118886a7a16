/*
 * tasks [NAME...]: what the runtime's own operations cost, one `name value` a line.
 *
 *   switch_ns      from one stack to another, with no scheduler: one way
 *   yield_ns       rill_sleep(0) between two tasks that are always ready
 *   spawn_join_ns  a task that does nothing, spawned and joined
 *   mutex_ns       locked and unlocked by the only one who wants it
 *   semaphore_ns   the same: acquired and released
 *   event_ns       waited for when it is set
 *   channel_ns     a value handed over from one task to another that waits for it
 *   timer_ns       a timer set and cancelled, while 100,000 others are pending
 *   scope_ns       a scope with a timeout, begun and ended
 *   sleeping_bytes resident memory of a task that sleeps, of a million of them
 *   million_sleeps_cpu_s  a million tasks that sleep 0 to 1 s each, made, woken and joined: seconds
 *                         of CPU of the process
 *
 * Each but the last two is the median of several rounds, in CPU time of the thread, all but the
 * first of which must not allocate: every malloc of the thread is counted, and there is no figure
 * when there was one. Without a NAME, `allocations` is their sum.
 *
 * It is linked as a user's program is. Only the bare switch and the wheel of timers, which nobody
 * outside can call, are built into it.
 */
#include "base/clock.h"
#include "runtime/context.h"
#include "runtime/wheel.h"

#include <rill/channel.h>
#include <rill/log.h>
#include <rill/sync.h>
#include <rill/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 21
#define TURNS 100000
#define PENDING 100000
#define SLEEPERS 1000000
#define MEMORY_NEEDED ((size_t)7 << 30)

/* ---- every allocation is counted ---- */

static __thread unsigned long allocations;
static unsigned long once_warm; /* allocations in rounds that should have had none */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    allocations++;
    return __libc_realloc(memory, size);
}

/* ---- rounds of TURNS operations ---- */

static rill__context thread_side, other_side;

void rill__task_entry(void *arg)
{
    (void)arg;
    rill__context_arrived();
    for (;;)
        rill__context_switch(&other_side, &thread_side, false);
}

static void switch_round(void)
{
    static char stack[16384] __attribute__((aligned(16)));
    if (!other_side.sp) {
        rill__context_of_thread(&thread_side);
        rill__context_make(&other_side, stack, stack + sizeof stack, NULL);
    }
    for (int i = 0; i < TURNS / 2; i++)
        rill__context_switch(&thread_side, &other_side, false);
}

static int yield_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS / 2; i++)
        rill_sleep(0);
    return 0;
}

static void yield_round(void)
{
    rill_task one = rill_spawn(yield_often, NULL), other = rill_spawn(yield_often, NULL);
    rill_join(one);
    rill_join(other);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn_join_round(void)
{
    for (int i = 0; i < TURNS; i++)
        rill_join(rill_spawn(nothing, NULL));
}

static void mutex_round(void)
{
    rill_mutex mutex;
    rill_mutex_init(&mutex);
    for (int i = 0; i < TURNS; i++) {
        rill_mutex_lock(&mutex);
        rill_mutex_unlock(&mutex);
    }
}

static void semaphore_round(void)
{
    rill_semaphore semaphore;
    rill_semaphore_init(&semaphore, 1);
    for (int i = 0; i < TURNS; i++) {
        rill_semaphore_acquire(&semaphore);
        rill_semaphore_release(&semaphore);
    }
}

static void event_round(void)
{
    rill_event event;
    rill_event_init(&event);
    rill_event_set(&event);
    for (int i = 0; i < TURNS; i++)
        rill_event_wait(&event);
}

static rill_channel there, back; /* made once, and used in every round */

static int send_back(void *arg)
{
    (void)arg;
    int value, rc = 0;
    for (int i = 0; i < TURNS / 2 && rc == 0; i++) {
        rc = rill_channel_recv(there.receiver, &value);
        rc = rc < 0 ? rc : rill_channel_send(back.sender, &value);
    }
    return rc;
}

static void channel_round(void)
{
    int value;
    if (!there.sender) {
        there = rill_channel_new(sizeof(int));
        back = rill_channel_new(sizeof(int));
    }
    rill_task other = rill_spawn(send_back, NULL);
    for (int i = 0; i < TURNS / 2; i++) {
        rill_channel_send(there.sender, &i);
        rill_channel_recv(back.receiver, &value);
    }
    rill_join(other);
}

/* A number that looks random, the same each time. */
static uint64_t scatter(uint64_t number)
{
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

static void never(rill__timer *timer)
{
    (void)timer;
}

/* Somewhere in the next minute. */
static uint64_t some_deadline(int number)
{
    return 1 + scatter((uint64_t)number) % (60 * RILL__SECOND);
}

static void timer_round(void)
{
    static rill__wheel wheel;
    static rill__timer pending[PENDING], timer;
    static uint64_t deadlines[4096];
    if (wheel.count == 0) {
        rill__wheel_init(&wheel, 0);
        for (int i = 0; i < PENDING; i++) {
            pending[i] = (rill__timer){ .deadline = some_deadline(i), .fire = never };
            rill__wheel_set(&wheel, &pending[i]);
        }
        for (int i = 0; i < 4096; i++)
            deadlines[i] = some_deadline(-i);
    }
    for (int i = 0; i < TURNS; i++) {
        timer.deadline = deadlines[i % 4096];
        rill__wheel_set(&wheel, &timer);
        rill__wheel_cancel(&wheel, &timer);
    }
}

static void scope_round(void)
{
    rill_scope scope;
    for (int i = 0; i < TURNS; i++) {
        rill_scope_begin(&scope, .timeout = 30);
        rill_scope_end(&scope, 0);
    }
}

/* ---- measuring them ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct rounds {
    const char *name;
    void (*round)(void);
};

static int measure_rounds(void *arg)
{
    const struct rounds *rounds = arg;
    double took[ROUNDS];
    rounds->round();
    unsigned long before = allocations;
    for (int i = 0; i < ROUNDS; i++) {
        double start = seconds(CLOCK_THREAD_CPUTIME_ID);
        rounds->round();
        took[i] = seconds(CLOCK_THREAD_CPUTIME_ID) - start;
        rill_sleep(1e-6); /* the loop takes its turn: it is watched */
    }
    if (allocations != before) {
        fprintf(stderr, "tasks: %s: %lu allocations in %d rounds\n", rounds->name,
                allocations - before, ROUNDS);
        once_warm += allocations - before;
        return 1;
    }
    qsort(took, ROUNDS, sizeof took[0], ascending);
    printf("%s %.2f\n", rounds->name, took[ROUNDS / 2] * 1e9 / TURNS);
    return 0;
}

/* ---- a million tasks ---- */

static bool unguarded; /* the runtime said that stacks have no guard */

static void hear(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    (void)level;
    unguarded |= strcmp(subsystem, "stack") == 0;
    fprintf(stderr, "tasks: %s: %s\n", subsystem, message);
}

static bool enough_memory(const char *name)
{
    unsigned long available = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %lu", &available) == 1)
            break;
    if (file)
        fclose(file);
    if (available * 1024 >= MEMORY_NEEDED)
        return true;
    fprintf(stderr, "tasks: %s needs %zu GiB of memory\n", name, MEMORY_NEEDED >> 30);
    return false;
}

static size_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t asleep;

static int sleep_long(void *arg)
{
    (void)arg;
    asleep++;
    return rill_sleep(3600);
}

static int sleep_somewhat(void *arg)
{
    return rill_sleep((double)(scatter((uintptr_t)arg) >> 11) * 0x1p-53);
}

/* Starts the tasks in a group, which collects them. */
static int start_sleepers(rill_group *group, rill_task_fn *fn)
{
    for (uintptr_t i = 0; i < SLEEPERS; i++)
        if (!rill_spawn(fn, (void *)i, .group = group).id)
            return rill_errcode();
        else if (i % 1000 == 999)
            rill_sleep(0);
    return 0;
}

static int measure_sleeping(void *arg)
{
    rill_group group;
    size_t before = resident_bytes();
    rill_group_begin(&group);
    int rc = start_sleepers(&group, sleep_long);
    while (rc == 0 && asleep < SLEEPERS)
        rc = rill_sleep(0.001);
    if (rc == 0 && !unguarded)
        printf("%s %.0f\n", (const char *)arg, (double)(resident_bytes() - before) / SLEEPERS);
    rill_group_cancel(&group, "measured");
    rc = rill_group_end(&group, rc);
    return unguarded ? 1 : rc;
}

static int sleep_and_end(void *arg)
{
    (void)arg;
    rill_group group;
    rill_group_begin(&group);
    return rill_group_end(&group, start_sleepers(&group, sleep_somewhat));
}

static int sleeping(const char *name)
{
    return enough_memory(name) ? rill_run(measure_sleeping, (void *)name) : 1;
}

/* The loop, its stacks and all are made and gone within what is measured. */
static int million_sleeps(const char *name)
{
    if (!enough_memory(name))
        return 1;
    double before = seconds(CLOCK_PROCESS_CPUTIME_ID);
    int status = rill_run(sleep_and_end, NULL);
    if (status == 0 && !unguarded)
        printf("%s %.2f\n", name, seconds(CLOCK_PROCESS_CPUTIME_ID) - before);
    return unguarded ? 1 : status;
}

/* ---- which ---- */

static const struct rounds rounds[] = {
    { "switch_ns", switch_round },         { "yield_ns", yield_round },
    { "spawn_join_ns", spawn_join_round }, { "mutex_ns", mutex_round },
    { "semaphore_ns", semaphore_round },   { "event_ns", event_round },
    { "channel_ns", channel_round },       { "timer_ns", timer_round },
    { "scope_ns", scope_round },
};

static const struct {
    const char *name;
    int (*measure)(const char *name);
} others[] = {
    { "sleeping_bytes", sleeping },
    { "million_sleeps_cpu_s", million_sleeps },
};

static bool wanted(const char *name, char **names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return count == 0;
}

int main(int argc, char **argv)
{
    int status = 0, known = 0;
    rill_log_to(hear, NULL);
    for (size_t i = 0; i < sizeof rounds / sizeof rounds[0]; i++)
        if (wanted(rounds[i].name, argv + 1, argc - 1)) {
            status |= rill_run(measure_rounds, (void *)&rounds[i]);
            known++;
        }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (wanted(others[i].name, argv + 1, argc - 1)) {
            status |= others[i].measure(others[i].name);
            known++;
        }
    if (argc == 1)
        printf("allocations %lu\n", once_warm);
    if (argc > 1 && known < argc - 1) {
        fprintf(stderr, "usage: tasks [NAME...], the names being those of the lines without any\n");
        return 2;
    }
    return status;
}

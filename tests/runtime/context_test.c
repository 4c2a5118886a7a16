/* The switch: registers survive it, and unwinding ends where a stack begins. */
#include "child.h"
#include "in_task.h"
#include "runtime/context.h"

#include <execinfo.h>
#include <math.h>
#include <pthread.h>

/* ---- registers ---- */

/* So many live values across a switch that they fill all callee-saved registers. */
static int keep_integers(void *arg)
{
    long seed = *(int *)arg;
    long a = seed + 1, b = seed + 2, c = seed + 3, d = seed + 4, e = seed + 5, f = seed + 6;
    long g = seed + 7, h = seed + 8, i = seed + 9, j = seed + 10, k = seed + 11, l = seed + 12;
    for (int turn = 0; turn < 100; turn++) {
        rill_sleep(0);
        a += b;
        b ^= c;
        c += d;
        d ^= e;
        e += f;
        f ^= g;
        g += h;
        h ^= i;
        i += j;
        j ^= k;
        k += l;
        l ^= turn;
    }
    long again[12];
    for (int n = 0; n < 12; n++)
        again[n] = seed + 1 + n;
    for (int turn = 0; turn < 100; turn++) {
        for (int n = 0; n < 10; n += 2) {
            again[n] += again[n + 1];
            again[n + 1] ^= again[n + 2];
        }
        again[10] += again[11];
        again[11] ^= turn;
    }
    long now[12] = { a, b, c, d, e, f, g, h, i, j, k, l };
    for (int n = 0; n < 12; n++)
        CHECK_INT(now[n], again[n]);
    return 0;
}

static int keep_doubles(void *arg)
{
    double seed = *(int *)arg;
    double a = seed, b = seed * 2, c = seed * 3, d = seed * 4, e = seed * 5, f = seed * 6;
    long double wide = (long double)seed / 3;
    for (int turn = 0; turn < 100; turn++) {
        rill_sleep(0);
        a += 0.5;
        b += 0.25;
        c -= 0.5;
        d -= 0.25;
        e += 1;
        f -= 1;
        wide += 1;
    }
    CHECK(a - (seed + 50) == 0 && b - (seed * 2 + 25) == 0 && c - (seed * 3 - 50) == 0);
    CHECK(d - (seed * 4 - 25) == 0 && e - (seed * 5 + 100) == 0 && f - (seed * 6 - 100) == 0);
    CHECK(fabsl(wide - ((long double)seed / 3 + 100)) < 1e-12L);
    return 0;
}

TASK_TEST(callee_saved_registers_survive)
{
    int seeds[50];
    for (int i = 0; i < 50; i++)
        seeds[i] = 1000 * i;
    CHECK_INT(rill_gather(seeds, 50, keep_integers), 0);
}

TASK_TEST(floating_point_survives)
{
    int seeds[50];
    for (int i = 0; i < 50; i++)
        seeds[i] = i + 1;
    CHECK_INT(rill_gather(seeds, 50, keep_doubles), 0);
}

/* ---- alignment ---- */

static int check_alignment(void *arg)
{
    (void)arg;
    _Alignas(16) volatile char aligned[16] = { 0 };
    CHECK_INT((uintptr_t)aligned % 16, 0);
    char text[32]; /* printf of doubles uses aligned vector stores */
    snprintf(text, sizeof text, "%.3f %Lg", 1.5, (long double)2.5);
    CHECK_STR(text, "1.500 2.5");
    return 0;
}

TASK_TEST(stacks_are_aligned_as_the_calling_convention_says)
{
    char items[20] = { 0 };
    CHECK_INT(rill_gather(items, 20, check_alignment), 0);
}

/* ---- unwinding ---- */

static int frames;

__attribute__((noinline)) static int count_frames(void *arg)
{
    void *addresses[64];
    frames = backtrace(addresses, 64);
    (void)arg;
    return 0;
}

TASK_TEST(a_backtrace_ends_where_the_stack_begins)
{
    void *warm_up[1];
    backtrace(warm_up, 1); /* loads the unwinder, which may open files */
    CHECK_INT(rill_join(rill_spawn(count_frames, NULL)), 0);
    /* This function, the task's entry, the switch's entry: and no further. */
    CHECK(frames >= 2 && frames <= 4);
}

/* A forced unwinding, as by pthread_exit or an exception, must find the end of the stack rather
 * than run off it: glibc then says so and aborts. */
static int unwind_all(void *arg)
{
    (void)arg;
    pthread_exit(NULL);
}

UNUSED static int run_unwind_all(void)
{
    return rill_run(unwind_all, NULL);
}

TEST(unwinding_a_task_does_not_run_off_its_stack)
{
#ifdef RILL__ASAN
    test_skip("the sanitizer takes over pthread_exit");
#else
    struct child child = run_in_child(run_unwind_all);
    CHECK(!died_of(&child, SIGSEGV) && !died_of(&child, SIGBUS));
#endif
}

/* ---- deep use ---- */

static int recurse(int depth)
{
    volatile char frame[256];
    frame[0] = (char)depth;
    if (depth == 0)
        return rill_sleep(0);
    int rc = recurse(depth - 1);
    return frame[0] == (char)depth ? rc : -1;
}

static int recurse_and_wait(void *arg)
{
    for (int i = 0; i < 20; i++)
        CHECK_INT(recurse(*(int *)arg), 0);
    return 0;
}

TASK_TEST(deep_stacks_keep_their_contents_across_switches)
{
    int depths[30];
    for (int i = 0; i < 30; i++)
        depths[i] = i * 10;
    CHECK_INT(rill_gather(depths, 30, recurse_and_wait), 0);
}

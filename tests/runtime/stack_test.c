/* Stacks: classes, guards, overflow, and that memory comes back. */
#include "child.h"
#include "in_task.h"
#include "runtime/context.h"
#include "runtime/stack.h"

#include <rill/loop.h>

#if defined(RILL__ASAN) || defined(RILL__TSAN)
#define SANITIZED 1
#endif

static size_t resident_bytes(void)
{
    size_t total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%zu %zu", &total, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- the pool ---- */

TEST(stacks_come_in_classes)
{
    rill__stack_pool pool;
    rill__stack_pool_init(&pool);
    size_t wanted[] = { 0, 1, 64 << 10, (64 << 10) + 1, 300 << 10, 1 << 20, 8 << 20 };
    size_t given[] = { 256 << 10, 64 << 10, 64 << 10, 256 << 10, 1 << 20, 1 << 20, 8 << 20 };
    rill__stack *stacks[7];
    for (int i = 0; i < 7; i++) {
        stacks[i] = rill__stack_get(&pool, wanted[i]);
        REQUIRE(stacks[i]);
        CHECK_INT(rill__stack_size(stacks[i]), given[i]);
        CHECK((size_t)(stacks[i]->top - stacks[i]->bottom) >= given[i] * 3 / 4 - 512);
        CHECK_INT((uintptr_t)stacks[i]->top % 64, 0);
        memset(stacks[i]->bottom, 1, 64);
        memset(stacks[i]->top - 64, 1, 64);
    }
    CHECK_INT(pool.live, 7);
    CHECK(rill__stack_get(&pool, ((size_t)8 << 20) + 1) == NULL);
    for (int i = 0; i < 7; i++)
        rill__stack_put(&pool, stacks[i]);
    CHECK_INT(pool.live, 0);
    rill__stack_pool_free(&pool);
}

TEST(the_last_stack_given_back_is_the_next_one_out)
{
    rill__stack_pool pool;
    rill__stack_pool_init(&pool);
    rill__stack *a = rill__stack_get(&pool, 0), *b = rill__stack_get(&pool, 0);
    rill__stack_put(&pool, a);
    rill__stack_put(&pool, b);
    CHECK(rill__stack_get(&pool, 0) == b);
    CHECK(rill__stack_get(&pool, 0) == a);
    rill__stack_put(&pool, a);
    rill__stack_put(&pool, b);
    rill__stack_pool_free(&pool);
}

TEST(the_guard_is_below_the_stack)
{
    rill__stack_pool pool;
    rill__stack_pool_init(&pool);
    rill__stack *stack = rill__stack_get(&pool, 0);
    CHECK(rill__stack_overflowed(stack, stack->bottom - 1));
    CHECK(rill__stack_overflowed(stack, stack->bottom - (64 << 10)));
    CHECK(!rill__stack_overflowed(stack, stack->bottom));
    CHECK(!rill__stack_overflowed(stack, stack->bottom - (64 << 10) - 1));
    CHECK(!rill__stack_overflowed(stack, NULL));
    rill__stack_put(&pool, stack);
    rill__stack_pool_free(&pool);
}

TEST(trimming_returns_stacks_that_are_no_longer_needed)
{
    enum { COUNT = 6400 };
    static rill__stack *stacks[COUNT];
    rill__stack_pool pool;
    rill__stack_pool_init(&pool);
    for (int i = 0; i < COUNT; i++) {
        stacks[i] = rill__stack_get(&pool, 0);
        REQUIRE(stacks[i]);
        stacks[i]->top[-1] = 1;
    }
    size_t full = resident_bytes();
    for (int i = 1; i < COUNT; i++)
        rill__stack_put(&pool, stacks[i]);
    rill__stack_trim(&pool);
    CHECK(full - resident_bytes() > (size_t)COUNT * 3500);
    CHECK(pool.classes[1].free_count < 4 * 64);
    stacks[0]->top[-1] = 2; /* in use: it has stayed */
    for (int i = 1; i < COUNT; i++) {
        stacks[i] = rill__stack_get(&pool, 0);
        REQUIRE(stacks[i]);
        stacks[i]->top[-1] = 1;
    }
    for (int i = 0; i < COUNT; i++)
        rill__stack_put(&pool, stacks[i]);
    rill__stack_pool_free(&pool);
}

TEST(trimming_that_found_nothing_is_not_worth_repeating)
{
    enum { COUNT = 640, APART = 32 }; /* so that no slab is free as a whole */
    static rill__stack *stacks[COUNT];
    rill__stack_pool pool;
    rill__stack_pool_init(&pool);
    for (int i = 0; i < COUNT; i++)
        REQUIRE((stacks[i] = rill__stack_get(&pool, 0)));
    for (int i = 0; i < COUNT; i++)
        if (i % APART != 0)
            rill__stack_put(&pool, stacks[i]);
    CHECK(rill__stack_worth_trimming(&pool));
    rill__stack_trim(&pool);
    CHECK_INT(pool.classes[1].free_count, COUNT - COUNT / APART);
    CHECK(!rill__stack_worth_trimming(&pool));
    for (int i = 0; i < COUNT; i += APART)
        rill__stack_put(&pool, stacks[i]);
    CHECK(rill__stack_worth_trimming(&pool));
    rill__stack_trim(&pool);
    CHECK(!rill__stack_worth_trimming(&pool));
    rill__stack_pool_free(&pool);
}

TEST(trimming_gives_back_the_depths_of_free_stacks)
{
    enum { COUNT = 128, DEPTH = 150 << 10 };
    rill__stack *stacks[COUNT];
    rill__stack_pool pool;
    rill__stack_pool_init(&pool);
    for (int i = 0; i < COUNT; i++) {
        stacks[i] = rill__stack_get(&pool, 0);
        REQUIRE(stacks[i]);
        memset(stacks[i]->top - DEPTH, 1, DEPTH);
    }
    for (int i = 0; i < COUNT; i++)
        rill__stack_put(&pool, stacks[i]);
    size_t full = resident_bytes();
    rill__stack_trim(&pool);
    CHECK(full - resident_bytes() > (size_t)COUNT * (DEPTH - (40 << 10)));
    CHECK_INT(stacks[COUNT - 1]->top[-1], 1); /* the hot end stays */
    CHECK(pool.classes[1].free_count == COUNT);
    rill__stack_pool_free(&pool);
}

static int count_mappings(void)
{
    int count = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    for (int c; file && (c = fgetc(file)) != EOF;)
        count += c == '\n';
    if (file)
        fclose(file);
    return count;
}

TEST(guards_by_mprotect_stay_within_their_allowance)
{
#ifdef RILL__TSAN
    test_skip("the sanitizer does not know so many stacks");
    return;
#endif
    /* More stacks than may have a guard of their own: the rest do without, and one line says so. */
    enum { COUNT = 20000 };
    static rill__stack *stacks[COUNT];
    hear_the_log();
    rill__stack_madvise_off = true;
    for (int round = 0; round < 2; round++) {
        rill__stack_pool pool;
        rill__stack_pool_init(&pool);
        int before = count_mappings();
        for (int i = 0; i < COUNT; i++) {
            stacks[i] = rill__stack_get(&pool, 1);
            REQUIRE(stacks[i]);
        }
        int added = count_mappings() - before;
        CHECK(added > 10000 && added < 50000); /* of 65,530 by default */
        for (int i = 0; i < COUNT; i++)
            rill__stack_put(&pool, stacks[i]);
        rill__stack_pool_free(&pool);
    }
    CHECK_INT(logged_lines, 1);
    CHECK_CONTAINS(logged, "vm.max_map_count");
}

/* ---- overflow ---- */

__attribute__((noinline)) static int dig(int depth)
{
    volatile char frame[1000];
    frame[0] = (char)depth;
    frame[999] = 1;
    return depth == 0 ? 0 : dig(depth - 1) + frame[999] + (frame[0] & 1);
}

static int dig_deep(void *arg)
{
    return dig(*(int *)arg) > 0 ? 0 : 1;
}

static int overflow(void *arg)
{
    rill_task task = rill_spawn(dig_deep, arg, .name = "digger");
    return rill_join(task);
}

static int run_overflow(void)
{
    return rill_run(overflow, &(int){ 100000 });
}

static int run_overflow_mprotect(void)
{
    rill__stack_madvise_off = true;
    return run_overflow();
}

static void check_overflow(int (*run)(void))
{
#ifdef SANITIZED
    (void)run;
    test_skip("the sanitizer reports overflows itself");
#else
    struct child child = run_in_child(run);
    CHECK(died_of(&child, SIGSEGV));
    CHECK_CONTAINS(child.said, "rill: task 'digger' (");
    CHECK_CONTAINS(child.said, "stack_test.c:");
    CHECK_CONTAINS(child.said, "overflowed its stack of 256 KiB");
    CHECK_CONTAINS(child.said, ".stack = 1024 << 10");
#endif
}

TEST(an_overflow_names_the_task_and_dies_as_before)
{
    check_overflow(run_overflow);
}

TEST(an_overflow_is_caught_by_mprotect_too)
{
    check_overflow(run_overflow_mprotect);
}

static int run_overflow_in_a_thread(void)
{
    rill_loop *loop = rill_loop_start(overflow, &(int){ 100000 });
    return rill_loop_join(loop);
}

TEST(an_overflow_in_a_loop_of_another_thread_is_told_too)
{
    check_overflow(run_overflow_in_a_thread);
}

static int touch_null(void *arg)
{
    (void)arg;
    volatile int *volatile nowhere = NULL;
    return *nowhere;
}

UNUSED static int run_touch_null(void)
{
    return rill_run(touch_null, NULL);
}

static int send_segv(void *arg)
{
    (void)arg;
    kill(getpid(), SIGSEGV);
    return rill_sleep(0.1);
}

UNUSED static int run_send_segv(void)
{
    return rill_run(send_segv, NULL);
}

TEST(another_fault_dies_without_a_word_of_stacks)
{
#ifdef SANITIZED
    test_skip("the sanitizer reports faults itself");
#else
    struct child child = run_in_child(run_touch_null);
    CHECK(died_of(&child, SIGSEGV));
    CHECK_STR(child.said, "");
    child = run_in_child(run_send_segv);
    CHECK(died_of(&child, SIGSEGV));
    CHECK_STR(child.said, "");
#endif
}

static int use_large_stack(void *arg)
{
    rill_task task = rill_spawn(dig_deep, arg, .stack = 8 << 20);
    return rill_join(task);
}

TEST(a_larger_stack_goes_deeper)
{
    CHECK_INT(rill_run(use_large_stack, &(int){ 5000 }), 0);
}

/* ---- memory ---- */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn_and_join(int count)
{
    for (int i = 0; i < count; i++)
        CHECK_INT(rill_join(rill_spawn(nothing, NULL)), 0);
}

TASK_TEST(a_million_tasks_one_after_another_do_not_grow_memory)
{
#ifdef RILL__TSAN
    test_skip("the sanitizer has memory of its own for every stack");
    return;
#endif
    spawn_and_join(1000);
    size_t before = resident_bytes();
    spawn_and_join(1000000);
    size_t after = resident_bytes();
    CHECK(after < before + ((size_t)1 << 20));
}

TASK_TEST(a_sleeping_task_costs_one_page)
{
#ifdef SANITIZED
    test_skip("the sanitizer has memory of its own for every stack");
#else
    enum { COUNT = 20000 };
    size_t before = resident_bytes();
    rill_group group;
    rill_group_begin(&group);
    for (int i = 0; i < COUNT; i++)
        CHECK(rill_spawn(sleep_for, &for_ever, .group = &group).id != 0);
    rill_sleep(0.05);
    size_t each = (resident_bytes() - before) / COUNT;
    CHECK(each < 4400);
    rill_group_cancel(&group, NULL);
    rill_group_end(&group, 0);
#endif
}

/* The timing wheel: never early, in the order of deadlines, over all its levels. */
#include "base/clock.h"
#include "base/list.h"
#include "harness.h"
#include "runtime/wheel.h"

#define TICK (UINT64_C(1) << 16)

struct probe {
    rill__timer timer;
    int id;
    int fired;
};

static rill__wheel wheel;
static uint64_t now;
static int order[64];
static int fired_count;

static void fire(rill__timer *timer)
{
    struct probe *probe = rill__container(timer, struct probe, timer);
    CHECK(timer->deadline <= now);
    CHECK(!rill__timer_is_set(timer));
    probe->fired++;
    if (fired_count < 64)
        order[fired_count] = probe->id;
    fired_count++;
}

static struct probe probe_at(uint64_t deadline, int id)
{
    return (struct probe){ .timer = { .deadline = deadline, .fire = fire }, .id = id };
}

static void start(uint64_t at)
{
    now = at;
    fired_count = 0;
    rill__wheel_init(&wheel, at);
}

static void advance_to(uint64_t at)
{
    now = at;
    rill__wheel_advance(&wheel, at);
}

TEST(an_empty_wheel_has_nothing_to_do)
{
    start(12345678);
    CHECK(rill__wheel_next(&wheel) == RILL__NEVER);
    advance_to(now + RILL__SECOND);
    CHECK(rill__wheel_next(&wheel) == RILL__NEVER);
    CHECK_INT(wheel.count, 0);
}

TEST(a_timer_is_never_early_and_at_most_a_tick_late)
{
    for (uint64_t offset = 0; offset < 3 * TICK; offset += 997) {
        start(5 * TICK + 4321);
        struct probe probe = probe_at(now + offset, 1);
        rill__wheel_set(&wheel, &probe.timer);
        if (offset > 0)
            advance_to(probe.timer.deadline - 1);
        CHECK_INT(probe.fired, 0);
        advance_to(probe.timer.deadline + TICK);
        CHECK_INT(probe.fired, 1);
    }
}

TEST(the_next_moment_is_never_later_than_the_first_timer_may_fire)
{
    start(777);
    struct probe probe = probe_at(now + 3 * RILL__SECOND + 5, 1);
    rill__wheel_set(&wheel, &probe.timer);
    int turns = 0;
    while (!probe.fired && turns++ < 20) {
        uint64_t next = rill__wheel_next(&wheel);
        REQUIRE(next != RILL__NEVER);
        CHECK(next <= probe.timer.deadline + TICK);
        advance_to(next > now ? next : now);
    }
    CHECK_INT(probe.fired, 1);
    CHECK(turns <= RILL__WHEEL_LEVELS + 1);
}

TEST(timers_fire_in_the_order_of_deadlines)
{
    start(0);
    uint64_t at[] = { 900, 100, 40 * TICK, 100, 5, 70 * TICK, 39 * TICK + 1, 300000 };
    int expected[] = { 4, 1, 3, 0, 7, 6, 2, 5 };
    struct probe probes[8];
    for (int i = 0; i < 8; i++) {
        probes[i] = probe_at(at[i], i);
        rill__wheel_set(&wheel, &probes[i].timer);
    }
    advance_to(100 * TICK);
    REQUIRE(fired_count == 8);
    for (int i = 0; i < 8; i++)
        CHECK_INT(order[i], expected[i]);
}

TEST(a_timer_moves_down_through_all_levels)
{
    /* One in each level and one beyond the last, all reached in steps. */
    enum { COUNT = RILL__WHEEL_LEVELS + 1 };
    struct probe probes[COUNT];
    start(UINT64_C(0x0123456789ab));
    uint64_t reach = TICK;
    for (int i = 0; i < COUNT; i++) {
        uint64_t span =
            i < RILL__WHEEL_LEVELS ? reach * 63 : UINT64_C(15) * 365 * 86400 * 1000000000;
        probes[i] = probe_at(now + span, i);
        rill__wheel_set(&wheel, &probes[i].timer);
        reach *= 64;
    }
    for (int turns = 0; wheel.count > 0 && turns < 200; turns++) {
        uint64_t next = rill__wheel_next(&wheel);
        REQUIRE(next != RILL__NEVER);
        advance_to(next > now ? next : now);
        for (int i = 0; i < COUNT; i++)
            CHECK(!probes[i].fired || now >= probes[i].timer.deadline);
    }
    REQUIRE(fired_count == COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(probes[i].fired, 1);
    CHECK(rill__wheel_next(&wheel) == RILL__NEVER);
}

TEST(a_jump_of_years_fires_all_at_once_in_order)
{
    enum { COUNT = 60 };
    struct probe probes[COUNT];
    start(99);
    for (int i = 0; i < COUNT; i++) {
        probes[i] = probe_at(now + (UINT64_C(1) << i), i);
        rill__wheel_set(&wheel, &probes[i].timer);
    }
    advance_to(UINT64_C(1) << 62);
    REQUIRE(fired_count == COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(order[i], i);
}

TEST(a_deadline_that_never_comes_sets_nothing)
{
    start(0);
    struct probe probe = probe_at(RILL__NEVER, 1);
    rill__wheel_set(&wheel, &probe.timer);
    CHECK(!rill__timer_is_set(&probe.timer));
    CHECK_INT(wheel.count, 0);
    rill__wheel_cancel(&wheel, &probe.timer);
    struct probe far = probe_at(RILL__NEVER - 1, 2);
    rill__wheel_set(&wheel, &far.timer);
    advance_to(UINT64_C(1) << 63);
    CHECK_INT(far.fired, 0);
    rill__wheel_cancel(&wheel, &far.timer);
    CHECK_INT(wheel.count, 0);
    CHECK(rill__wheel_next(&wheel) == RILL__NEVER);
}

TEST(a_deadline_in_the_past_fires_in_the_next_turn)
{
    start(10 * RILL__SECOND);
    struct probe probe = probe_at(1, 1);
    rill__wheel_set(&wheel, &probe.timer);
    CHECK(rill__wheel_next(&wheel) <= now);
    advance_to(now);
    CHECK_INT(probe.fired, 1);
}

TEST(a_cancelled_timer_does_not_fire)
{
    start(0);
    struct probe one = probe_at(10 * TICK, 1), two = probe_at(10 * TICK, 2);
    rill__wheel_set(&wheel, &one.timer);
    rill__wheel_set(&wheel, &two.timer);
    rill__wheel_cancel(&wheel, &one.timer);
    rill__wheel_cancel(&wheel, &one.timer);
    CHECK(!rill__timer_is_set(&one.timer));
    advance_to(20 * TICK);
    CHECK_INT(one.fired, 0);
    CHECK_INT(two.fired, 1);
    rill__wheel_cancel(&wheel, &two.timer);
    CHECK_INT(wheel.count, 0);
}

/* ---- what a firing timer may do ---- */

static struct probe other;

static void fire_and_cancel_other(rill__timer *timer)
{
    fire(timer);
    rill__wheel_cancel(&wheel, &other.timer);
}

TEST(a_firing_timer_can_cancel_one_that_is_due_too)
{
    start(0);
    struct probe first = probe_at(TICK, 1);
    first.timer.fire = fire_and_cancel_other;
    other = probe_at(2 * TICK, 2);
    rill__wheel_set(&wheel, &other.timer);
    rill__wheel_set(&wheel, &first.timer);
    advance_to(10 * TICK);
    CHECK_INT(first.fired, 1);
    CHECK_INT(other.fired, 0);
    CHECK_INT(wheel.count, 0);
}

static void fire_and_set_again(rill__timer *timer)
{
    fire(timer);
    timer->deadline = now;
    rill__wheel_set(&wheel, timer);
}

TEST(a_timer_set_while_firing_waits_for_the_next_turn)
{
    start(0);
    struct probe probe = probe_at(TICK, 1);
    probe.timer.fire = fire_and_set_again;
    rill__wheel_set(&wheel, &probe.timer);
    for (int turn = 1; turn <= 5; turn++) {
        advance_to(now + 2 * TICK);
        CHECK_INT(probe.fired, turn);
    }
    rill__wheel_cancel(&wheel, &probe.timer);
}

/* ---- against a model ---- */

enum { MODEL_TIMERS = 300, MODEL_STEPS = 100000 };
static struct probe model[MODEL_TIMERS];
static uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
static uint64_t last_fired;

static uint64_t pick(uint64_t bound)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % bound;
}

static void fire_in_model(rill__timer *timer)
{
    fire(timer);
    CHECK(timer->deadline >= last_fired);
    last_fired = timer->deadline;
}

/* After an advance nothing may be left that was due a tick ago. */
static void check_none_overdue(void)
{
    size_t set = 0;
    for (int i = 0; i < MODEL_TIMERS; i++) {
        if (!rill__timer_is_set(&model[i].timer))
            continue;
        set++;
        CHECK(model[i].timer.deadline + TICK > now);
    }
    CHECK_INT(wheel.count, set);
}

static void check_next_is_soon_enough(void)
{
    uint64_t first = RILL__NEVER;
    for (int i = 0; i < MODEL_TIMERS; i++)
        if (rill__timer_is_set(&model[i].timer) && model[i].timer.deadline < first)
            first = model[i].timer.deadline;
    uint64_t next = rill__wheel_next(&wheel);
    if (first == RILL__NEVER)
        CHECK(next == RILL__NEVER);
    else
        CHECK(next < first + TICK || next <= now);
}

static void model_step(void)
{
    struct probe *probe = &model[pick(MODEL_TIMERS)];
    if (pick(4) == 0) {
        uint64_t step = pick(UINT64_C(1) << (10 + pick(30)));
        last_fired = 0;
        advance_to(now + step);
        check_none_overdue();
        check_next_is_soon_enough();
    } else if (rill__timer_is_set(&probe->timer)) {
        rill__wheel_cancel(&wheel, &probe->timer);
    } else {
        probe->timer.deadline = now + pick(UINT64_C(1) << (1 + pick(46)));
        rill__wheel_set(&wheel, &probe->timer);
    }
}

TEST(a_hundred_thousand_random_operations_agree_with_a_plain_table)
{
    start(pick(UINT64_C(1) << 50));
    for (int i = 0; i < MODEL_TIMERS; i++)
        model[i] = (struct probe){ .timer = { .fire = fire_in_model }, .id = i };
    for (int step = 0; step < MODEL_STEPS && test_failures() == 0; step++)
        model_step();
    CHECK(fired_count > 1000);
}

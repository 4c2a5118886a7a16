/*
 * Channels: meeting and buffering, the order, the ends that come and go, cancelling at each state,
 * and that every value is received once or its send has failed.
 */
#include "base/alloc.h"
#include "in_task.h"

#include <rill/rill.h>
#include <stdlib.h>

struct end {
    rill_channel channel;
    int value;
};

static int send_it(void *arg)
{
    struct end *end = arg;
    return rill_channel_send(end->channel.sender, &end->value);
}

static int recv_it(void *arg)
{
    struct end *end = arg;
    return rill_channel_recv(end->channel.receiver, &end->value);
}

static void free_both(rill_channel channel)
{
    rill_sender_free(channel.sender);
    rill_receiver_free(channel.receiver);
}

static int recv_int(rill_receiver *receiver)
{
    int value = -1;
    CHECK_INT(rill_channel_recv(receiver, &value), 0);
    return value;
}

/* ---- meeting ---- */

TASK_TEST(without_a_capacity_a_send_waits_for_its_receiver)
{
    rill_channel channel = rill_channel_new(sizeof(int));
    struct end end = { channel, 5 };
    rill_task task = rill_spawn(send_it, &end);
    rill_sleep(0);
    CHECK(!rill_task_done(task));
    CHECK_INT(rill_channel_count(channel.receiver), 0);
    CHECK_INT(recv_int(channel.receiver), 5);
    CHECK_INT(rill_join(task), 0);
    int value = 6;
    CHECK_INT(rill_channel_try_send(channel.sender, &value), RILL_EAGAIN);
    CHECK_CONTAINS(rill_last_error()->message, "channel send");
    CHECK_INT(rill_channel_try_recv(channel.receiver, &value), RILL_EAGAIN);
    CHECK_CONTAINS(rill_last_error()->message, "channel receive");
    task = rill_spawn(recv_it, &end);
    rill_sleep(0);
    CHECK_INT(rill_channel_try_send(channel.sender, &value), 0);
    CHECK_INT(end.value, 6); /* copied straight to where it is wanted */
    CHECK_INT(rill_join(task), 0);
    free_both(channel);
}

TASK_TEST(with_a_capacity_so_many_values_are_under_way)
{
    rill_channel channel = rill_channel_new(sizeof(int), .capacity = 2);
    struct end end = { channel, 3 };
    for (int i = 1; i <= 2; i++)
        CHECK_INT(rill_channel_send(channel.sender, &i), 0);
    rill_task task = rill_spawn(send_it, &end);
    rill_sleep(0);
    CHECK(!rill_task_done(task));
    CHECK_INT(rill_channel_count(channel.receiver), 2);
    for (int i = 1; i <= 3; i++)
        CHECK_INT(recv_int(channel.receiver), i);
    CHECK_INT(rill_join(task), 0);
    free_both(channel);
}

TASK_TEST(an_unlimited_channel_takes_everything)
{
    rill_channel channel = rill_channel_new(sizeof(int), .capacity = RILL_UNLIMITED);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(rill_channel_try_send(channel.sender, &i), 0);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(recv_int(channel.receiver), i);
    free_both(channel);
}

TASK_TEST(large_values_are_copied_whole)
{
    struct large {
        int numbers[300];
    } *in = calloc(1, sizeof *in), *out = calloc(1, sizeof *out);
    rill_channel channel = rill_channel_new(sizeof *in, .capacity = 1);
    for (int i = 0; i < 300; i++)
        in->numbers[i] = i;
    CHECK_INT(rill_channel_send(channel.sender, in), 0);
    CHECK_INT(rill_channel_recv(channel.receiver, out), 0);
    CHECK(memcmp(in, out, sizeof *in) == 0);
    free(in);
    free(out);
    free_both(channel);
}

TASK_TEST(who_has_waited_longest_comes_first)
{
    rill_channel channel = rill_channel_new(sizeof(int));
    struct end all[5];
    rill_task tasks[5];
    for (int i = 0; i < 5; i++) {
        all[i] = (struct end){ channel, i };
        tasks[i] = rill_spawn(send_it, &all[i]);
    }
    rill_sleep(0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(recv_int(channel.receiver), i);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(rill_join(tasks[i]), 0);
        tasks[i] = rill_spawn(recv_it, &all[i]);
    }
    rill_sleep(0);
    for (int i = 10; i < 15; i++)
        CHECK_INT(rill_channel_send(channel.sender, &i), 0);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(rill_join(tasks[i]), 0);
        CHECK_INT(all[i].value, 10 + i);
    }
    free_both(channel);
}

/* ---- cancelling ---- */

TASK_TEST(a_cancelled_send_did_not_happen_and_a_cancelled_receive_took_nothing)
{
    rill_channel channel = rill_channel_new(sizeof(int));
    struct end end = { channel, 1 };
    rill_task task = rill_spawn(send_it, &end);
    rill_sleep(0);
    rill_cancel(task);
    int value = 7;
    CHECK_INT(rill_channel_try_recv(channel.receiver, &value), RILL_EAGAIN);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    task = rill_spawn(recv_it, &end);
    rill_sleep(0);
    rill_cancel(task);
    CHECK_INT(rill_channel_try_send(channel.sender, &value), RILL_EAGAIN);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(end.value, 1);
    CHECK_INT(rill_within(0, send_it, &end), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0, recv_it, &end), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0.005, send_it, &end), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0.005, recv_it, &end), RILL_ETIMEDOUT);
    free_both(channel);
}

TASK_TEST(the_result_wins_over_a_cancellation_that_comes_after_it)
{
    rill_channel channel = rill_channel_new(sizeof(int));
    struct end end = { channel, 1 };
    rill_task task = rill_spawn(recv_it, &end);
    rill_sleep(0);
    int value = 8;
    CHECK_INT(rill_channel_send(channel.sender, &value), 0);
    rill_cancel(task);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(end.value, 8);
    task = rill_spawn(send_it, &end);
    rill_sleep(0);
    CHECK_INT(recv_int(channel.receiver), 8);
    rill_cancel(task);
    CHECK_INT(rill_join(task), 0);
    free_both(channel);
}

/* ---- the ends ---- */

TASK_TEST(when_the_last_sender_leaves_what_was_sent_is_still_received)
{
    rill_channel channel = rill_channel_new(sizeof(int), .capacity = 2);
    rill_sender *second = rill_sender_clone(channel.sender);
    int value = 1;
    CHECK_INT(rill_channel_send(channel.sender, &value), 0);
    rill_sender_free(channel.sender);
    value = 2;
    CHECK_INT(rill_channel_send(second, &value), 0);
    rill_sender_free(second);
    CHECK_INT(recv_int(channel.receiver), 1);
    CHECK_INT(recv_int(channel.receiver), 2);
    CHECK_INT(rill_channel_recv(channel.receiver, &value), RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "no sender is left");
    CHECK_INT(rill_channel_try_recv(channel.receiver, &value), RILL_ECLOSED);
    rill_receiver_free(channel.receiver);
}

TASK_TEST(when_the_last_sender_leaves_receivers_stop_waiting)
{
    rill_channel channel = rill_channel_new(sizeof(int));
    struct end end = { channel, 1 };
    rill_task a = rill_spawn(recv_it, &end), b = rill_spawn(recv_it, &end);
    rill_sleep(0);
    rill_sender_free(channel.sender);
    CHECK_INT(rill_join(a), RILL_ECLOSED);
    CHECK_INT(rill_join(b), RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "no sender is left");
    rill_receiver_free(channel.receiver);
}

static int dropped;
static void drop(void *value)
{
    dropped += *(int *)value;
}

TASK_TEST(when_the_last_receiver_leaves_sending_fails)
{
    rill_channel channel = rill_channel_new(sizeof(int), .capacity = 1, .drop = drop);
    rill_receiver *second = rill_receiver_clone(channel.receiver);
    struct end end = { channel, 20 };
    int value = 10;
    CHECK_INT(rill_channel_send(channel.sender, &value), 0);
    rill_task task = rill_spawn(send_it, &end);
    rill_sleep(0);
    rill_receiver_free(channel.receiver);
    CHECK_INT(dropped, 0);
    CHECK(!rill_task_done(task));
    rill_receiver_free(second);
    CHECK_INT(dropped, 10); /* what was still to be sent is its sender's */
    CHECK_INT(rill_join(task), RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "no receiver is left");
    CHECK_INT(rill_channel_send(channel.sender, &value), RILL_ECLOSED);
    CHECK_INT(rill_channel_try_send(channel.sender, &value), RILL_ECLOSED);
    rill_sender_free(channel.sender);
}

TASK_TEST(an_end_that_is_freed_under_a_wait_ends_it)
{
    rill_channel channel = rill_channel_new(sizeof(int));
    struct end end = { channel, 1 };
    rill_task receiving = rill_spawn(recv_it, &end);
    rill_sleep(0);
    free_both((rill_channel){ NULL, channel.receiver });
    rill_sender_free(channel.sender); /* the channel is gone before the task runs */
    CHECK_INT(rill_join(receiving), RILL_ECLOSED);
    free_both((rill_channel){ 0 });
    CHECK(!rill_sender_clone(NULL));
    CHECK(!rill_receiver_clone(NULL));
}

/* ---- several of each ---- */

#define VALUES 500

struct produce {
    rill_sender *sender;
    int first;
};

static int produce(void *arg)
{
    const struct produce *given = arg;
    rill_auto(rill_sender) sender = given->sender;
    for (int i = 0; i < VALUES; i++) {
        int value = given->first + i;
        if (rill_channel_send(sender, &value) < 0)
            return rill_errcode();
        if (i % 17 == given->first % 7)
            rill_sleep(0);
    }
    return 0;
}

static int seen[3 * VALUES], received[4];

struct consume {
    rill_receiver *receiver;
    int *count;
};

static int consume(void *arg)
{
    const struct consume *given = arg;
    rill_auto(rill_receiver) receiver = given->receiver;
    int value, rc;
    while ((rc = rill_channel_recv(receiver, &value)) == 0) {
        seen[value]++;
        ++*given->count;
    }
    return rc == RILL_ECLOSED ? 0 : rc;
}

static void many_to_many(int64_t capacity)
{
    rill_channel channel = rill_channel_new(sizeof(int), .capacity = capacity);
    struct produce producers[3];
    struct consume consumers[4];
    rill_group group;
    memset(seen, 0, sizeof seen);
    memset(received, 0, sizeof received);
    rill_group_begin(&group);
    for (int i = 0; i < 4; i++) {
        consumers[i] = (struct consume){ rill_receiver_clone(channel.receiver), &received[i] };
        rill_spawn(consume, &consumers[i], .group = &group);
    }
    for (int i = 0; i < 3; i++) {
        producers[i] = (struct produce){ rill_sender_clone(channel.sender), i * VALUES };
        rill_spawn(produce, &producers[i], .group = &group);
    }
    free_both(channel);
    CHECK_INT(rill_group_end(&group, 0), 0);
    for (int i = 0; i < 3 * VALUES; i++)
        CHECK_INT(seen[i], 1);
}

TASK_TEST(every_value_goes_to_one_receiver)
{
    many_to_many(0);
    many_to_many(1);
    many_to_many(7);
    many_to_many(RILL_UNLIMITED);
}

TASK_TEST(nobody_is_left_out)
{
    many_to_many(0);
    for (int i = 0; i < 4; i++)
        CHECK(received[i] > VALUES / 4);
}

/* ---- conservation: tasks are cancelled at random, and each value is accounted for ---- */

struct chance {
    rill_channel channel;
    bool sent[200];
    int got[200];
    int next;
    unsigned random;
};

static unsigned roll(struct chance *chance, unsigned sides)
{
    chance->random = chance->random * 1103515245u + 12345u;
    return (chance->random >> 16) % sides;
}

static int try_to_send(void *arg)
{
    struct chance *chance = arg;
    if (chance->next == 200)
        return 0;
    int value = chance->next++;
    int rc = rill_channel_send(chance->channel.sender, &value);
    chance->sent[value] = rc == 0;
    return rc;
}

static int try_to_recv(void *arg)
{
    struct chance *chance = arg;
    int value = -1;
    int rc = rill_channel_recv(chance->channel.receiver, &value);
    if (rc == 0)
        chance->got[value]++;
    else
        CHECK_INT(value, -1);
    return rc;
}

static void conserve(int64_t capacity, unsigned seed)
{
    struct chance chance = { .random = seed };
    chance.channel = rill_channel_new(sizeof(int), .capacity = capacity);
    rill_task tasks[16] = { 0 };
    for (int round = 0; round < 300; round++) {
        unsigned which = roll(&chance, 16);
        if (!tasks[which].id) {
            tasks[which] = rill_spawn(roll(&chance, 2) ? try_to_send : try_to_recv, &chance);
        } else {
            if (roll(&chance, 2))
                rill_cancel(tasks[which]);
            if (roll(&chance, 2) || rill_task_done(tasks[which])) {
                rill_cancel(tasks[which]);
                rill_join(tasks[which]);
                tasks[which] = (rill_task){ 0 };
            }
        }
        if (roll(&chance, 3) == 0)
            rill_sleep(0);
    }
    for (int i = 0; i < 16; i++)
        if (tasks[i].id) {
            rill_cancel(tasks[i]);
            rill_join(tasks[i]);
        }
    int value;
    while (rill_channel_try_recv(chance.channel.receiver, &value) == 0)
        chance.got[value]++;
    int sent = 0;
    for (int i = 0; i < 200; i++) {
        CHECK_INT(chance.got[i], chance.sent[i]);
        sent += chance.sent[i];
    }
    CHECK(sent > 5);
    free_both(chance.channel);
}

TASK_TEST(cancelled_at_random_no_value_is_lost_or_doubled)
{
    for (unsigned seed = 1; seed <= 60 && test_failures() == 0; seed++)
        conserve((int)(seed % 4) - 1, seed);
}

/* ---- misuse and memory ---- */

TEST(outside_a_task_only_what_need_not_wait_works)
{
    rill_channel channel = rill_channel_new(sizeof(int), .capacity = 1);
    int value = 1;
    CHECK_INT(rill_channel_send(channel.sender, &value), RILL_ENOTASK);
    CHECK_INT(rill_channel_recv(channel.receiver, &value), RILL_ENOTASK);
    CHECK_INT(rill_channel_try_send(channel.sender, &value), 0);
    CHECK_INT(rill_channel_try_recv(channel.receiver, &value), 0);
    free_both(channel);
}

TEST(senseless_options_are_refused)
{
    CHECK(!rill_channel_new_with(NULL).sender);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_channel_new(sizeof(int), .capacity = -2).receiver);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
}

TEST(making_a_channel_fails_at_each_allocation)
{
    for (unsigned long at = 1; at <= 2; at++) {
        rill_fail(RILL_EFAILED, "so that there is room for an error");
        rill__alloc_count = 0;
        rill__alloc_fail_at = at;
        rill_channel channel = rill_channel_new(sizeof(int), .capacity = 5);
        rill__alloc_fail_at = 0;
        CHECK(!channel.sender && !channel.receiver);
        CHECK_INT(rill_errcode(), RILL_ENOMEM);
    }
}

static int bounce(void *arg)
{
    struct end *end = arg;
    for (int i = 0; i < 1000; i++)
        if (rill_channel_send(end->channel.sender, &i) < 0)
            return rill_errcode();
    return 0;
}

TASK_TEST(a_hand_over_allocates_nothing)
{
    rill_channel channel = rill_channel_new(sizeof(int));
    struct end end = { channel, 0 };
    rill_task task = rill_spawn(bounce, &end);
    recv_int(channel.receiver);
    unsigned long count = rill__alloc_count;
    for (int i = 1; i < 1000; i++)
        CHECK_INT(recv_int(channel.receiver), i);
    CHECK_INT(rill__alloc_count, count);
    CHECK_INT(rill_join(task), 0);
    free_both(channel);
}

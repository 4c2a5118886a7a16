/*
 * Select: each kind of case, ready before and after the wait begins; that one happens and the
 * others leave no trace; failures, fairness, cancelling, and values that are neither lost nor
 * doubled.
 */
#include "base/alloc.h"
#include "in_task.h"
#include "runtime/source.h"

#include <fcntl.h>
#include <rill/rill.h>
#include <sys/socket.h>
#include <unistd.h>

static void free_both(rill_channel channel)
{
    rill_sender_free(channel.sender);
    rill_receiver_free(channel.receiver);
}

/* Does something after a moment, while the test selects. */
struct later {
    rill_channel channel;
    rill_queue *queue;
    rill_event *event;
    int fd;
    int value;
    int result;
    rill_task task;
};

static int send_later(void *arg)
{
    struct later *later = arg;
    rill_sleep(0);
    return later->result = rill_channel_send(later->channel.sender, &later->value);
}

static int recv_later(void *arg)
{
    struct later *later = arg;
    rill_sleep(0);
    return later->result = rill_channel_recv(later->channel.receiver, &later->value);
}

static int put_later(void *arg)
{
    struct later *later = arg;
    rill_sleep(0);
    return later->result = rill_queue_put(later->queue, &later->value);
}

static int get_later(void *arg)
{
    struct later *later = arg;
    rill_sleep(0);
    return later->result = rill_queue_get(later->queue, &later->value);
}

static int set_later(void *arg)
{
    struct later *later = arg;
    rill_sleep(0);
    rill_event_set(later->event);
    return 0;
}

static int write_later(void *arg)
{
    struct later *later = arg;
    rill_sleep(0);
    return write(later->fd, "x", 1) == 1 ? 0 : rill_fail(RILL_EFAILED, "write");
}

/* ---- each kind ---- */

TASK_TEST(a_value_is_received_now_and_later)
{
    rill_channel channel = rill_channel_new(sizeof(int), .capacity = 1);
    struct later later = { .channel = channel, .value = 3 };
    int value = 2;
    rill_case cases[] = { rill_case_after(60), rill_case_recv(channel.receiver, &value) };
    CHECK_INT(rill_channel_try_send(channel.sender, &value), 0);
    value = 0;
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(cases[1].result, 0);
    CHECK_INT(value, 2);
    rill_task task = rill_spawn(send_later, &later);
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(value, 3);
    CHECK_INT(rill_join(task), 0);
    free_both(channel);
}

TASK_TEST(a_value_is_sent_now_and_later)
{
    rill_channel channel = rill_channel_new(sizeof(int));
    struct later later = { .channel = channel };
    int value = 4;
    rill_case cases[] = { rill_case_send(channel.sender, &value), rill_case_after(60) };
    rill_task task = rill_spawn(recv_later, &later);
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(later.value, 4);
    task = rill_spawn(recv_later, &later);
    rill_sleep(0);
    rill_sleep(0); /* it waits already */
    value = 5;
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(later.value, 5);
    CHECK_INT(rill_join(task), 0);
    free_both(channel);
}

TASK_TEST(elements_are_put_and_got_now_and_later)
{
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 1);
    struct later later = { .queue = queue, .value = 6 };
    int out = 1, in = 0;
    rill_case put[] = { rill_case_after(60), rill_case_put(queue, &out) };
    rill_case get[] = { rill_case_after(60), rill_case_get(queue, &in) };
    CHECK_INT(rill_select(put, 2), 1);
    CHECK_INT(rill_select(get, 2), 1);
    CHECK_INT(in, 1);
    rill_task task = rill_spawn(put_later, &later);
    CHECK_INT(rill_select(get, 2), 1);
    CHECK_INT(in, 6);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(rill_select(put, 2), 1);
    out = 7;
    task = rill_spawn(get_later, &later);
    CHECK_INT(rill_select(put, 2), 1);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(later.value, 1);
    CHECK_INT(rill_queue_try_get(queue, &in), 0);
    CHECK_INT(in, 7);
}

TASK_TEST(an_event_is_set_now_and_later)
{
    rill_event event;
    rill_event_init(&event);
    struct later later = { .event = &event };
    rill_case cases[] = { rill_case_event(&event), rill_case_after(60) };
    rill_task task = rill_spawn(set_later, &later);
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(cases[0].result, 0);
    CHECK_INT(rill_join(task), 0);
}

TASK_TEST(time_passes)
{
    double start = rill_now();
    rill_case cases[] = { rill_case_after(0.02), rill_case_after(0.01), rill_case_after(60),
                          rill_case_after(RILL_FOREVER) };
    CHECK_INT(rill_select(cases, 4), 1);
    CHECK(rill_now() - start >= 0.01);
    CHECK(rill_now() - start < 0.02 + 5);
    rill_case now[] = { rill_case_after(60), rill_case_after(-0.5) };
    CHECK_INT(rill_select(now, 2), 1);
    now[1] = rill_case_after(0);
    CHECK_INT(rill_select(now, 2), 1);
}

TASK_TEST(descriptors_become_ready)
{
    int fds[2];
    char byte;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    struct later later = { .fd = fds[1] };
    rill_case cases[] = { rill_case_readable(fds[0]), rill_case_after(60) };
    rill_task task = rill_spawn(write_later, &later);
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(cases[0].result, 0);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(rill_select(cases, 2), 0); /* it has not been read */
    CHECK_INT(read(fds[0], &byte, 1), 1);
    rill_case both[] = { rill_case_readable(fds[0]), rill_case_writable(fds[0]) };
    CHECK_INT(rill_select(both, 2), 1); /* the same descriptor twice */
    CHECK_INT(both[1].result, 0);
    close(fds[1]);
    CHECK_INT(rill_select(cases, 2), 0); /* the end of input */
    close(fds[0]);
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(cases[0].result, RILL_EOS);
    CHECK_CONTAINS(rill_last_error()->message, "descriptor");
    int file = open("/proc/self/exe", O_RDONLY);
    cases[0] = rill_case_readable(file);
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(cases[0].result, 0);
    close(file);
}

TASK_TEST(a_descriptor_that_was_only_tried_is_let_go)
{
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    size_t pending = rill__loop_driver()->pending;
    rill_case cases[] = { rill_case_readable(fds[0]), rill_case_after(0) };
    CHECK_INT(rill_select(cases, 2, .ordered = true), 1);
    CHECK_INT(rill__loop_driver()->pending, pending);
    cases[1] = rill_case_event(&(rill_event){ 0 });
    CHECK_INT(rill_select(cases, 2, .no_wait = true), RILL_EAGAIN);
    CHECK_INT(rill__loop_driver()->pending, pending);
    close(fds[0]);
    close(fds[1]);
}

static int fail_later(void *arg)
{
    (void)arg;
    rill_sleep(0);
    return rill_fail(RILL_EREFUSED, "as planned");
}

TASK_TEST(a_task_has_ended_now_and_later)
{
    rill_task task = rill_spawn(fail_later, NULL), gone = task;
    rill_case cases[] = { rill_case_after(60), rill_case_task(task) };
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(cases[1].result, 0);
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(rill_join(task), RILL_EREFUSED); /* it is not joined by that */
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(cases[1].result, RILL_ESTALE);
    CHECK_CONTAINS(rill_last_error()->message, "joined or detached");
    CHECK_INT(rill_join(gone), RILL_ESTALE);
    cases[1] = rill_case_task(rill_self());
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(cases[1].result, RILL_EDEADLOCK);
    CHECK_CONTAINS(rill_last_error()->message, "its own end");
}

TASK_TEST(a_task_of_a_group_and_one_that_is_joined_elsewhere_end_as_well)
{
    rill_group group;
    rill_group_begin(&group, .supervisor = true);
    rill_case cases[] = { rill_case_task(rill_spawn(sleep_for, &a_moment, .group = &group)),
                          rill_case_after(60) };
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(cases[0].result, 0);
    CHECK_INT(rill_group_end(&group, 0), 0);
    rill_task task = rill_spawn(sleep_for, &a_moment);
    cases[0] = rill_case_task(task);
    cases[1] = rill_case_after(0.0001);
    CHECK_INT(rill_select(cases, 2), 1); /* and no longer watches it */
    CHECK_INT(rill_join(task), 0);
}

static int release_later(void *arg)
{
    rill_sleep(0);
    return rill_semaphore_release(arg);
}

TASK_TEST(a_semaphore_is_acquired_now_and_later_and_no_grant_is_lost)
{
    rill_semaphore semaphore;
    rill_semaphore_init(&semaphore, 1);
    rill_case cases[] = { rill_case_acquire(&semaphore), rill_case_after(60) };
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(rill_semaphore_value(&semaphore), 0);
    cases[1] = rill_case_after(0.0001);
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(rill_semaphore_release(&semaphore), 0);
    CHECK_INT(rill_semaphore_value(&semaphore), 1);
    CHECK_INT(rill_semaphore_acquire(&semaphore), 0);
    rill_task task = rill_spawn(release_later, &semaphore);
    cases[1] = rill_case_after(60);
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(rill_semaphore_value(&semaphore), 0);
    CHECK_INT(rill_join(task), 0);
}

static int hold_a_moment(void *arg)
{
    CHECK_INT(rill_mutex_lock(arg), 0);
    rill_sleep(0.001);
    return rill_mutex_unlock(arg);
}

TASK_TEST(a_mutex_is_locked_now_and_later)
{
    rill_mutex mutex;
    rill_mutex_init(&mutex);
    rill_case cases[] = { rill_case_lock(&mutex), rill_case_after(60) };
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK(rill_mutex_is_locked(&mutex));
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(cases[0].result, RILL_EDEADLOCK);
    CHECK_CONTAINS(rill_last_error()->message, "lock");
    CHECK_INT(rill_mutex_unlock(&mutex), 0);
    rill_task task = rill_spawn(hold_a_moment, &mutex);
    rill_sleep(0);
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(cases[0].result, 0);
    CHECK_INT(rill_mutex_unlock(&mutex), 0);
    CHECK_INT(rill_join(task), 0);
}

static int select_readable(void *arg)
{
    rill_case cases[] = { rill_case_readable(*(int *)arg), rill_case_after(60) };
    int which = rill_select(cases, 2);
    return which == 0 ? cases[0].result : which;
}

TASK_TEST(two_tasks_may_wait_for_one_descriptor)
{
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    rill_task a = rill_spawn(select_readable, &fds[0]), b = rill_spawn(select_readable, &fds[0]);
    rill_sleep(0);
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(rill_join(a), 0);
    CHECK_INT(rill_join(b), 0);
    close(fds[0]);
    close(fds[1]);
}

TASK_TEST(null_is_a_case_that_never_happens)
{
    int value = 0;
    rill_case cases[] = { rill_case_send(NULL, &value), rill_case_recv(NULL, &value),
                          rill_case_put(NULL, &value),  rill_case_get(NULL, &value),
                          rill_case_event(NULL),        rill_case_acquire(NULL),
                          rill_case_lock(NULL),         rill_case_after(0.001) };
    CHECK_INT(rill_select(cases, 8), 7);
}

/* A case of a kind that a module above the runtime adds. */
static rill__waitq door;
static bool open_door;

static int attempt_door(rill_case *self)
{
    return open_door ? *(int *)self->subject : RILL_EAGAIN;
}

static void enter_door(rill_case *self)
{
    rill__case_enter(self, &door);
}

static int fail_door(const rill_case *self, int result)
{
    CHECK(self->source->attempt == attempt_door);
    return rill_fail(result, "the door");
}

static const rill__source door_source = {
    .attempt = attempt_door,
    .enter = enter_door,
    .fail = fail_door,
};

static int finish_door(void *arg)
{
    rill__waiter_finish(rill__waitq_first(&door), *(int *)arg);
    return 0;
}

TASK_TEST(a_kind_of_ones_own)
{
    int seven = 7, refused = RILL_EREFUSED;
    rill__waitq_init(&door);
    rill_case cases[] = { rill_case_after(60), rill__case(&door_source, &seven, NULL) };
    open_door = true;
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(cases[1].result, 7);
    open_door = false;
    rill_task task = rill_spawn(finish_door, &refused);
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(cases[1].result, RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "the door");
    CHECK(rill__waitq_empty(&door));
    CHECK_INT(rill_join(task), 0);
}

/* ---- one happens, the others leave no trace ---- */

TASK_TEST(the_losers_leave_no_trace)
{
    rill_channel in = rill_channel_new(sizeof(int)), out = rill_channel_new(sizeof(int));
    rill_auto(rill_queue) full = rill_queue_new(sizeof(int), .capacity = 1);
    rill_auto(rill_queue) empty = rill_queue_new(sizeof(int));
    rill_event event;
    rill_event_init(&event);
    int got = -1, sent = 5, fds[2];
    REQUIRE(pipe(fds) == 0);
    CHECK_INT(rill_queue_put(full, &sent), 0);
    rill_case cases[] = {
        rill_case_recv(in.receiver, &got),
        rill_case_send(out.sender, &sent),
        rill_case_put(full, &sent),
        rill_case_get(empty, &got),
        rill_case_event(&event),
        rill_case_readable(fds[0]),
        rill_case_after(0.002),
    };
    CHECK_INT(rill_select(cases, 7), 6);
    CHECK_INT(got, -1);
    CHECK_INT(rill_channel_try_send(in.sender, &sent), RILL_EAGAIN); /* nobody waits there */
    CHECK_INT(rill_channel_try_recv(out.receiver, &got), RILL_EAGAIN);
    CHECK_INT(rill_queue_try_get(full, &got), 0);
    CHECK(rill_queue_is_empty(full));
    CHECK_INT(rill_queue_try_put(empty, &sent), 0);
    CHECK_INT(rill_queue_count(empty), 1);
    rill_event_set(&event);
    free_both(in);
    free_both(out);
    close(fds[0]);
    close(fds[1]);
}

/* Two that happen at the same time, side by side in the queue, wheel or batch of events. */
TASK_TEST(the_same_thing_may_stand_in_several_cases)
{
    int fds[4], one = 1, in[2] = { 0 };
    REQUIRE(pipe(fds) == 0);
    REQUIRE(pipe(fds + 2) == 0);
    rill_channel channel = rill_channel_new(sizeof(int));
    rill_event event;
    rill_event_init(&event);
    struct later later = { .channel = channel, .event = &event, .value = 4 };
    rill_case timers[] = { rill_case_after(0.001), rill_case_after(0.001) };
    CHECK(rill_select(timers, 2) >= 0);
    rill_task task = rill_spawn(set_later, &later);
    rill_case tasks[] = { rill_case_task(task), rill_case_task(task) };
    CHECK(rill_select(tasks, 2) >= 0);
    CHECK_INT(rill_join(task), 0);
    rill_event_clear(&event);
    task = rill_spawn(set_later, &later);
    rill_case events[] = { rill_case_event(&event), rill_case_event(&event) };
    CHECK(rill_select(events, 2) >= 0);
    CHECK_INT(rill_join(task), 0);
    task = rill_spawn(send_later, &later);
    rill_case values[] = { rill_case_recv(channel.receiver, &in[0]),
                           rill_case_recv(channel.receiver, &in[1]) };
    CHECK(rill_select(values, 2) >= 0);
    CHECK_INT(in[0] + in[1], 4);
    CHECK_INT(rill_join(task), 0);
    rill_case pipes[] = { rill_case_readable(fds[0]), rill_case_readable(fds[2]),
                          rill_case_readable(fds[0]) };
    rill_task a = rill_spawn(write_later, &(struct later){ .fd = fds[1] }),
              b = rill_spawn(write_later, &(struct later){ .fd = fds[3] });
    int which = rill_select(pipes, 3);
    CHECK(which >= 0 && pipes[which].result == 0);
    CHECK_INT(rill_join(a), 0);
    CHECK_INT(rill_join(b), 0);
    CHECK_INT(rill_channel_try_send(channel.sender, &one), RILL_EAGAIN);
    free_both(channel);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

struct selecting {
    rill_receiver *a, *b;
    int x, y;
};

static int select_two(void *arg)
{
    struct selecting *selecting = arg;
    rill_case cases[] = { rill_case_recv(selecting->a, &selecting->x),
                          rill_case_recv(selecting->b, &selecting->y) };
    return rill_select(cases, 2);
}

TASK_TEST(a_decided_select_is_given_nothing_more)
{
    rill_channel a = rill_channel_new(sizeof(int)), b = rill_channel_new(sizeof(int));
    struct selecting selecting = { a.receiver, b.receiver, 0, 0 };
    rill_task task = rill_spawn(select_two, &selecting);
    rill_sleep(0);
    int one = 1;
    CHECK_INT(rill_channel_try_send(b.sender, &one), 0);
    CHECK_INT(rill_channel_try_send(a.sender, &one), RILL_EAGAIN);
    CHECK_INT(rill_channel_try_send(b.sender, &one), RILL_EAGAIN);
    rill_cancel(task); /* the result wins */
    CHECK_INT(rill_join(task), 1);
    CHECK_INT(selecting.x, 0);
    CHECK_INT(selecting.y, 1);
    free_both(a);
    free_both(b);
}

static int select_both_ways(void *arg)
{
    struct later *later = arg;
    int out = later->value, in = -1;
    rill_case cases[] = { rill_case_send(later->channel.sender, &out),
                          rill_case_recv(later->channel.receiver, &in) };
    int which = rill_select(cases, 2);
    later->result = in;
    return which;
}

TASK_TEST(two_selects_meet_and_none_meets_itself)
{
    rill_channel channel = rill_channel_new(sizeof(int));
    struct later a = { .channel = channel, .value = 1 }, b = { .channel = channel, .value = 2 };
    rill_task first = rill_spawn(select_both_ways, &a);
    rill_sleep(0);
    CHECK(!rill_task_done(first));
    rill_task second = rill_spawn(select_both_ways, &b);
    int one = rill_join(first), other = rill_join(second);
    CHECK_INT(one + other, 1);
    CHECK_INT(a.result, one == 0 ? -1 : 2);
    CHECK_INT(b.result, one == 0 ? 1 : -1);
    free_both(channel);
}

/* ---- failures ---- */

TASK_TEST(a_case_that_fails_has_happened)
{
    rill_channel channel = rill_channel_new(sizeof(int));
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int));
    int value = 1;
    rill_sender_free(channel.sender);
    rill_case cases[] = { rill_case_after(60), rill_case_recv(channel.receiver, &value) };
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(cases[1].result, RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "no sender is left");
    rill_receiver_free(channel.receiver);
    rill_queue_shutdown(queue, false);
    cases[1] = rill_case_put(queue, &value);
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(cases[1].result, RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "queue put");
    cases[1] = rill_case_get(queue, &value);
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_CONTAINS(rill_last_error()->message, "queue get");
}

static int leave_later(void *arg)
{
    rill_sleep(0);
    rill_receiver_free(arg);
    return 0;
}

TASK_TEST(a_case_that_fails_later_has_happened)
{
    rill_channel channel = rill_channel_new(sizeof(int));
    int value = 1;
    rill_case cases[] = { rill_case_send(channel.sender, &value), rill_case_after(60) };
    rill_task task = rill_spawn(leave_later, channel.receiver);
    CHECK_INT(rill_select(cases, 2), 0);
    CHECK_INT(cases[0].result, RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "no receiver is left");
    CHECK_INT(rill_join(task), 0);
    rill_sender_free(channel.sender);
}

static int free_later(void *arg)
{
    rill_sleep(0);
    rill_queue_free(arg);
    return 0;
}

TASK_TEST(a_queue_that_is_freed_ends_the_select)
{
    rill_queue *queue = rill_queue_new(sizeof(int));
    int value;
    rill_case cases[] = { rill_case_after(60), rill_case_get(queue, &value) };
    rill_task task = rill_spawn(free_later, queue);
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(cases[1].result, RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "queue get");
    CHECK_INT(rill_join(task), 0);
}

TASK_TEST(without_waiting_nothing_ready_is_a_failure)
{
    rill_channel channel = rill_channel_new(sizeof(int), .capacity = 1);
    int value = 1, fds[2];
    REQUIRE(pipe(fds) == 0);
    rill_case cases[] = { rill_case_recv(channel.receiver, &value), rill_case_after(60),
                          rill_case_readable(fds[0]) };
    CHECK_INT(rill_select(cases, 3, .no_wait = true), RILL_EAGAIN);
    CHECK_STR(rill_last_error()->message, "select: nothing is ready");
    CHECK_INT(rill_channel_send(channel.sender, &value), 0);
    CHECK_INT(rill_select(cases, 3, .no_wait = true), 0);
    CHECK_INT(rill_select(cases, 0), RILL_EINVAL);
    free_both(channel);
    close(fds[0]);
    close(fds[1]);
}

TEST(outside_a_task_it_is_refused)
{
    rill_case cases[] = { rill_case_after(0) };
    CHECK_INT(rill_select(cases, 1), RILL_ENOTASK);
}

TASK_TEST(a_case_that_was_only_attempted_is_left_alone)
{
    rill_task task = rill_spawn(sleep_for, &for_ever);
    rill_case cases[] = { rill_case_after(60), rill_case_task(task), rill_case_after(0) };
    for (int i = 0; i < 3; i++)
        memset(cases[i].state, 0xee, sizeof cases[i].state);
    CHECK_INT(rill_select(cases, 3, .ordered = true), 2);
    for (int i = 0; i < 3; i++)
        memset(cases[i].state, 0xee, sizeof cases[i].state);
    CHECK_INT(rill_select(cases, 2, .no_wait = true), RILL_EAGAIN);
    rill_cancel(task);
    rill_join(task);
}

/* ---- order ---- */

static void count_wins(int *wins, bool ordered)
{
    rill_case cases[] = { rill_case_after(60), rill_case_after(0), rill_case_after(0),
                          rill_case_after(0) };
    for (int i = 0; i < 600; i++)
        wins[rill_select(cases, 4, .ordered = ordered)]++;
}

TASK_TEST(of_several_that_are_ready_each_has_its_turn)
{
    int wins[4] = { 0 };
    count_wins(wins, false);
    CHECK_INT(wins[0], 0);
    for (int i = 1; i < 4; i++)
        CHECK(wins[i] > 60);
}

TASK_TEST(ordered_the_first_that_is_ready_wins)
{
    int wins[4] = { 0 };
    count_wins(wins, true);
    CHECK_INT(wins[1], 600);
}

TASK_TEST(a_select_that_never_has_to_wait_lets_the_others_run)
{
    rill_event event;
    rill_event_init(&event);
    struct later later = { .event = &event };
    rill_task task = rill_spawn(set_later, &later);
    rill_case cases[] = { rill_case_event(&event), rill_case_after(0) };
    int turns = 0;
    while (rill_select(cases, 2, .ordered = true) == 1 && turns < 1000)
        turns++;
    CHECK(turns < 1000);
    CHECK_INT(rill_join(task), 0);
}

/* ---- cancelling ---- */

static int select_forever(void *arg)
{
    struct later *later = arg;
    int got;
    rill_case cases[] = {
        rill_case_recv(later->channel.receiver, &got),
        rill_case_put(later->queue, &later->value),
        rill_case_event(later->event),
        rill_case_readable(later->fd),
        rill_case_after(60),
        rill_case_task(later->task),
    };
    return rill_select(cases, 6);
}

TASK_TEST(cancelled_none_of_the_cases_has_happened)
{
    int fds[2], value = 1;
    REQUIRE(pipe(fds) == 0);
    rill_event event;
    rill_event_init(&event);
    rill_auto(rill_queue) queue = rill_queue_new(sizeof(int), .capacity = 1);
    rill_channel channel = rill_channel_new(sizeof(int));
    struct later later = { channel, queue, &event, fds[0], 9, 0, { 0 } };
    CHECK_INT(rill_queue_put(queue, &value), 0);
    later.task = rill_spawn(sleep_for, &for_ever);
    rill_task task = rill_spawn(select_forever, &later);
    rill_sleep(0);
    rill_cancel(task);
    CHECK_INT(rill_channel_try_send(channel.sender, &value), RILL_EAGAIN);
    CHECK_INT(rill_queue_try_get(queue, &value), 0);
    CHECK(rill_queue_is_empty(queue));
    rill_event_set(&event);
    rill_event_clear(&event);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(rill_queue_put(queue, &value), 0);
    CHECK_INT(rill_within(0, select_forever, &later), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0.005, select_forever, &later), RILL_ETIMEDOUT);
    rill_event_set(&event);
    CHECK_INT(rill_within(0, select_forever, &later), RILL_ETIMEDOUT); /* though one is ready */
    CHECK_INT(rill_queue_count(queue), 1);
    rill_cancel(later.task);
    CHECK_INT(rill_join(later.task), RILL_ECANCELED);
    free_both(channel);
    close(fds[0]);
    close(fds[1]);
}

/* ---- conservation ---- */

#define VALUES 300

struct chance {
    rill_channel a, b;
    int next;
    bool sent[VALUES];
    int got[VALUES];
    unsigned random;
};

static unsigned roll(struct chance *chance, unsigned sides)
{
    chance->random = chance->random * 1103515245u + 12345u;
    return (chance->random >> 16) % sides;
}

/* Sends one value to either channel, or receives one from either: whatever is possible first. */
static int trade(void *arg)
{
    struct chance *chance = arg;
    if (chance->next == VALUES)
        return 0;
    int out = chance->next++, in[2] = { -1, -1 };
    rill_case cases[] = {
        rill_case_send(chance->a.sender, &out),       rill_case_recv(chance->a.receiver, &in[0]),
        rill_case_recv(chance->b.receiver, &in[1]),   rill_case_send(chance->b.sender, &out),
        rill_case_after(roll(chance, 100) / 50000.0),
    };
    int which = rill_select(cases, roll(chance, 2) ? 5 : 4);
    chance->sent[out] = which == 0 || which == 3;
    CHECK_INT(in[0] >= 0, which == 1);
    CHECK_INT(in[1] >= 0, which == 2);
    if (which == 1 || which == 2)
        chance->got[in[which - 1]]++;
    return which < 0 ? which : 0;
}

static void drain(struct chance *chance, rill_receiver *receiver)
{
    int value;
    while (rill_channel_try_recv(receiver, &value) == 0)
        chance->got[value]++;
}

static void conserve(unsigned seed)
{
    struct chance chance = { .random = seed };
    rill_task tasks[12] = { 0 };
    chance.a = rill_channel_new(sizeof(int));
    chance.b = rill_channel_new(sizeof(int), .capacity = seed % 3);
    for (int round = 0; round < 400; round++) {
        unsigned which = roll(&chance, 12);
        if (!tasks[which].id) {
            tasks[which] = rill_spawn(trade, &chance);
        } else if (roll(&chance, 2) || rill_task_done(tasks[which])) {
            rill_cancel(tasks[which]);
            rill_join(tasks[which]);
            tasks[which] = (rill_task){ 0 };
        }
        if (roll(&chance, 3) == 0)
            rill_sleep(0);
    }
    for (int i = 0; i < 12; i++)
        if (tasks[i].id) {
            rill_cancel(tasks[i]);
            rill_join(tasks[i]);
        }
    drain(&chance, chance.a.receiver);
    drain(&chance, chance.b.receiver);
    int sent = 0;
    for (int i = 0; i < VALUES; i++) {
        CHECK_INT(chance.got[i], chance.sent[i]);
        sent += chance.sent[i];
    }
    CHECK(sent > 20);
    free_both(chance.a);
    free_both(chance.b);
}

TASK_TEST(cancelled_at_random_no_value_is_lost_or_doubled)
{
    for (unsigned seed = 1; seed <= 40 && test_failures() == 0; seed++)
        conserve(seed);
}

/* ---- memory ---- */

TASK_TEST(a_select_allocates_nothing)
{
    rill_channel channel = rill_channel_new(sizeof(int), .capacity = 1);
    int value = 1, fds[2];
    REQUIRE(pipe(fds) == 0);
    rill_case cases[] = { rill_case_recv(channel.receiver, &value), rill_case_readable(fds[0]),
                          rill_case_after(0.001) };
    unsigned long count = rill__alloc_count;
    CHECK_INT(rill_select(cases, 3), 2);
    CHECK_INT(rill_channel_send(channel.sender, &value), 0);
    CHECK_INT(rill_select(cases, 3), 0);
    CHECK_INT(rill__alloc_count, count);
    free_both(channel);
    close(fds[0]);
    close(fds[1]);
}

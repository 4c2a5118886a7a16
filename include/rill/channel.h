/*
 * Channels: values of one size that go from tasks that send to tasks that receive.
 *
 *     rill_channel channel = rill_channel_new(sizeof(int), .capacity = 8);
 *     rill_spawn(produce, channel.sender);
 *     rill_spawn(consume, channel.receiver);
 *
 *     static int produce(void *arg)
 *     {
 *         rill_auto(rill_sender) sender = arg;     // leaves at the end of the function
 *         for (int i = 0; i < 10; i++)
 *             if (rill_channel_send(sender, &i) < 0)
 *                 return rill_errcode();
 *         return 0;
 *     }
 *
 * A channel has two ends, each held by any number of tasks: clone a sender for each task that
 * sends, a receiver for each that receives, and free each when its task is through. When the last
 * sender is gone, what was sent can still be received, then receiving fails with RILL_ECLOSED; when
 * the last receiver is gone, sending does. The channel's memory goes with its last end.
 *
 * Without a capacity a channel is a meeting: a send returns when its value has been received. With
 * one, so many values can be under way. Every value goes to one receiver, the one that has waited
 * longest, and is copied straight to where it wants it. Nothing is allocated once the channel is
 * made, unless it is unlimited. Nothing here is for threads.
 */
#ifndef RILL_CHANNEL_H
#define RILL_CHANNEL_H

#include <rill/error.h>

RILL_BEGIN_DECLS

typedef struct rill_sender rill_sender;
typedef struct rill_receiver rill_receiver;

/* The first sender and the first receiver of a channel, each to be freed by its owner. */
typedef struct rill_channel {
    rill_sender *sender;
    rill_receiver *receiver;
} rill_channel;

typedef struct rill_channel_opts {
    size_t size;
    size_t value_size; /* bytes; an alignment of 16 at most */
    int64_t capacity;  /* values that fit; RILL_UNLIMITED. Default: none, a send waits for its
                          receiver */
    /* Called with each value that nobody will receive any more, because the last receiver left: to
     * free what it points to. It must not use the channel. Default: nothing is called */
    void (*drop)(void *value);
} rill_channel_opts;

/* Makes a channel: rill_channel_new(sizeof(struct job), .capacity = 10).
 * Returns two NULLs with RILL_EINVAL or RILL_ENOMEM. */
#define rill_channel_new(...)                                                                      \
    rill_channel_new_with(RILL_OPTS(rill_channel_opts, .value_size = __VA_ARGS__))
RILL_API rill_channel rill_channel_new_with(const rill_channel_opts *opts);

/* One more sender, or receiver, of the same channel; to be freed as well. NULL for NULL. */
RILL_API rill_sender *rill_sender_clone(rill_sender *sender);
RILL_API rill_receiver *rill_receiver_clone(rill_receiver *receiver);

/* Leaves the channel. NULL is fine. When it is the last of its kind, tasks that still wait at this
 * end, and at the other one, fail with RILL_ECLOSED. */
RILL_API void rill_sender_free(rill_sender *sender);
RILL_API void rill_receiver_free(rill_receiver *receiver);
RILL_DEFINE_AUTO(rill_sender)
RILL_DEFINE_AUTO(rill_receiver)

/* Sends a value; waits while there is no room and no receiver for it.
 * Errors  RILL_ECLOSED  no receiver is left
 *         RILL_ENOMEM   an unlimited channel could not grow
 * Cancel  the value was not sent. */
RILL_AWAITS RILL_API int rill_channel_send(rill_sender *sender, const void *value);
/* Receives the oldest value; waits while there is none.
 * Errors  RILL_ECLOSED  no sender is left, and all that was sent has been received
 * Cancel  no value was taken. */
RILL_AWAITS RILL_API int rill_channel_recv(rill_receiver *receiver, void *value);

/* The same without waiting: RILL_EAGAIN when they would have to. Also outside tasks. */
RILL_API int rill_channel_try_send(rill_sender *sender, const void *value);
RILL_API int rill_channel_try_recv(rill_receiver *receiver, void *value);

/* How many values lie in the channel, sent and not received. */
RILL_API size_t rill_channel_count(const rill_receiver *receiver);

RILL_END_DECLS

#endif

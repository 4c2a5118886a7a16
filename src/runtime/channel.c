/* Channels: a handover with two counted ends. A sender and a receiver are the channel itself, seen
 * from one side, so that cloning one is adding one. */
#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/handover.h"

#include <rill/channel.h>

struct channel {
    rill__handover handover;
    size_t senders, receivers;
};

static struct channel *of_sender(const rill_sender *sender)
{
    return (struct channel *)(void *)sender;
}

static struct channel *of_receiver(const rill_receiver *receiver)
{
    return (struct channel *)(void *)receiver;
}

static void free_channel(struct channel *channel)
{
    rill__handover_finish(&channel->handover);
    rill__free(channel);
}

rill_channel rill_channel_new_with(const rill_channel_opts *given)
{
    rill_channel_opts opts;
    rill__opts_read(opts, given);
    struct channel *channel = rill__zalloc(sizeof *channel);
    if (!channel) {
        rill__fail_nomem();
        return (rill_channel){ 0 };
    }
    rill__items_init(&channel->handover.items, opts.value_size, false, NULL);
    channel->handover.drop = opts.drop;
    channel->senders = channel->receivers = 1;
    if (rill__handover_init(&channel->handover, "channel", opts.capacity) < 0) {
        free_channel(channel);
        return (rill_channel){ 0 };
    }
    return (rill_channel){ (rill_sender *)(void *)channel, (rill_receiver *)(void *)channel };
}

/* ---- the two ends ---- */

rill_sender *rill_sender_clone(rill_sender *sender)
{
    if (sender)
        of_sender(sender)->senders++;
    return sender;
}

rill_receiver *rill_receiver_clone(rill_receiver *receiver)
{
    if (receiver)
        of_receiver(receiver)->receivers++;
    return receiver;
}

static void leave(struct channel *channel, size_t *count)
{
    if (--*count > 0)
        return;
    rill__handover_close(&channel->handover);
    if (channel->receivers == 0)
        rill__handover_clear(&channel->handover);
    if (channel->senders == 0 && channel->receivers == 0)
        free_channel(channel);
}

void rill_sender_free(rill_sender *sender)
{
    if (sender)
        leave(of_sender(sender), &of_sender(sender)->senders);
}

void rill_receiver_free(rill_receiver *receiver)
{
    if (receiver)
        leave(of_receiver(receiver), &of_receiver(receiver)->receivers);
}

/* ---- sending and receiving ---- */

static const rill__side sending = {
    .source = RILL__GIVING,
    .what = "channel send",
    .closed = "no receiver is left",
    .must_wait = "there is no room, and no receiver waits",
};

static const rill__side receiving = {
    .source = RILL__TAKING,
    .what = "channel receive",
    .closed = "no sender is left",
    .must_wait = "there is nothing yet",
};

int rill_channel_send(rill_sender *sender, const void *value)
{
    return rill__give(&of_sender(sender)->handover, value, &sending);
}

int rill_channel_recv(rill_receiver *receiver, void *value)
{
    return rill__take(&of_receiver(receiver)->handover, value, &receiving);
}

int rill_channel_try_send(rill_sender *sender, const void *value)
{
    return rill__try_give(&of_sender(sender)->handover, value, &sending);
}

int rill_channel_try_recv(rill_receiver *receiver, void *value)
{
    return rill__try_take(&of_receiver(receiver)->handover, value, &receiving);
}

size_t rill_channel_count(const rill_receiver *receiver)
{
    return of_receiver(receiver)->handover.items.count;
}

rill_case rill_case_send(rill_sender *sender, const void *value)
{
    return sender ? rill__case(&sending.source, &of_sender(sender)->handover, (void *)value)
                  : rill__case_never();
}

rill_case rill_case_recv(rill_receiver *receiver, void *value)
{
    return receiver ? rill__case(&receiving.source, &of_receiver(receiver)->handover, value)
                    : rill__case_never();
}

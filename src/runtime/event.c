/* The event: a flag with a queue of those who wait for it. */
#include "base/fail.h"
#include "runtime/runtime.h"

#include <rill/sync.h>

_Static_assert(sizeof(((rill_event *)0)->waiters) == sizeof(rill__waitq), "room for the queue");

static rill__waitq *queue_of(rill_event *event)
{
    return (rill__waitq *)(void *)event->waiters;
}

void rill_event_init(rill_event *event)
{
    rill__waitq_init(queue_of(event));
    event->set = false;
}

void rill_event_set(rill_event *event)
{
    event->set = true;
    rill__waitq_wake_all(queue_of(event));
}

void rill_event_clear(rill_event *event)
{
    event->set = false;
}

bool rill_event_is_set(const rill_event *event)
{
    return event->set;
}

int rill_event_wait(rill_event *event)
{
    RILL__TRY(rill__checkpoint("event"));
    return event->set ? 0 : rill__waitq_wait(queue_of(event), "an event");
}

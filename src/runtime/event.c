/* The event: a flag with a queue of those who wait for it. */
#include "base/fail.h"
#include "runtime/source.h"
#include "runtime/sync_internal.h"

void rill_event_init(rill_event *event)
{
    *event = (rill_event){ 0 };
}

void rill_event_set(rill_event *event)
{
    event->set = true;
    rill__waitq_wake_all(rill__queue_in(event->waiters));
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
    RILL__TRY(rill__point("event"));
    if (event->set)
        return 0;
    return rill__awaited(rill__waitq_wait(rill__queue_in(event->waiters), "an event"));
}

/* ---- in a select ---- */

static int attempt(rill_case *self)
{
    const rill_event *event = self->subject;
    return event->set ? 0 : RILL_EAGAIN;
}

static void enter(rill_case *self)
{
    rill_event *event = self->subject;
    rill__case_enter(self, rill__queue_in(event->waiters));
}

rill_case rill_case_event(rill_event *event)
{
    static const rill__source source = { .attempt = attempt, .enter = enter };
    return event ? rill__case(&source, event, NULL) : rill__case_never();
}

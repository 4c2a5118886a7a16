/*
 * What a case of a select needs to know of the thing that it waits for. Each kind of case is one of
 * these and a function that makes it: rill_case_event, rill_case_send, … A module above the runtime
 * adds its own in the same way.
 */
#ifndef RILL_SRC_RUNTIME_SOURCE_H
#define RILL_SRC_RUNTIME_SOURCE_H

#include "runtime/runtime.h"

#include <rill/select.h>

/* None of these may switch tasks. */
typedef struct rill__source {
    /* What happens without waiting: its result, with no error made; or RILL_EAGAIN when it would
     * have to wait. Without an `enter` it has entered then. */
    int (*attempt)(rill_case *self);
    /* Puts the case's waiter where whoever makes the thing happen finds it, and finishes it with
     * rill__waiter_finish. NULL: the attempt has done so. */
    void (*enter)(rill_case *self);
    /* Takes the entering back, whether it has happened or not. NULL: the waiter was put into a
     * queue, and that will do. */
    void (*leave)(rill_case *self);
    /* Makes the error of a negative result, and returns its code; called by the select's task,
     * when what the case waited for may be gone. NULL: there are no such results. */
    int (*fail)(const rill_case *self, int result);
} rill__source;

/* What a case has room for while the select waits. */
typedef struct rill__case_state {
    rill__waiter waiter;
    union {
        rill__timer timer;
        struct {
            rill__op op;
            rill__handle handle;
        } io;
        rill__watch watch;
    };
} rill__case_state;

_Static_assert(sizeof(rill__case_state) <= sizeof(((rill_case *)0)->state), "room for the state");

static inline rill__case_state *rill__case_state_of(rill_case *self)
{
    return (rill__case_state *)(void *)self->state;
}

static inline rill_case *rill__case_of(rill__case_state *state)
{
    return rill__container(state, rill_case, state);
}

/* The case that a public function makes. `subject` and `item` are for the source. */
static inline rill_case rill__case(const rill__source *source, void *subject, void *item)
{
    rill_case self; /* the state need not be cleared, and is most of it */
    self.result = 0;
    self.source = source;
    self.subject = subject;
    self.item = item;
    self.number.id = 0;
    return self;
}

/* The case that is made for NULL: it never happens. */
static inline rill_case rill__case_never(void)
{
    return rill_case_after(RILL_FOREVER);
}

/* Puts the case's waiter at the end of a queue. */
static inline void rill__case_enter(rill_case *self, rill__waitq *queue)
{
    rill__waiter *waiter = &rill__case_state_of(self)->waiter;
    waiter->slot = self->item;
    rill__list_append(&queue->waiters, &waiter->link);
}

#endif

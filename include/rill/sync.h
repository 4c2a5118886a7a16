/*
 * Synchronisation between tasks of one loop. Nothing here is for threads.
 *
 *     rill_event     a flag that tasks wait for
 */
#ifndef RILL_SYNC_H
#define RILL_SYNC_H

#include <rill/error.h>

RILL_BEGIN_DECLS

/* A flag that tasks wait for: asyncio.Event. It lives wherever its owner puts it, and must not be
 * moved or freed while a task waits. The fields are the library's own. */
typedef struct rill_event {
    void *waiters[2];
    bool set;
} rill_event;

/* An event that is not set. It needs no finish. */
RILL_API void rill_event_init(rill_event *event);
/* Sets the flag and wakes every task that waits for it. */
RILL_API void rill_event_set(rill_event *event);
/* Takes the flag back; those who were woken stay so. Set and clear in a row wake all who wait now.
 */
RILL_API void rill_event_clear(rill_event *event);
RILL_API bool rill_event_is_set(const rill_event *event);
/* Waits until the flag is set; at once when it is. Returns 0 or RILL_ECANCELED. */
RILL_AWAITS RILL_API int rill_event_wait(rill_event *event);

RILL_END_DECLS

#endif

/* Waiting by the wall clock. */
#ifndef RILL_SRC_SCHEDULE_WALL_H
#define RILL_SRC_SCHEDULE_WALL_H

#include "runtime/runtime.h"

/* Waits until the wall clock shows `when`, in ns since 1970, or has been set, or some time has
 * passed: the caller looks at the clock again. Returns 0 or RILL_ECANCELED. */
RILL_AWAITS int rill__wall_wait(uint64_t when, const char *what);

/* Tells those who wait on this thread's loop that its wall clock was set: for a driver that has a
 * clock of its own. The kernel tells by itself. */
void rill__wall_was_set(void);

#endif

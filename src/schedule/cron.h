/* Cron rules inside: the calendar part, which knows of no zone. */
#ifndef RILL_SRC_SCHEDULE_CRON_H
#define RILL_SRC_SCHEDULE_CRON_H

#include "schedule/zone.h"

/* Finds the first civil time in [from, to), both in seconds as if they were UTC, that the rule
 * matches. False when there is none. */
bool rill__cron_match(const rill_cron_rule *rule, int64_t from, int64_t to, int64_t *ret_civil);

/* rill_cron_next in whole seconds. RILL_ENOTFOUND, without an error made, when there is none. */
int rill__cron_next(const rill_cron_rule *rule, const rill_zone *zone, int64_t after,
                    int64_t *ret_moment);

/* Makes the error of RILL_ENOTFOUND; returns it. */
int rill__cron_never(int64_t after);

#endif

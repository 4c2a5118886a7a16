/*
 * Time by the clock on the wall: waiting for a moment, cron, and time zones.
 *
 *     rill_sleep_until(when)             waits until the clock shows that moment
 *     rill_at(when, fn, arg, …)          a task that runs fn then
 *     rill_cron("30 2 * * *", fn, arg, .zone = "Europe/Berlin")
 *                                        a task that runs fn whenever the expression says so
 *     rill_cron_parse, rill_cron_next    the same without a task: when would it be
 *     rill_zone_new, _civil, _time       what the clocks of a place show, and when they show it
 *
 * A moment is in seconds since 1970 (Unix time, UTC). The clock may be set while a task waits: the
 * wait follows it, and never ends early by the clock. For durations use rill_sleep and rill_every
 * (task.h), which no setting of the clock moves.
 *
 * Daylight saving. A rule is matched with what the clocks of its zone show.
 *
 *   Spring, when the clocks are put forward: the times in the gap do not exist. A rule that names
 *   its hours and matches a time in the gap is due once, at the first moment after it; one that
 *   matches in every hour simply goes on.
 *
 *   Autumn, when the clocks are put back: the times in the fold come twice. A rule is due at the
 *   first of the two only; unless it matches in every hour, or its minutes or seconds are a
 *   wildcard (`*` or `*` with a step): then it is due in both, by the time that passes.
 *
 * The same holds for any other change of a zone's offset, such as the day that Samoa left out.
 */
#ifndef RILL_SCHEDULE_H
#define RILL_SCHEDULE_H

#include <rill/server.h>
#include <rill/task.h>

RILL_BEGIN_DECLS

/* ---- the wall clock ---- */

/* Seconds since 1970 by the wall clock, which may be set. Also outside tasks. */
RILL_API double rill_unix_time(void);

/* Waits until the wall clock shows `when` or later; never less. One that has passed lets every task
 * run that is ready, as rill_sleep(0) does; NaN is never. Setting the clock moves the end.
 * Returns 0, RILL_ENOTASK, or RILL_ECANCELED. */
RILL_AWAITS RILL_API int rill_sleep_until(double when);

typedef struct rill_at_opts {
    size_t size;
    void *arg;         /* handed to the function */
    const char *name;  /* default: "at" */
    rill_group *group; /* as in rill_spawn */
    size_t stack;      /* as in rill_spawn */
    const char *file;  /* where it was spawned: filled by the macro */
    int line;
} rill_at_opts;

/* Spawns a task that waits until the wall clock shows `when`, and then runs fn(arg); at once when
 * that has passed. Its result is that of fn.
 *     rill_task task = rill_at(rill_unix_time() + 60, remind, &note, .name = "reminder");
 * Returns the task, to be joined or detached; {0} with the error in place when memory is short.
 * Cancel  before its time fn is not run, and the task's result is RILL_ECANCELED. */
#define rill_at(when, fn, ...)                                                                     \
    rill_at_with((when), (fn),                                                                     \
                 RILL_OPTS(rill_at_opts, .file = __FILE__, .line = __LINE__, .arg = __VA_ARGS__))
RILL_AWAITS RILL_API rill_task rill_at_with(double when, rill_task_fn *fn,
                                            const rill_at_opts *opts);

/* ---- time zones ---- */

/* The rules of a time zone. It does not change once made, and any thread may use it. */
typedef struct rill_zone rill_zone;

/* Reads a time zone: a small file of the system's (in $TZDIR, else /usr/share/zoneinfo).
 *
 *     "Europe/Berlin"     a name of the time zone database
 *     "UTC", "Z"          needs no file
 *     "+02:00", "-0330"   a fixed offset, to the east of Greenwich
 *     "CET-1CEST,M3.5.0,M10.5.0/3"     a rule as POSIX has it (there a plus is to the west)
 *     "local" or NULL     this machine's: $TZ, else /etc/localtime, else UTC
 *
 * Errors  RILL_ENOTFOUND     there is no such zone
 *         RILL_EINVAL        the name can be none, or the file is broken
 *         RILL_EUNSUPPORTED  the file counts leap seconds
 *         RILL_EOS, RILL_ENOMEM */
RILL_API rill_zone *rill_zone_new(const char *name);
/* The same from the bytes of a file in the TZif format (RFC 9636); nothing is kept of them. */
RILL_API rill_zone *rill_zone_from(const char *name, const void *bytes, size_t len);
/* NULL is fine. */
RILL_API void rill_zone_free(rill_zone *zone);
RILL_DEFINE_AUTO(rill_zone)

/* The name it was made by. */
RILL_API const char *rill_zone_name(const rill_zone *zone);

/* What a clock and a calendar show. */
typedef struct rill_civil {
    int year;            /* 1 to 9999, of the Gregorian calendar */
    int month, day;      /* from 1 */
    int hour;            /* 0 to 23 */
    int minute, second;  /* 0 to 59 */
    int weekday;         /* 0 is Sunday; not read by rill_zone_time */
    int offset;          /* seconds to the east of Greenwich; not read by rill_zone_time */
    bool dst;            /* daylight saving is on; not read by rill_zone_time */
    bool again;          /* in a fold: the second time that this is shown */
    char designation[8]; /* "CEST"; not read by rill_zone_time */
} rill_civil;

/* What is shown in the zone at a moment (whole seconds: the fraction is cut off).
 * Returns 0, or RILL_EINVAL for a moment outside of the years 1 to 9999. */
RILL_API int rill_zone_civil(const rill_zone *zone, double when, rill_civil *ret_civil);

/* How often a civil time is shown in a zone. */
typedef enum rill_occurs {
    RILL_OCCURS_ONCE,
    RILL_OCCURS_TWICE, /* in a fold: the moment is the first of the two, or with `again` the other
                        */
    RILL_OCCURS_NEVER, /* in a gap: the moment is the first after it */
} rill_occurs;

/* When that is shown in the zone. Returns how often it is, or RILL_EINVAL for what is no date. */
RILL_API int rill_zone_time(const rill_zone *zone, const rill_civil *civil, double *ret_when);

/* ---- cron ---- */

/* A cron expression, understood. The fields are the library's own. */
typedef struct rill_cron_rule {
    uint64_t seconds, minutes; /* bit n: matches n */
    uint32_t hours, days;
    uint32_t last_days; /* bit n: so many days before the month's last */
    uint32_t near_days; /* bit n: the weekday nearest to day n; bit 0: the last weekday */
    uint16_t months;
    uint8_t weekdays;
    uint8_t last_weekdays;     /* bit n: the month's last such weekday */
    uint8_t nth_weekdays[5];   /* bit n: the month's first, second, … such weekday */
    bool any_day, any_weekday; /* the field began with a `*` */
    bool every_hour;
    bool repeats; /* due in both passes of a fold */
} rill_cron_rule;

/* Reads a cron expression: five fields, or six with the seconds first.
 *
 *     second (0-59)  minute (0-59)  hour (0-23)  day (1-31)  month (1-12)  weekday (0-7)
 *
 *   *         any; `?` is the same for the day and the weekday
 *   a-b       a range; with a above b it goes on from the other end, as with Quartz: 22-2, FRI-MON
 *   a-b/n a/n every nth of them, a/n up to the field's end; `*` takes a step too
 *   a,b,c-d   a list
 *   JAN, MON  months and weekdays by their first three letters, in any case; 0 and 7 are Sunday
 *   L L-3 LW  (day) the month's last, the third before it, its last from Monday to Friday
 *   15W       (day) the weekday (Monday to Friday) nearest to the 15th in the same month
 *   5L 5#2    (weekday) the month's last, or second, Friday
 *
 * As in Vixie's cron a date matches when its day OR its weekday does, where both are given; where
 * one of them begins with `*` (also with a step), when both do.
 *
 * @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly are known as well; @reboot
 * is refused. So is what can never be due, such as the 30th of February.
 *
 * Returns 0; RILL_EINVAL with what is wrong and where: "cron '0 24 * * *': hour field, at '24'
 * (character 3): 24 is not within 0 to 23". *ret_rule is left alone then. */
RILL_API int rill_cron_parse(const char *expression, rill_cron_rule *ret_rule);

/* The first moment after `after` at which the rule is due in that zone: a whole second.
 * Returns 0; RILL_ENOTFOUND when there is none within 50 years or before the year 10000;
 * RILL_EINVAL for no zone, or a time outside of the years 1 to 9999. */
RILL_API int rill_cron_next(const rill_cron_rule *rule, const rill_zone *zone, double after,
                            double *ret_when);

typedef struct rill_cron_opts {
    size_t size;
    rill_task_fn *fn;   /* filled by the macro */
    void *arg;          /* handed to the function. rill_app_cron's default: the application */
    const char *zone;   /* as for rill_zone_new. Default: "local" */
    const char *name;   /* copied, up to 31 bytes. Default: "cron" */
    double jitter;      /* run up to so many seconds later, by chance, anew each time. Default: 0 */
    rill_missed missed; /* see below. Default: RILL_MISSED_SKIP */
    rill_group *group;  /* as in rill_spawn; not for rill_app_cron */
    size_t stack;       /* as in rill_spawn; not for rill_app_cron */
    const char *file;   /* where it was spawned: filled by the macro */
    int line;
} rill_cron_opts;

/* Spawns a task that runs fn(arg) whenever the expression is due, never twice at once.
 *
 *     rill_task task = rill_cron("0 6 * * MON-FRI", report, NULL, .zone = "Europe/Berlin");
 *
 * A run is missed when the one before took too long, the clock was set forward, or the machine
 * slept. `.missed` says what is done about it:
 *
 *     RILL_MISSED_SKIP   one run, at once, stands for all that were missed
 *     RILL_MISSED_BURST  each of them is run, one after the other
 *     RILL_MISSED_DELAY  none: what could begin only more than a minute late, or after it was due
 *                        again, is left out
 *
 * The clock set back by up to three hours is like a fold: a rule that is not due in both passes of
 * one waits until the clock is where it was. Set back by more, the schedule begins anew.
 *
 * A negative return of fn ends the task, with that as its result; so does rill_cancel(task).
 * Returns the task, to be joined or detached; {0} with the error in place for an expression or zone
 * that is none, a negative jitter, or when memory is short. */
#define rill_cron(expression, function, ...)                                                       \
    rill_cron_with((expression), RILL_OPTS(rill_cron_opts, .file = __FILE__, .line = __LINE__,     \
                                           .fn = (function), .arg = __VA_ARGS__))
RILL_AWAITS RILL_API rill_task rill_cron_with(const char *expression, const rill_cron_opts *opts);

/* The same as a background task of an application (server.h): it runs from after start-up until
 * clean-up. A failure of fn is logged and does not end it; an expression or zone that is none makes
 * rill_app_run fail.
 *     rill_app_cron(app, "@daily", rotate, .zone = "UTC"); */
#define rill_app_cron(app, expression, ...)                                                        \
    rill_app_cron_with((app), (expression), RILL_OPTS(rill_cron_opts, .fn = __VA_ARGS__))
RILL_API void rill_app_cron_with(rill_app *app, const char *expression, const rill_cron_opts *opts);

RILL_END_DECLS

#endif

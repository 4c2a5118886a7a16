/*
 * Cron rules and time zones as a program, for comparison with others. It answers each line of its
 * input with one line:
 *
 *     next ZONE AFTER COUNT EXPRESSION   the next COUNT moments after AFTER, or the error
 *     civil ZONE MOMENT                  "YEAR MONTH DAY HOUR MINUTE SECOND OFFSET DST AGAIN NAME"
 *     time ZONE YEAR MONTH DAY HOUR MINUTE SECOND AGAIN     "OCCURS MOMENT"
 */
#include <rill/schedule.h>

#include <stdio.h>
#include <stdlib.h>

static rill_zone *zone;

/* The zone of that name, kept for the next line. */
static bool get_zone(const char *name)
{
    if (!zone || strcmp(rill_zone_name(zone), name) != 0) {
        rill_zone_free(zone);
        zone = rill_zone_new(name);
    }
    return zone != NULL;
}

static int print_next(const char *name, double after, int count, const char *expression)
{
    rill_cron_rule rule;
    int rc = rill_cron_parse(expression, &rule);
    if (rc == 0 && !get_zone(name))
        return rill_errcode();
    for (int i = 0; i < count && rc == 0; i++) {
        rc = rill_cron_next(&rule, zone, after, &after);
        if (rc == 0)
            printf(i ? " %.0f" : "%.0f", after);
    }
    return rc;
}

static int print_civil(const char *name, double when)
{
    rill_civil at;
    int rc = get_zone(name) ? rill_zone_civil(zone, when, &at) : rill_errcode();
    if (rc == 0)
        printf("%d %d %d %d %d %d %d %d %d %s", at.year, at.month, at.day, at.hour, at.minute,
               at.second, at.offset, at.dst, at.again, at.designation);
    return rc;
}

static int print_time(const char *name, rill_civil *civil)
{
    double when;
    int rc = get_zone(name) ? rill_zone_time(zone, civil, &when) : rill_errcode();
    if (rc >= 0)
        printf("%d %.0f", rc, when);
    return rc;
}

static int answer(const char *line)
{
    char name[100];
    double when;
    int count, at = 0, again;
    rill_civil civil = { 0 };
    if (sscanf(line, "next %99s %lf %d %n", name, &when, &count, &at) == 3 && at > 0)
        return print_next(name, when, count, line + at);
    if (sscanf(line, "civil %99s %lf", name, &when) == 2)
        return print_civil(name, when);
    if (sscanf(line, "time %99s %d %d %d %d %d %d %d", name, &civil.year, &civil.month, &civil.day,
               &civil.hour, &civil.minute, &civil.second, &again) == 8) {
        civil.again = again;
        return print_time(name, &civil);
    }
    return rill_fail(RILL_EINVAL, "not understood");
}

int main(void)
{
    char line[2000];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (answer(line) < 0)
            printf("error: %s", rill_last_error()->message);
        putchar('\n');
    }
    rill_zone_free(zone);
    return 0;
}

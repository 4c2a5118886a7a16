/*
 * Fuzzes cron expressions.
 *
 * What must hold: a refusal says why; what is taken is due at times that come later and later, each
 * the first after any time before it, and is told by the same rule to be due then; in a zone with
 * daylight saving as well, though there not at the same times.
 */
#include "schedule/cron.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Follows the rule for a while, from a moment by chance. */
static void follow(const rill_cron_rule *rule, const rill_zone *zone, double after,
                   bool civil_is_utc)
{
    for (int i = 0; i < 5; i++) {
        double next, again;
        int64_t civil;
        int rc = rill_cron_next(rule, zone, after, &next);
        if (rc < 0) {
            require(rc == RILL_ENOTFOUND && rill_last_error()->message[0] != '\0');
            return;
        }
        require(next > after);
        require(rill_cron_next(rule, zone, next - 1, &again) == 0 && again == next);
        require(rill_cron_next(rule, zone, (after + next) / 2, &again) == 0 && again >= next);
        if (civil_is_utc)
            require(rill__cron_match(rule, (int64_t)next, (int64_t)next + 1, &civil));
        after = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rill_zone *utc, *berlin;
    if (!utc) {
        rill__zone_rule rule;
        require(rill__zone_rule_parse(RILL_STR("UTC0"), &rule));
        utc = rill__zone_of_rule("UTC", &rule);
        require(rill__zone_rule_parse(RILL_STR("CET-1CEST,M3.5.0,M10.5.0/3"), &rule));
        berlin = rill__zone_of_rule("Berlin", &rule);
    }
    if (size < 1 || size > 4000)
        return 0;
    char *text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    rill_cron_rule rule;
    int rc = rill_cron_parse(text, &rule);
    free(text);
    if (rc < 0) {
        require(rc == RILL_EINVAL && strncmp(rill_last_error()->message, "cron '", 6) == 0);
        return 0;
    }
    double after = 1767225600.0 + data[0] * 2345678.0;
    follow(&rule, utc, after, true);
    follow(&rule, berlin, after, false);
    return 0;
}

/* Renders the checks in Prometheus's text format: a table of families, one line a sample. */
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct family {
    const char *name;
    const char *type;
    const char *help;
};

static void write_header(FILE *out, const struct family *family)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
            family->type);
}

/* The format escapes these three and nothing else. */
static void write_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\\\", out);
        else if (*text == '"')
            fputs("\\\"", out);
        else if (*text == '\n')
            fputs("\\n", out);
        else
            fputc(*text, out);
    }
}

static void write_label(FILE *out, const char *name, const char *value)
{
    fprintf(out, "%s=\"", name);
    write_escaped(out, value);
    fputc('"', out);
}

/* A sample of an endpoint; `label` is one more label, or NULL. */
static void write_sample(FILE *out, const char *name, const struct check *check, double value,
                         const char *const label[2])
{
    fprintf(out, "%s{", name);
    write_label(out, "url", check->shown);
    if (check->label) {
        fputc(',', out);
        write_label(out, "name", check->label);
    }
    if (label) {
        fputc(',', out);
        write_label(out, label[0], label[1]);
    }
    fprintf(out, "} %.15g\n", value);
}

static double value_up(const struct check *check)
{
    return check->last.ok;
}

static double value_duration(const struct check *check)
{
    return check->last.duration_ms / 1000;
}

static double value_status(const struct check *check)
{
    return check->last.status;
}

static double value_bytes(const struct check *check)
{
    return (double)check->last.bytes;
}

static double value_time(const struct check *check)
{
    return (double)check->last.time_ms / 1000;
}

/* Gauges of the last check: nothing is told of an endpoint that this process has not checked yet.
 */
static void write_last_checks(FILE *out, const struct checks *checks)
{
    static const struct {
        struct family family;
        double (*value)(const struct check *check);
    } gauges[] = {
        { { "rill_check_up", "gauge", "Whether the last check of the endpoint succeeded." },
          value_up },
        { { "rill_check_duration_seconds", "gauge", "Duration of the last check." },
          value_duration },
        { { "rill_check_status_code", "gauge",
            "HTTP status of the last check, 0 when no answer came." },
          value_status },
        { { "rill_check_response_bytes", "gauge", "Size of the body that the last check read." },
          value_bytes },
        { { "rill_check_last_time_seconds", "gauge",
            "When the last check began, in seconds since 1970." },
          value_time },
    };
    for (size_t g = 0; g < sizeof gauges / sizeof *gauges; g++) {
        write_header(out, &gauges[g].family);
        for (size_t i = 0; i < checks->count; i++)
            if (checks->items[i]->state != CHECK_PENDING)
                write_sample(out, gauges[g].family.name, checks->items[i],
                             gauges[g].value(checks->items[i]), NULL);
    }
}

static void write_failures(FILE *out, const struct checks *checks)
{
    static const struct family family = { "rill_check_failure_info", "gauge",
                                          "Why the last check of the endpoint failed." };
    write_header(out, &family);
    for (size_t i = 0; i < checks->count; i++) {
        const struct check *check = checks->items[i];
        if (check->state == CHECK_DOWN)
            write_sample(out, family.name, check, 1,
                         (const char *const[]){ "reason", check->last.error });
    }
}

static void write_counters(FILE *out, const struct checks *checks)
{
    static const struct family family = { "rill_checks_total", "counter",
                                          "Checks of the endpoint by their result." };
    write_header(out, &family);
    for (size_t i = 0; i < checks->count; i++) {
        const struct check *check = checks->items[i];
        write_sample(out, family.name, check, (double)(check->checks - check->failures),
                     (const char *const[]){ "result", "ok" });
        write_sample(out, family.name, check, (double)check->failures,
                     (const char *const[]){ "result", "failed" });
    }
}

static void write_watch(FILE *out, const struct checks *checks)
{
    static const struct family endpoints = { "rill_watch_endpoints", "gauge",
                                             "Endpoints by their state." };
    static const struct family trouble = { "rill_watch_trouble", "gauge",
                                           "Whether watching itself is in trouble, for instance "
                                           "because the history cannot be written." };
    size_t totals[CHECK_STATES];
    checks_totals(checks, totals);
    write_header(out, &endpoints);
    for (enum check_state state = 0; state < CHECK_STATES; state++)
        fprintf(out, "%s{state=\"%s\"} %zu\n", endpoints.name, check_state_name(state),
                totals[state]);
    write_header(out, &trouble);
    fprintf(out, "%s %d\n", trouble.name, *checks->trouble != '\0');
}

static double resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void write_process(FILE *out, const struct checks *checks)
{
    const struct {
        struct family family;
        double value;
    } samples[] = {
        { { "process_start_time_seconds", "gauge",
            "When the process started, in seconds since 1970." },
          (double)checks->started_ms / 1000 },
        { { "process_cpu_seconds_total", "counter", "User and system time of the process." },
          cpu_seconds() },
        { { "process_resident_memory_bytes", "gauge", "Resident memory of the process." },
          resident_bytes() },
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        write_header(out, &samples[i].family);
        fprintf(out, "%s %.15g\n", samples[i].family.name, samples[i].value);
    }
}

char *metrics_text(const struct checks *checks, size_t *ret_len)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    write_last_checks(out, checks);
    write_failures(out, checks);
    write_counters(out, checks);
    write_watch(out, checks);
    write_process(out, checks);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    *ret_len = len;
    return text;
}

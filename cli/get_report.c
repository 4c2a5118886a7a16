/* The output of `rill get`: see get_report.h. */
#include "get_report.h"

#include "classes.h"
#include "utf8.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "512 B", "1.5 kB", "20 MB": decimal, three digits at most. */
static const char *size_text(int64_t bytes, char out[16])
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit < sizeof units / sizeof units[0] - 1) {
        value /= 1000;
        unit++;
    }
    snprintf(out, 16, unit > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return out;
}

static const char *class_of(const struct get_result *result)
{
    return result->error.code ? error_class(&result->error) : status_class(result->status);
}

static void clear_progress(struct get_report *report)
{
    if (report->shown)
        fputs("\r\033[K", stderr);
    report->shown = false;
}

static void print_line(const struct get_report *report, const struct get_result *result)
{
    char size[16];
    double ms = result->timings.total * 1e3;
    if (result->error.code)
        fprintf(report->out, "---  %-16s %7.0f ms  %s  %s\n", class_of(result), ms, result->url,
                result->error.message);
    else
        fprintf(report->out, "%3d  %8s %15.0f ms  %s%s%s\n", result->status,
                size_text(result->bytes, size), ms, result->url, result->file ? "  -> " : "",
                result->file ? result->file : "");
}

static double ms(double seconds)
{
    return round(seconds * 1e6) / 1e3;
}

/* URLs and messages may hold any byte; JSON may not. */
static json_t *text_json(const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (!copy)
        return json_null();
    utf8_clean(copy);
    json_t *json = json_string(copy);
    free(copy);
    return json;
}

static json_t *error_json(const struct get_result *result)
{
    if (result->ok)
        return json_null();
    const rill_error *error = &result->error;
    if (error->code)
        return json_pack("{s:s, s:s, s:o}", "class", class_of(result), "code",
                         rill_code_name(error->code), "message", text_json(error->message));
    return json_pack("{s:s, s:s, s:s}", "class", class_of(result), "code", "RILL_ESTATUS",
                     "message", "the status says error");
}

static void print_json(const struct get_report *report, json_t *object)
{
    if (!object)
        return;
    json_dumpf(object, report->out, JSON_COMPACT | JSON_REAL_PRECISION(12));
    fputc('\n', report->out);
    json_decref(object);
}

static json_t *result_json(const struct get_result *result)
{
    const rill_timings *times = &result->timings;
    return json_pack(
        "{s:i, s:s, s:I, s:o, s:o, s:b, s:i, s:o, s:I, s:s?, s:i, s:{s:f, s:f, s:f, s:f}, s:o}",
        "v", 1, "t", "result", "i", (json_int_t)result->index, "url", text_json(result->url),
        "final_url", text_json(result->final_url), "ok", result->ok, "attempts", result->attempts,
        "status", result->status ? json_integer(result->status) : json_null(), "bytes",
        (json_int_t)result->bytes, "file", result->file, "redirects", result->redirects, "time_ms",
        "queue", ms(times->queue), "connect", ms(times->connect), "wait", ms(times->wait), "total",
        ms(times->total), "error", error_json(result));
}

/* A full disk or a closed pipe must not look like success. */
static int flush(const struct get_report *report)
{
    if (fflush(report->out) == 0 && !ferror(report->out))
        return 0;
    return rill_fail(RILL_EOS, "write the results: %s", strerror(errno));
}

int get_report_result(struct get_report *report, const struct get_result *result)
{
    report->done++;
    report->failed += !result->ok;
    report->bytes += result->bytes;
    clear_progress(report);
    if (report->json)
        print_json(report, result_json(result));
    else if (!report->quiet || !result->ok)
        print_line(report, result);
    return flush(report);
}

void get_report_progress(struct get_report *report)
{
    char size[16];
    if (!report->progress)
        return;
    fprintf(stderr, "\r\033[K%zu of %zu done, %zu failed, %s", report->done, report->total,
            report->failed, size_text(report->bytes, size));
    report->shown = true;
}

int get_report_end(struct get_report *report)
{
    clear_progress(report);
    if (report->json)
        print_json(report, json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:f}", "v", 1, "t", "summary",
                                     "urls", (json_int_t)report->total, "ok",
                                     (json_int_t)(report->done - report->failed), "failed",
                                     (json_int_t)report->failed, "bytes", (json_int_t)report->bytes,
                                     "time_ms", ms(rill_now() - report->started)));
    return flush(report);
}

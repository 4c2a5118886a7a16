/*
 * rill get: fetches many URLs at once and says how each went.
 *
 * Exit status: 0 all went well, 3 some failed, 4 all failed, 2 wrong command line, 130 interrupted.
 */
#include "chance.h"
#include "commands.h"
#include "descriptors.h"
#include "get_report.h"
#include "options.h"
#include "save.h"
#include "urls.h"
#include "utf8.h"

#include <math.h>
#include <rill/rill.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_PIECE ((size_t)64 << 10)
#define PROGRESS_SECONDS 0.1
#define RETRY_FIRST 0.25     /* seconds before the first retry; doubled for each further one */
#define RETRY_AFTER_MAX 60.0 /* what a server may ask for */

enum { EXIT_SOME = 3, EXIT_ALL = 4 };

struct get {
    rill_session *session;
    struct urls urls;
    const char *output;
    char **paths; /* where each URL's body goes, or NULL */
    bool body_to_stdout;
    long limit, retries;
    double timeout;
    struct get_report report;
};

struct job {
    struct get *get;
    struct get_result result;
    double retry_after; /* what the server asked for, or 0 */
};

/* ---- one attempt ---- */

static int read_body(struct job *job, rill_response *response, struct save *save)
{
    char *piece = malloc(BODY_PIECE);
    if (!piece)
        return rill_fail(RILL_ENOMEM, "out of memory");
    ptrdiff_t n;
    int rc = 0;
    while (rc == 0 && (n = rill_response_read(response, piece, BODY_PIECE)) != 0) {
        if (n < 0) {
            rc = (int)n;
            break;
        }
        job->result.bytes += n;
        if (save)
            rc = save_write(save, piece, (size_t)n);
    }
    free(piece);
    return rc;
}

static int save_body(struct job *job, rill_response *response)
{
    if (job->get->body_to_stdout)
        return read_body(job, response,
                         &(struct save){ .fd = STDOUT_FILENO, .part = "standard output" });
    struct save save;
    int rc = save_open(&save, job->get->paths[job->result.index]);
    if (rc == 0)
        rc = read_body(job, response, &save);
    if (rc == 0)
        rc = save_finish(&save);
    if (rc == 0) {
        job->result.file = save.path;
        save.path = NULL;
    }
    save_drop(&save);
    return rc;
}

static void note_head(struct job *job, const rill_response *response)
{
    job->result.status = rill_response_status(response);
    job->result.redirects = rill_response_redirects(response);
    free(job->result.final_url);
    job->result.final_url = strdup(rill_response_url(response));
    const char *after = rill_response_header(response, "Retry-After");
    double seconds = after ? strtod(after, NULL) : 0;
    job->retry_after = seconds > 0 && seconds <= RETRY_AFTER_MAX ? seconds : 0;
}

static int attempt(struct job *job)
{
    struct get *get = job->get;
    double started = rill_now();
    job->result.bytes = 0;
    job->result.status = 0;
    job->retry_after = 0;
    rill_auto(rill_response) response =
        rill_get(get->session, job->result.url, .timeout.total = get->timeout);
    int rc = response ? 0 : rill_errcode();
    if (response) {
        note_head(job, response);
        bool saved = get->output && job->result.status < 400;
        rc = saved ? save_body(job, response) : read_body(job, response, NULL);
        job->result.timings = rill_response_timings(response);
    }
    job->result.timings.total = rill_now() - started;
    job->result.error = (rill_error){ 0 };
    if (rc < 0) {
        job->result.error = *rill_last_error();
        utf8_clean(job->result.error.message); /* it may quote what the server said */
    }
    return rc;
}

/* ---- one URL ---- */

static bool worth_retrying(const struct job *job)
{
    const struct get_result *result = &job->result;
    const rill_error *error = &result->error;
    if (job->get->body_to_stdout && result->bytes > 0 && error->code)
        return false; /* what has been printed cannot be taken back */
    if (error->code == 0)
        return result->status == 429 || result->status == 500 ||
               (result->status >= 502 && result->status <= 504);
    if (rill_error_is(error, RILL_ECERTIFICATE) || rill_error_is(error, RILL_EDNS_NOTFOUND))
        return false;
    return rill_error_is(error, RILL_ECONNECTION) || rill_error_is(error, RILL_ETIMEDOUT) ||
           rill_error_is(error, RILL_ETRUNCATED);
}

/* Grows, and is spread over half its length so that many do not come back at once. */
static double pause_before(const struct job *job)
{
    double most = RETRY_FIRST * ldexp(1.0, job->result.attempts - 1);
    double part = 0.5 + 0.5 * chance();
    return job->retry_after > most ? job->retry_after : most * part;
}

static int fetch(void *arg)
{
    struct job *job = arg;
    const struct get *get = job->get;
    for (;;) {
        job->result.attempts++;
        int rc = attempt(job);
        if (rc == RILL_ECANCELED)
            return rc;
        if (job->result.attempts > get->retries || !worth_retrying(job))
            break;
        rc = rill_sleep(pause_before(job));
        if (rc < 0)
            return rc;
    }
    job->result.ok = job->result.error.code == 0 && job->result.status < 400;
    job->result.done = true;
    return get_report_result(&job->get->report, &job->result);
}

/* ---- all of them ---- */

static int show_progress(void *arg)
{
    get_report_progress(arg);
    return 0;
}

static int fetch_all(struct get *get, struct job *jobs)
{
    struct get_report *report = &get->report;
    report->total = get->urls.count;
    report->started = rill_now();
    rill_task ticker = { 0 };
    if (report->progress)
        ticker = rill_every(PROGRESS_SECONDS, show_progress, report, .name = "progress");
    int rc =
        rill_gather(jobs, get->urls.count, fetch, .limit = (size_t)get->limit, .name = "fetch");
    rill_cancel(ticker);
    int end = get_report_end(report);
    if (rc < 0 || end < 0)
        return rc < 0 ? rc : end;
    if (report->failed == 0)
        return 0;
    return report->failed == report->total ? EXIT_ALL : EXIT_SOME;
}

static int run(void *arg)
{
    struct get *get = arg;
    rill_auto(rill_session) session =
        rill_session_new(.limit = (int)get->limit, .timeout.total = RILL_FOREVER);
    if (!session)
        return rill_errcode();
    struct job *jobs = calloc(get->urls.count, sizeof *jobs);
    if (get->output && !get->body_to_stdout)
        get->paths = save_paths(get->output, get->urls.items, get->urls.count);
    if (!jobs || (get->output && !get->body_to_stdout && !get->paths)) {
        free(jobs);
        return rill_fail(RILL_ENOMEM, "out of memory");
    }
    get->session = session;
    for (size_t i = 0; i < get->urls.count; i++)
        jobs[i] = (struct job){ .get = get, .result = { .index = i, .url = get->urls.items[i] } };
    int rc = fetch_all(get, jobs);
    for (size_t i = 0; i < get->urls.count; i++) {
        free(jobs[i].result.final_url);
        free((char *)(uintptr_t)jobs[i].result.file);
    }
    save_paths_free(get->paths, get->urls.count);
    free(jobs);
    return rc;
}

static int collect(struct get *get, const struct option_list *arguments,
                   const struct option_list *inputs)
{
    char message[512];
    int rc = 0;
    for (size_t i = 0; i < arguments->count && rc == 0; i++)
        rc = strcmp(arguments->items[i], "-") == 0
                 ? urls_add_file(&get->urls, "-", message, sizeof message)
                 : urls_add(&get->urls, arguments->items[i], message, sizeof message);
    for (size_t i = 0; i < inputs->count && rc == 0; i++)
        rc = urls_add_file(&get->urls, inputs->items[i], message, sizeof message);
    if (rc == 0 && get->urls.count == 0) {
        snprintf(message, sizeof message, "no URL given (try --help)");
        rc = -1;
    }
    const char *wrong = rc == 0 && get->output ? save_template_check(get->output) : NULL;
    if (wrong) {
        snprintf(message, sizeof message, "--output: \"%s\": %s", get->output, wrong);
        rc = -1;
    }
    if (rc < 0)
        fprintf(stderr, "rill get: %s\n", message);
    return rc < 0 ? EXIT_USAGE : -1;
}

/* A fetch needs a connection, and a file where its body is saved. */
static void bound_limit(struct get *get)
{
    int most = descriptors_for_use() / (get->output ? 2 : 1);
    if (get->body_to_stdout || most < 1)
        most = 1; /* on standard output one body stands behind the other */
    if (get->limit > most)
        get->limit = most;
}

static int run_command(struct get *get, const struct option_list *arguments,
                       const struct option_list *inputs)
{
    int status = collect(get, arguments, inputs);
    if (status < 0) {
        get->body_to_stdout = get->output && strcmp(get->output, "-") == 0;
        bound_limit(get);
        get->report.out = get->body_to_stdout ? stderr : stdout;
        get->report.progress = isatty(STDERR_FILENO) && !get->report.quiet;
        status = rill_run(run, get);
    }
    urls_finish(&get->urls);
    return status;
}

/* What the command line gave besides the options. */
struct inputs {
    struct option_list arguments, files;
};

static int parse_and_run(struct get *get, struct inputs *inputs, struct command_spec command,
                         int argc, char **argv)
{
    command.name = "rill get";
    command.arguments = "URL...";
    command.summary = "Fetches all URLs at once and prints how each went.";
    command.notes = "Exit status: 0 all went well, 3 some failed, 4 all failed, 2 wrong command\n"
                    "line, 130 interrupted.";
    command.arguments_max = URLS_MAX;
    int status = options_parse(&command, argc, argv, &inputs->arguments);
    if (status < 0)
        status = run_command(get, &inputs->arguments, &inputs->files);
    option_list_free(&inputs->arguments);
    option_list_free(&inputs->files);
    return status;
}

int command_get(int argc, char **argv)
{
    struct get get = { .limit = 100, .retries = 2, .timeout = 30 };
    struct inputs inputs = { 0 };
    const struct option_spec options[] = {
        { "input",
          'i',
          OPTION_LIST,
          { .list = &inputs.files },
          "FILE",
          "reads more URLs from a file, one a line; - is standard input",
          0,
          0 },
        { "limit",
          'l',
          OPTION_INTEGER,
          { .integer = &get.limit },
          "N",
          "fetches at most so many at once",
          1,
          10000 },
        { "timeout",
          't',
          OPTION_DURATION,
          { .seconds = &get.timeout },
          "TIME",
          "time for one URL, its body included",
          0.001,
          86400 },
        { "retries",
          'r',
          OPTION_INTEGER,
          { .integer = &get.retries },
          "N",
          "tries a URL again so often when the connection or the server fails",
          0,
          100 },
        { "output",
          'o',
          OPTION_TEXT,
          { .text = &get.output },
          "TEMPLATE",
          "saves bodies to a path with {n}, {host}, {path}, {name}; - is stdout",
          0,
          0 },
        { "json",
          'j',
          OPTION_FLAG,
          { .flag = &get.report.json },
          NULL,
          "prints an object a line for each URL, and a sum",
          0,
          0 },
        { "quiet",
          'q',
          OPTION_FLAG,
          { .flag = &get.report.quiet },
          NULL,
          "prints failures only, and no progress",
          0,
          0 },
    };
    const struct command_spec command = {
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    return parse_and_run(&get, &inputs, command, argc, argv);
}

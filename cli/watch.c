/* rill watch: checks URLs on a schedule and serves a live page of them. */
#include "watch.h"
#include "commands.h"
#include "descriptors.h"
#include "options.h"
#include "urls.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENDPOINTS_MAX 10000u
/* Endpoints begin one after the other, so that a thousand of them do not fall due at once. */
#define STAGGER_MAX 0.02
#define CONNECTIONS_MAX 1000
#define SHUTDOWN_SECONDS 5.0

struct command {
    struct watch watch;
    struct urls urls;
    struct option_address listen;
    const char *db, *redis;
    double every, timeout, slow;
    bool no_db;
};

static const char *const demo_names[] = { "fine", "slow", "flaky", "down" };
#define DEMO_COUNT (sizeof demo_names / sizeof demo_names[0])

static int no_memory(void)
{
    return rill_fail(RILL_ENOMEM, "out of memory");
}

/* ---- endpoints ---- */

/* The page's own address as a client of this machine reaches it. */
static const char *own_host(const struct option_address *listen, char out[300])
{
    bool any =
        !listen->host[0] || strcmp(listen->host, "0.0.0.0") == 0 || strcmp(listen->host, "::") == 0;
    const char *host = any ? "127.0.0.1" : listen->host;
    snprintf(out, 300, strchr(host, ':') ? "[%s]" : "%s", host);
    return out;
}

static int add_demo(struct command *command, int port)
{
    char host[300], url[400];
    for (size_t i = 0; i < DEMO_COUNT; i++) {
        snprintf(url, sizeof url, "http://%s:%d/demo/%s", own_host(&command->listen, host), port,
                 demo_names[i]);
        if (!checks_add(&command->watch.checks, url, demo_names[i]))
            return no_memory();
    }
    return 0;
}

static int add_endpoints(struct command *command, int port)
{
    if (command->urls.count == 0)
        return add_demo(command, port);
    for (size_t i = 0; i < command->urls.count; i++)
        if (!checks_add(&command->watch.checks, command->urls.items[i], NULL))
            return no_memory();
    return 0;
}

/* ---- running ---- */

static int spawn_all(rill_group *group, struct watch *watch, struct watched *watched)
{
    size_t count = watch->checks.count;
    double step = watch->every / (double)count;
    for (size_t i = 0; i < count; i++) {
        watched[i] = (struct watched){
            .watch = watch,
            .check = watch->checks.items[i],
            .delay = (double)i * (step < STAGGER_MAX ? step : STAGGER_MAX),
        };
        rill_task task = rill_spawn(watch_endpoint, &watched[i], .group = group, .name = "check",
                                    .stack = (size_t)256 << 10);
        if (!task.id)
            return rill_errcode();
    }
    rill_task task = { 1 };
    if (watch->db)
        task = rill_every(1.0, watch_store_flush, watch, .group = group, .name = "store");
    if (task.id && watch->redis_url)
        task = rill_spawn(watch_publish, watch, .group = group, .name = "publish");
    return task.id ? 0 : rill_errcode();
}

/* Checks until it is cancelled. */
static int watch_all(struct watch *watch)
{
    struct watched *watched = calloc(watch->checks.count, sizeof *watched);
    if (!watched)
        return no_memory();
    rill_group group;
    int rc = rill_group_begin(&group);
    if (rc == 0) {
        rc = spawn_all(&group, watch, watched);
        rc = rill_group_end(&group, rc);
    }
    free(watched);
    return rc;
}

static void announce(const struct command *command, int port)
{
    char host[300];
    fprintf(stderr, "watching %zu %s; the page is at http://%s:%d/\n", command->watch.checks.count,
            command->watch.checks.count == 1 ? "endpoint" : "endpoints",
            own_host(&command->listen, host), port);
}

static int on_shutdown(rill_app *app)
{
    struct watch *watch = rill_app_data(app);
    event_feed_close(&watch->feed);
    return 0;
}

static int serve_and_watch(struct command *command, rill_app *app)
{
    struct watch *watch = &command->watch;
    int rc = rill_app_start(app, .host = command->listen.host[0] ? command->listen.host : NULL,
                            .port = command->listen.port ? command->listen.port : RILL_ANY_PORT,
                            .shutdown_timeout = SHUTDOWN_SECONDS, .quiet = true);
    if (rc < 0)
        return rc;
    int port = rill_app_port(app);
    rc = add_endpoints(command, port);
    if (rc == 0) {
        watch_store_load(watch);
        rill_event_set(&watch->loaded);
        announce(command, port);
        rc = watch_all(watch);
    }
    rill_scope shield;
    rill_scope_begin(&shield, .shield = true, .timeout = 3 * SHUTDOWN_SECONDS);
    rill_app_stop(app);
    watch_store_flush(watch);
    watch_store_close(watch);
    rill_scope_end(&shield, 0);
    return rc;
}

/* A URL that is none is told now; a redis that is absent may come yet. */
static int try_redis(struct watch *watch)
{
    if (!watch->redis_url)
        return 0;
    watch->redis = rill_redis_connect(watch->redis_url, .connect_timeout = 1, .timeout = 2);
    if (watch->redis || !rill_error_is(rill_last_error(), RILL_EURL))
        return 0;
    fprintf(stderr, "rill watch: --redis: %s\n", rill_last_error()->message);
    return EXIT_USAGE;
}

static int run(void *arg)
{
    struct command *command = arg;
    struct watch *watch = &command->watch;
    int half = descriptors_for_use() / 2 + 1; /* the other half is for the page's visitors */
    rill_auto(rill_session) session =
        rill_session_new(.limit = half < CONNECTIONS_MAX ? half : CONNECTIONS_MAX,
                         .headers = RILL_HEADERS({ "Accept", "*/*" }));
    rill_auto(rill_app) app = rill_app_new();
    if (!session || !app)
        return rill_errcode();
    watch->session = session;
    watch->checks.every = watch->every = command->every;
    watch->checks.slow_ms = command->slow * 1e3;
    watch->checks.started_ms = watch_wall_ms();
    watch->timeout = command->timeout;
    watch->redis_url = command->redis;
    event_feed_init(&watch->feed);
    rill_event_init(&watch->loaded);
    watch_routes(app, watch, command->urls.count == 0);
    rill_app_on_shutdown(app, on_shutdown);
    int rc = try_redis(watch);
    if (rc == 0)
        rc = serve_and_watch(command, app);
    rill_redis_free(watch->redis);
    return rc == RILL_ECANCELED ? 0 : rc; /* asked to stop, and stopped in good order */
}

static int collect(struct command *command, const struct option_list *arguments)
{
    char message[512];
    for (size_t i = 0; i < arguments->count; i++) {
        rill_auto(rill_url) url = NULL;
        if (urls_add(&command->urls, arguments->items[i], message, sizeof message) == 0)
            url = rill_url_parse(command->urls.items[i]);
        else
            return fprintf(stderr, "rill watch: %s\n", message), EXIT_USAGE;
        if (!url)
            return fprintf(stderr, "rill watch: %s\n", rill_last_error()->message), EXIT_USAGE;
    }
    if (!command->no_db) {
        command->watch.db = command->db ? strdup(command->db) : store_default_path();
        if (!command->watch.db)
            rill_log(RILL_LOG_WARN, "store", "no HOME and no --db: no history is kept");
    }
    return -1;
}

static void finish(struct command *command)
{
    struct watch *watch = &command->watch;
    event_feed_finish(&watch->feed);
    checks_finish(&watch->checks);
    result_queue_finish(&watch->to_store);
    free(watch->db);
    urls_finish(&command->urls);
}

static int run_command(struct command *command, const struct option_list *arguments)
{
    int status = collect(command, arguments);
    if (status < 0)
        status = rill_run(run, command);
    finish(command);
    return status;
}

static int parse_and_run(struct command *watch, const struct option_spec *options, size_t count,
                         int argc, char **argv)
{
    struct option_list arguments = { 0 };
    const struct command_spec command = {
        .name = "rill watch",
        .arguments = "[URL...]",
        .summary = "Checks URLs on a schedule and serves a live page of them. Without a URL it\n"
                   "watches four demo endpoints of its own.",
        .notes = "The page's data are at /api/checks, its events at /api/events, and metrics for\n"
                 "Prometheus at /metrics.",
        .options = options,
        .option_count = count,
        .arguments_max = ENDPOINTS_MAX,
    };
    int status = options_parse(&command, argc, argv, &arguments);
    if (status < 0)
        status = run_command(watch, &arguments);
    option_list_free(&arguments);
    return status;
}

int command_watch(int argc, char **argv)
{
    static struct command watch = {
        .every = 5, .timeout = 10, .slow = 1, .listen = { .host = "127.0.0.1", .port = 8080 }
    };
    const struct option_spec options[] = {
        { "every",
          'e',
          OPTION_DURATION,
          { .seconds = &watch.every },
          "TIME",
          "time between two checks of one URL",
          0.05,
          86400 },
        { "timeout",
          't',
          OPTION_DURATION,
          { .seconds = &watch.timeout },
          "TIME",
          "time for one check, its body included",
          0.001,
          86400 },
        { "slow",
          0,
          OPTION_DURATION,
          { .seconds = &watch.slow },
          "TIME",
          "an answer that took longer is shown as slow",
          0.001,
          86400 },
        { "listen",
          'l',
          OPTION_ADDRESS,
          { .address = &watch.listen },
          "ADDRESS",
          "where the page is served; port 0 is any free one",
          0,
          0 },
        { "db",
          0,
          OPTION_TEXT,
          { .text = &watch.db },
          "PATH",
          "where the history is kept [rill/watch.db in the user's data folder]",
          0,
          0 },
        { "no-db", 0, OPTION_FLAG, { .flag = &watch.no_db }, NULL, "keeps no history", 0, 0 },
        { "redis",
          0,
          OPTION_TEXT,
          { .text = &watch.redis },
          "URL",
          "publishes every result there: channel and hash rill:checks",
          0,
          0 },
    };
    return parse_and_run(&watch, options, sizeof options / sizeof options[0], argc, argv);
}

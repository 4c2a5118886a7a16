/*
 * The client in the simulated world: many tasks over few connections, of which some are cancelled
 * at any moment and others run out of time, on links that break. However it goes, each answer is
 * the one to its request, and all places of the pool come back.
 */
#include "../testing/in_world.h"

#include "base/fail.h"
#include "client/client_internal.h"

#include <rill/log.h>
#include <rill/rill.h>
#include <stdlib.h>

#define TASKS 30
#define LIMIT 4
#define UPLOAD 20000u

static struct world {
    rill_app *app;
    rill_session *session;
    unsigned long good, posts_sent, posts_served;
} world;

/* ---- the server ---- */

static int serve_number(rill_request *request)
{
    return rill_reply_text(request, 200, "number %s", rill_request_param(request, "n"));
}

static int serve_away(rill_request *request)
{
    char location[60];
    snprintf(location, sizeof location, "http://10.0.0.1/number/%s",
             rill_request_param(request, "n"));
    return rill_reply_redirect(request, 302, location);
}

static int serve_later(rill_request *request)
{
    RILL__TRY(rill_sleep(0.3));
    return serve_number(request);
}

/* In pieces, without a length. */
static int serve_pieces(rill_request *request)
{
    RILL__TRY(rill_reply_begin(request, 200));
    RILL__TRY(rill_reply_printf(request, "num"));
    RILL__TRY(rill_sleep(0.05));
    return rill_reply_printf(request, "ber %s", rill_request_param(request, "n"));
}

static int serve_post(rill_request *request)
{
    rill_str body;
    world.posts_served++;
    RILL__TRY(rill_request_body(request, &body));
    if (body.len != UPLOAD)
        rill_test_fail("%zu bytes were posted", body.len);
    return serve_number(request);
}

/* Answers before it has read anything, and goes. */
static int serve_refusal(rill_request *request)
{
    return rill_reply_text(request, 413, "number %s", rill_request_param(request, "n"));
}

static int start(void)
{
    static rill_handler_fn *const serve[] = { serve_number, serve_away, serve_later, serve_pieces };
    static const char *const paths[] = { "/number/{n}", "/away/{n}", "/later/{n}", "/pieces/{n}" };
    world = (struct world){ .app = rill_app_new() };
    RILL__TRY(world.app ? 0 : rill_errcode());
    RILL__TRY(rill_test_host("a", "10.0.0.1"));
    for (size_t i = 0; i < sizeof serve / sizeof serve[0]; i++)
        rill_app_get(world.app, paths[i], serve[i]);
    rill_app_post(world.app, "/post/{n}", serve_post);
    rill_app_post(world.app, "/refusal/{n}", serve_refusal);
    RILL__TRY(rill_app_start(world.app, .host = "10.0.0.1", .port = 80, .shutdown_timeout = 5,
                             .keepalive_timeout = 2));
    world.session = rill_session_new(.limit = LIMIT, .limit_per_host = LIMIT - 1,
                                     .timeout.total = 20, .timeout.connect = 10);
    return world.session ? 0 : rill_errcode();
}

/* ---- the clients ---- */

static double chance(void)
{
    return (double)(rill__loop_random() % 1000) / 1000;
}

static rill_response *fetch(int number)
{
    static const char *const kinds[] = { "number", "away", "later", "pieces", "post", "refusal" };
    static const char body[UPLOAD];
    size_t kind = (size_t)(chance() * 6);
    char url[60];
    snprintf(url, sizeof url, "http://%s/%s/%d", chance() < 0.5 ? "a" : "10.0.0.1", kinds[kind],
             number);
    if (kind < 4)
        return rill_get(world.session, url, .timeout.sock_read = chance() < 0.2 ? 0.2 : 0);
    world.posts_sent++;
    return rill_post(world.session, url, .body = { body, sizeof body });
}

static int fetch_one(int number)
{
    rill_auto(rill_response) response = fetch(number);
    char wanted[40];
    rill_str text;
    if (!response || chance() < 0.1) /* some do not look at the body */
        return response ? 0 : rill_errcode();
    RILL__TRY(rill_response_text(response, &text));
    snprintf(wanted, sizeof wanted, "number %d", number);
    int status = rill_response_status(response);
    if (status < 400 && strcmp(text.ptr, wanted) != 0)
        return rill_test_fail("%d: \"%s\", not \"%s\"", status, text.ptr, wanted);
    world.good += status == 200;
    return 0;
}

static int fetch_some(void *arg)
{
    int number = *(int *)arg * 100;
    for (int i = 0; i < 6; i++) {
        if (fetch_one(number + i) == RILL_ECANCELED && rill_cancelled())
            return RILL_ECANCELED;
        RILL__TRY(chance() < 0.2 ? rill_sleep(chance() * 3) : 0);
    }
    return 0;
}

static int run(void *arg)
{
    (void)arg;
    int numbers[TASKS];
    rill_task tasks[TASKS];
    RILL__TRY(start());
    for (int i = 0; i < TASKS; i++) {
        numbers[i] = i;
        tasks[i] = rill_spawn(fetch_some, &numbers[i]);
    }
    for (int i = 0; i < TASKS / 3; i++) {
        RILL__TRY(rill_sleep(chance() * 0.2));
        rill_cancel(tasks[(size_t)(chance() * TASKS)]);
    }
    for (int i = 0; i < TASKS; i++)
        rill_join(tasks[i]);
    return 0;
}

/* ---- what must be true then ---- */

static int check_pool(const rill__pool *pool)
{
    if (pool->used > 0 || pool->places.free != pool->limit || pool->idle_count > LIMIT ||
        !rill__waitq_empty(&pool->places.queue))
        return rill_test_fail("%zu used, %zu of %zu places, %zu idle", pool->used,
                              pool->places.free, pool->limit, pool->idle_count);
    for (size_t i = 0; i < RILL__POOL_BUCKETS; i++)
        for (rill__host *host = pool->buckets[i]; host; host = host->next)
            if (host->places.free != pool->limit_per_host)
                return rill_test_fail("%zu of %zu places at %s", host->places.free,
                                      pool->limit_per_host, host->origin);
    return 0;
}

static int after(void *arg)
{
    (void)arg;
    rill_test_link(NULL, NULL);
    int rc = world.session ? check_pool(&world.session->pool) : 0;
    if (world.posts_served > world.posts_sent)
        rc = rill_test_fail("%lu posts were sent, %lu came", world.posts_sent, world.posts_served);
    for (int i = 0; rc == 0 && world.session && i < 2 * LIMIT; i++) {
        rill_auto(rill_response) response = rill_get(world.session, "http://a/number/1");
        rc = response ? 0 : rill_errcode();
    }
    rill_session_free(world.session);
    int stopped = world.app ? rill_app_stop(world.app) : 0;
    rill_app_free(world.app);
    return rc < 0 ? rc : stopped;
}

static void drop_log(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    (void)level;
    (void)subsystem;
    (void)message;
}

#ifdef __SANITIZE_ADDRESS__
#define SEEDS 40
#else
#define SEEDS 200
#endif

TEST_WITHIN(no_place_is_lost_and_no_answer_mixed_up, 120)
{
    static const double chances[] = { 0, 0.01, 0.1, 0.5 };
    const char *given = getenv("RILL_TEST_SEEDS");
    uint64_t count = given ? strtoull(given, NULL, 10) : SEEDS;
    unsigned long good = 0;
    rill_log_to(drop_log, NULL);
    for (uint64_t seed = 1; seed <= count && test_failures() < 3; seed++) {
        rill_test_report report;
        int rc = rill_test_run(run, NULL, .after = after, .seed = seed, .shuffle = true,
                               .limit = 7200, .quiet = true, .report = &report,
                               .net = { .latency = (double)(seed % 7) / 200,
                                        .jitter = (double)(seed % 5) / 100,
                                        .split = chances[seed % 4],
                                        .refuse = seed % 11 == 0 ? 0.2 : 0,
                                        .reset = seed % 3 == 0 ? 0.03 : 0,
                                        .stall = seed % 17 == 0 ? 0.1 : 0,
                                        .stall_time = 30 });
        good += world.good;
        if (rc < 0)
            test_fail(__FILE__, __LINE__, "seed %llu: %s: %s", (unsigned long long)seed,
                      rill_code_name(rc), rill_last_error()->message);
    }
    CHECK(good > count * TASKS); /* of some 100 to a run */
    rill_log_to(NULL, NULL);
}

/* ---- a response that outlives its loop ---- */

static int keep_response(void *arg)
{
    rill_response **response = arg;
    RILL__TRY(start());
    *response = rill_get(world.session, "http://a/pieces/1");
    RILL__TRY(*response ? 0 : rill_errcode());
    RILL__TRY(rill_app_stop(world.app));
    rill_app_free(world.app);
    return 0;
}

TEST(a_response_and_its_session_may_be_freed_after_their_loop)
{
    rill_response *response = NULL;
    rill_log_to(drop_log, NULL);
    rill_test_run(keep_response, &response, .quiet = true);
    REQUIRE(response);
    CHECK_INT(rill_response_status(response), 200);
    rill_response_free(response);
    rill_session_free(world.session);
    rill_log_to(NULL, NULL);
}

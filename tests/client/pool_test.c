/* The pool: which connections are used again, how many there are, and who gets the next place. */
#include "harness.h"
#include "script.h"

#include <stdlib.h>

#define OK_HEAD(fields) "HTTP/1.1 200 OK\r\n" fields "\r\n"
#define OK(len, body) OK_HEAD("Content-Length: " #len "\r\n") body

/* Fetches and reads it all: the status, or a code. */
static int get(rill_session *session, const char *url)
{
    rill_auto(rill_response) response = rill_get(session, url);
    rill_str text;
    if (!response)
        return rill_errcode();
    int rc = rill_response_text(response, &text);
    return rc < 0 ? rc : rill_response_status(response);
}

/* ---- what is kept ---- */

struct keeping {
    const char *name;
    struct step steps[2];
    int connections; /* for two requests */
    bool unread;     /* the body is not read */
};

static const struct keeping keepings[] = {
    { "keep-alive", { { .reply = OK(2, "ok") }, { .reply = OK(2, "ok") } }, 1, false },
    { "no body",
      { { .reply = "HTTP/1.1 204 No\r\n\r\n" }, { .reply = "HTTP/1.1 304 No\r\n\r\n" } },
      1,
      false },
    { "Connection: close",
      { { .reply = OK_HEAD("Connection: close\r\nContent-Length: 2\r\n") "ok" },
        { .reply = OK(2, "ok") } },
      2,
      false },
    { "HTTP/1.0",
      { { .reply = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok" }, { .reply = OK(2, "ok") } },
      2,
      false },
    { "HTTP/1.0 keep-alive",
      { { .reply = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok" },
        { .reply = OK(2, "ok") } },
      1,
      false },
    { "attacks_54 stray bytes with the body",
      { { .reply = OK(2, "okHTTP/1.1 200 OK\r\n\r\n") }, { .reply = OK(2, "ok") } },
      2,
      false },
    { "attacks_54 stray bytes behind the last chunk",
      { { .reply = OK_HEAD("Transfer-Encoding: chunked\r\n") "1\r\na\r\n0\r\n\r\nX" },
        { .reply = OK(2, "ok") } },
      2,
      false },
    { "attacks_54 stray bytes without a body",
      { { .reply = "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nno" }, { .reply = OK(2, "ok") } },
      2,
      false },
    { "short unread body", { { .reply = OK(2, "ok") }, { .reply = OK(2, "ok") } }, 1, true },
    { "short unread chunks",
      { { .reply = OK_HEAD("Transfer-Encoding: chunked\r\n") "1\r\na\r\n0\r\n\r\n" },
        { .reply = OK(2, "ok") } },
      1,
      true },
    { "attacks_54 stray bytes behind unread chunks",
      { { .reply = OK_HEAD("Transfer-Encoding: chunked\r\n") "1\r\na\r\n0\r\n\r\nX" },
        { .reply = OK(2, "ok") } },
      2,
      true },
    { "unread body that is not here",
      { { .reply = OK(200, "ok") }, { .reply = OK(2, "ok") } },
      2,
      true },
    { "unread broken chunks",
      { { .reply = OK_HEAD("Transfer-Encoding: chunked\r\n") "x\r\na\r\n0\r\n\r\n" },
        { .reply = OK(2, "ok") } },
      2,
      true },
};

IN_LOOP(connections_are_kept_only_when_they_are_silent)
{
    for (size_t i = 0; i < sizeof keepings / sizeof keepings[0]; i++) {
        const struct keeping *keeping = &keepings[i];
        struct script *script = script_start(keeping->steps, 2);
        rill_session *session = rill_session_new();
        for (int round = 0; round < 2; round++) {
            rill_response *response = rill_get(session, script->url);
            rill_str text;
            if (!response || (!keeping->unread && rill_response_text(response, &text) < 0))
                test_fail(__FILE__, __LINE__, "%s: %s", keeping->name, rill_last_error()->message);
            rill_response_free(response);
        }
        if (script->connections != keeping->connections)
            test_fail(__FILE__, __LINE__, "%s: %d connections, not %d", keeping->name,
                      script->connections, keeping->connections);
        rill_session_free(session);
        script_stop(script);
    }
}

IN_LOOP(attacks_54_stray_bytes_on_an_idle_connection)
{
    struct step steps[] = { { .reply = OK(2, "ok") },
                            { .reply = OK(4, "evil"), .unasked = true, .delay = 0.01 },
                            { .reply = OK(4, "good") } };
    struct script *script = script_start(steps, 3);
    rill_session *session = rill_session_new();
    CHECK_INT(get(session, script->url), 200);
    rill_sleep(0.05);
    rill_auto(rill_response) response = rill_get(session, script->url);
    REQUIRE(response);
    rill_str text;
    CHECK_INT(rill_response_text(response, &text), 0);
    CHECK_STR(text.ptr, "good");
    CHECK_INT(script->connections, 2);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(the_callers_connection_close_is_kept_to)
{
    struct step steps[] = { { .reply = OK(2, "ok") } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new();
    for (int i = 0; i < 2; i++)
        rill_response_free(
            rill_get(session, script->url, .headers = RILL_HEADERS({ "Connection", "close" })));
    CHECK_INT(script->connections, 2);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(idle_connections_are_closed_after_keepalive_timeout)
{
    struct step steps[] = { { .reply = OK(2, "ok") } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new(.keepalive_timeout = 0.3);
    CHECK_INT(get(session, script->url), 200);
    rill_sleep(0.01);
    CHECK_INT(script->open, 1);
    CHECK_INT(get(session, script->url), 200);
    CHECK_INT(script->connections, 1);
    rill_sleep(0.6);
    CHECK_INT(script->open, 0);
    CHECK_INT(get(session, script->url), 200);
    CHECK_INT(script->connections, 2);
    rill_session_free(session);
    rill_sleep(0.02);
    CHECK_INT(script->open, 0);
    script_stop(script);
}

/* ---- stale connections ---- */

static int fetch_with(rill_session *session, const char *url, const char *method)
{
    rill_auto(rill_response) response = rill_request_url(session, url, .method = method);
    return response ? rill_response_status(response) : rill_errcode();
}

struct stale {
    const char *method;
    struct step second; /* what the kept connection does */
    int status;         /* of the second request, or its code */
    int requests;
};

static const struct stale stales[] = {
    { "GET", { .close = true }, 200, 3 },
    { "HEAD", { .close = true }, 200, 3 },
    { "OPTIONS", { .close = true }, 200, 3 },
    { "PUT", { .close = true }, 200, 3 },
    { "DELETE", { .close = true }, 200, 3 },
    { "GET", { .reset = true }, 200, 3 },
    { "POST", { .close = true }, RILL_EDISCONNECTED, 2 },
    { "POST", { .reset = true }, RILL_ERESET, 2 },
    { "PATCH", { .close = true }, RILL_EDISCONNECTED, 2 },
    { "GET", { .reply = "H", .close = true }, RILL_EDISCONNECTED, 2 },
    { "GET", { .reply = "HTTP/1.1 100 C\r\n\r\n", .close = true }, RILL_EDISCONNECTED, 2 },
};

IN_LOOP(a_stale_connection_is_replaced_once_when_that_is_safe)
{
    for (size_t i = 0; i < sizeof stales / sizeof stales[0]; i++) {
        const struct stale *stale = &stales[i];
        struct step steps[] = { { .reply = OK(0, "") }, stale->second, { .reply = OK(0, "") } };
        struct script *script = script_start(steps, 3);
        rill_session *session = rill_session_new();
        CHECK_INT(get(session, script->url), 200);
        int status = fetch_with(session, script->url, stale->method);
        rill_sleep(0.02);
        if (status != stale->status || (int)script->request_count != stale->requests)
            test_fail(__FILE__, __LINE__, "%zu %s: %d after %zu requests: %s", i, stale->method,
                      status, script->request_count, rill_last_error()->message);
        rill_session_free(session);
        script_stop(script);
    }
}

IN_LOOP(a_fresh_connection_that_ends_is_not_tried_again)
{
    struct step steps[] = { { .close = true } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new();
    CHECK_INT(get(session, script->url), RILL_EDISCONNECTED);
    CHECK_INT(script->request_count, 1);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(a_second_stale_connection_is_an_error)
{
    struct step steps[] = { { .reply = OK(0, "") }, { .close = true }, { .close = true } };
    struct script *script = script_start(steps, 3);
    rill_session *session = rill_session_new();
    CHECK_INT(get(session, script->url), 200);
    CHECK_INT(get(session, script->url), RILL_EDISCONNECTED);
    CHECK_INT(script->request_count, 3);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(a_connection_closed_while_idle_is_not_used)
{
    struct step steps[] = { { .reply = OK(2, "ok"), .close = true } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new();
    CHECK_INT(get(session, script->url), 200);
    rill_sleep(0.02);
    CHECK_INT(fetch_with(session, script->url, "POST"), 200);
    CHECK_INT(script->request_count, 2);
    rill_session_free(session);
    script_stop(script);
}

/* ---- limits ---- */

#define MANY 24

struct many {
    rill_session *session;
    const char *url;
    int *order, *at;
    int index, result;
};

static int fetch_one(void *arg)
{
    struct many *many = arg;
    many->result = get(many->session, many->url);
    if (many->result == 200)
        many->order[(*many->at)++] = many->index;
    return 0;
}

static void fetch_many(rill_session *session, const char *const *urls, size_t url_count,
                       int order[MANY])
{
    struct many many[MANY];
    int at = 0;
    for (int i = 0; i < MANY; i++)
        many[i] = (struct many){ session, urls[(size_t)i % url_count], order, &at, i, 0 };
    CHECK_INT(rill_gather(many, MANY, fetch_one), 0);
    CHECK_INT(at, MANY);
}

IN_LOOP(the_limit_holds_and_the_queue_is_fair)
{
    struct step steps[] = { { .reply = OK(2, "ok"), .delay = 0.005 } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new(.limit = 1);
    const char *urls[] = { script->url };
    int order[MANY];
    fetch_many(session, urls, 1, order);
    for (int i = 0; i < MANY; i++)
        CHECK_INT(order[i], i);
    CHECK_INT(script->connections, 1);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(the_limit_counts_all_hosts)
{
    struct step steps[] = { { .reply = OK(2, "ok"), .delay = 0.002 } };
    struct script *a = script_start(steps, 1), *b = script_start(steps, 1);
    rill_session *session = rill_session_new(.limit = 4);
    const char *urls[] = { a->url, b->url };
    int order[MANY];
    fetch_many(session, urls, 2, order);
    CHECK(a->open + b->open <= 4);
    CHECK(a->open_max <= 4 && b->open_max <= 4);
    CHECK(a->open_max + b->open_max >= 4);
    rill_session_free(session);
    script_stop(a);
    script_stop(b);
}

IN_LOOP(the_limit_per_host_leaves_other_hosts_alone)
{
    struct step slow[] = { { .reply = OK(2, "ok"), .delay = 0.1 } };
    struct step fast[] = { { .reply = OK(2, "ok") } };
    struct script *a = script_start(slow, 1), *b = script_start(fast, 1);
    rill_session *session = rill_session_new(.limit_per_host = 2);
    const char *urls[] = { a->url, b->url };
    int order[MANY];
    fetch_many(session, urls, 2, order);
    CHECK_INT(a->open_max, 2);
    CHECK_INT(b->open_max, 2);
    for (int i = 0; i < MANY / 2 - 2; i++)
        CHECK_INT(order[i] % 2, 1); /* those of the fast host came first */
    rill_session_free(session);
    script_stop(a);
    script_stop(b);
}

IN_LOOP(an_idle_connection_gives_way_to_another_host)
{
    struct step steps[] = { { .reply = OK(2, "ok") } };
    struct script *a = script_start(steps, 1), *b = script_start(steps, 1);
    rill_session *session = rill_session_new(.limit = 1);
    CHECK_INT(get(session, a->url), 200);
    CHECK_INT(get(session, b->url), 200);
    rill_sleep(0.02);
    CHECK_INT(a->open, 0);
    CHECK_INT(b->open, 1);
    rill_session_free(session);
    script_stop(a);
    script_stop(b);
}

struct waiting {
    rill_session *session;
    const char *url;
    int result;
};

static int wait_and_fetch(void *arg)
{
    struct waiting *waiting = arg;
    waiting->result = get(waiting->session, waiting->url);
    return 0;
}

IN_LOOP(a_cancelled_waiter_passes_its_place_on)
{
    struct step steps[] = { { .reply = OK(2, "ok"), .delay = 0.2 }, { .reply = OK(2, "ok") } };
    struct script *script = script_start(steps, 2);
    rill_session *session = rill_session_new(.limit = 1);
    struct waiting waiting[3];
    rill_task tasks[3];
    for (int i = 0; i < 3; i++) {
        waiting[i] = (struct waiting){ session, script->url, 0 };
        tasks[i] = rill_spawn(wait_and_fetch, &waiting[i]);
        rill_sleep(0);
    }
    rill_sleep(0.01);
    rill_cancel(tasks[1], .reason = "enough");
    for (int i = 0; i < 3; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    CHECK_INT(waiting[0].result, 200);
    CHECK_INT(waiting[1].result, RILL_ECANCELED);
    CHECK_INT(waiting[2].result, 200);
    CHECK_INT(script->request_count, 2);
    CHECK_INT(get(session, script->url), 200);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(the_most_recently_used_connection_is_taken_first)
{
    struct step steps[] = { { .reply = OK(2, "ok"), .delay = 0.01 } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new(.keepalive_timeout = 0.4);
    struct waiting both[] = { { session, script->url, 0 }, { session, script->url, 0 } };
    CHECK_INT(rill_gather(both, 2, wait_and_fetch), 0);
    CHECK_INT(script->open, 2);
    for (int i = 0; i < 8; i++) {
        CHECK_INT(get(session, script->url), 200);
        rill_sleep(0.08);
    }
    CHECK_INT(script->open, 1); /* the other one was left alone, and has grown old */
    CHECK_INT(script->connections, 2);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(a_waiter_for_both_limits_gives_both_places_back)
{
    struct step slow[] = { { .reply = OK(2, "ok"), .delay = 0.3 } };
    struct step fast[] = { { .reply = OK(2, "ok") } };
    struct script *a = script_start(slow, 1), *b = script_start(fast, 1);
    rill_session *session = rill_session_new(.limit = 1, .limit_per_host = 1, .timeout.total = 2);
    struct waiting at_a = { session, a->url, 0 }, at_b = { session, b->url, 0 };
    rill_task holder = rill_spawn(wait_and_fetch, &at_a);
    rill_sleep(0.01);
    rill_task waiter = rill_spawn(wait_and_fetch, &at_b);
    rill_sleep(0.01);
    rill_cancel(waiter);
    rill_join(waiter);
    rill_join(holder);
    CHECK_INT(at_a.result, 200);
    CHECK_INT(at_b.result, RILL_ECANCELED);
    CHECK_INT(get(session, b->url), 200);
    rill_session_free(session);
    script_stop(a);
    script_stop(b);
}

IN_LOOP(a_cancelled_fetch_closes_its_connection_and_frees_its_place)
{
    struct step steps[] = { { .reply = OK(2, "ok"), .delay = 20 }, { .reply = OK(2, "ok") } };
    struct script *script = script_start(steps, 2);
    rill_session *session = rill_session_new(.limit = 1);
    struct waiting waiting = { session, script->url, 0 };
    rill_task task = rill_spawn(wait_and_fetch, &waiting);
    rill_sleep(0.02);
    rill_cancel(task, .reason = "the user went away");
    rill_join(task);
    CHECK_INT(waiting.result, RILL_ECANCELED);
    CHECK_INT(get(session, script->url), 200);
    CHECK_INT(script->connections, 2);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(freeing_the_session_sends_waiters_away)
{
    struct step steps[] = { { .reply = OK(2, "ok"), .delay = 0.3 } };
    struct script *script = script_start(steps, 1);
    for (int per_host = 0; per_host < 2; per_host++) {
        rill_session *session =
            per_host ? rill_session_new(.limit_per_host = 1) : rill_session_new(.limit = 1);
        struct waiting first = { session, script->url, 0 }, second = first;
        rill_task tasks[] = { rill_spawn(wait_and_fetch, &first),
                              rill_spawn(wait_and_fetch, &second) };
        rill_sleep(0.02);
        rill_session_free(session);
        rill_join(tasks[0]);
        rill_join(tasks[1]);
        CHECK_INT(first.result, 200);
        CHECK_INT(second.result, RILL_ECLOSED);
    }
    script_stop(script);
}

/* ---- loops ---- */

static int fetch_in_a_loop(void *arg)
{
    static const struct step steps[] = { { .reply = OK(2, "ok") } };
    struct script *script = script_start(steps, 1);
    CHECK_INT(get(arg, script->url), 200);
    CHECK_INT(get(arg, script->url), 200);
    CHECK_INT(script->connections, 1);
    script_stop(script);
    return 0;
}

TEST(a_session_may_outlive_its_loop)
{
    rill_session *session = rill_session_new();
    run_in_loop(fetch_in_a_loop, session);
    run_in_loop(fetch_in_a_loop, session);
    rill_session_free(session);
}

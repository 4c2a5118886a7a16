/*
 * Sweeps over one scenario, a fetch with a redirect, a gzip body and a connection that is kept:
 * the nth allocation fails; it is cancelled after n turns; the connection breaks after n bytes.
 * After each the session still works: a place that was lost would make the next fetch hang, for
 * there is only one.
 */
#include "base/alloc.h"
#include "harness.h"
#include "script.h"

#include <jansson.h>
#include <stdlib.h>

#define GZIP_JSON                                                                                  \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\x4a\x54\xb2\x32\x31\xaa\x05\x00\xf8\xd6\xa3" \
    "\xcb\x08\x00\x00\x00"
#define REDIRECT "HTTP/1.1 307 Go\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n"
#define ANSWER                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"              \
    "Transfer-Encoding: chunked\r\n\r\n1c\r\n" GZIP_JSON "\r\n0\r\n\r\n"
#define ANSWER_LEN (sizeof ANSWER - 1)

/* What every second request gets. */
static const struct step *steps_of(size_t count)
{
    static struct step steps[2000];
    for (size_t i = 0; i < count; i++)
        steps[i] = i % 2 == 0 ? (struct step){ .reply = REDIRECT }
                              : (struct step){ .reply = ANSWER, .len = ANSWER_LEN };
    return steps;
}

struct scenario {
    rill_session *session;
    const char *url;
};

static int fetch_json(rill_session *session, const char *url)
{
    rill_auto(rill_response) response =
        rill_put(session, url, .form = RILL_PARAMS({ "a", "b c" }),
                 .params = RILL_PARAMS({ "q", "1" }), .headers = RILL_HEADERS({ "X-A", "1" }));
    json_t *value = response ? rill_response_json(response) : NULL;
    if (!value)
        return rill_errcode();
    CHECK_INT(json_integer_value(json_object_get(value, "a")), 42);
    json_decref(value);
    return 0;
}

static int run_scenario(void *arg)
{
    struct scenario *scenario = arg;
    return fetch_json(scenario->session, scenario->url);
}

/* The scripted server answers by turns: a scenario that was cut short may leave it in the middle.
 */
static void start_afresh(struct script *script)
{
    script->at = 0;
}

IN_LOOP(each_allocation_fails_once)
{
    struct script *script = script_start(steps_of(2), 2);
    unsigned long failed = 0;
    for (unsigned long n = 1; n < 1000; n++) {
        unsigned long before = rill__alloc_count;
        rill__alloc_fail_at = before + n;
        rill_session *session =
            rill_session_new(.limit = 1, .headers = RILL_HEADERS({ "X-S", "1" }));
        int rc = session ? fetch_json(session, script->url) : rill_errcode();
        bool hit = rill__alloc_count >= rill__alloc_fail_at;
        rill__alloc_fail_at = 0;
        failed += rc < 0;
        if (rc < 0 && rc != RILL_ENOMEM && rc != RILL_EDISCONNECTED && rc != RILL_ERESET)
            test_fail(__FILE__, __LINE__, "allocation %lu: %s", n, rill_last_error()->message);
        start_afresh(script);
        if (session)
            CHECK_INT(fetch_json(session, script->url), 0);
        rill_session_free(session);
        start_afresh(script);
        if (!hit) {
            CHECK_INT(rc, 0);
            break;
        }
    }
    CHECK(failed > 20);
    script_stop(script);
}

IN_LOOP(it_is_cancelled_at_each_turn)
{
    struct script *script = script_start(steps_of(2), 2);
    rill_session *session = rill_session_new(.limit = 1);
    int cancelled = 0;
    for (int turns = 0; turns < 60; turns++) {
        struct scenario scenario = { session, script->url };
        rill_task task = rill_spawn(run_scenario, &scenario);
        for (int i = 0; i < turns; i++)
            rill_sleep(0);
        rill_cancel(task, .reason = "a sweep");
        int rc = rill_join(task);
        cancelled += rc == RILL_ECANCELED;
        if (rc != 0 && rc != RILL_ECANCELED)
            test_fail(__FILE__, __LINE__, "turn %d: %s", turns, rill_last_error()->message);
        rill_sleep(0.002);
        start_afresh(script);
        CHECK_INT(fetch_json(session, script->url), 0);
        start_afresh(script);
    }
    CHECK(cancelled > 2);
    rill_session_free(session);
    script_stop(script);
}

/* The answer breaks off after k bytes: an error, or a retry that is safe; never half an answer. */
IN_LOOP(attacks_59_the_answer_breaks_off_at_each_byte)
{
    for (size_t k = 0; k < ANSWER_LEN; k++) {
        for (int reset = 0; reset < 2; reset++) {
            char part[ANSWER_LEN + 1];
            memcpy(part, ANSWER, k);
            part[k] = '\0';
            struct step steps[] = { { .reply = REDIRECT },
                                    { .reply = part, .len = k, .close = true, .reset = reset },
                                    { .reply = ANSWER, .len = ANSWER_LEN } };
            struct script *script = script_start(steps, 3);
            rill_session *session = rill_session_new(.limit = 1, .timeout.total = 5);
            int rc = fetch_json(session, script->url);
            /* Before the first byte the kept connection is replaced: PUT may be sent again. */
            if (k == 0 ? rc != 0 : !rill_code_is(rc, RILL_ECLIENT))
                test_fail(__FILE__, __LINE__, "byte %zu: %s", k, rill_code_name(rc));
            CHECK_INT(script->request_count, k == 0 ? 3 : 2);
            CHECK_INT(fetch_json(session, script->url), 0);
            rill_session_free(session);
            script_stop(script);
        }
    }
}

IN_LOOP(attacks_59_a_post_is_never_sent_twice)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (size_t k = 0; k < sizeof ok - 1; k++) {
        char part[sizeof ok];
        memcpy(part, ok, k);
        part[k] = '\0';
        struct step steps[] = { { .reply = ok },
                                { .reply = part, .len = k, .close = true },
                                { .reply = ok } };
        struct script *script = script_start(steps, 3);
        rill_session *session = rill_session_new(.limit = 1, .timeout.total = 5);
        for (int i = 0; i < 2; i++) {
            rill_response *response = rill_post(session, script->url, .body = RILL_STR("x"));
            rill_str text;
            int rc = response ? rill_response_bytes(response, &text) : rill_errcode();
            CHECK(i == 0 ? rc == 0 : rill_code_is(rc, RILL_ECLIENT));
            rill_response_free(response);
        }
        CHECK_INT(script->request_count, 2);
        rill_session_free(session);
        script_stop(script);
    }
}

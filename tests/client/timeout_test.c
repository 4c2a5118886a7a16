/* Time: each phase has its limit, its code and its words, and what is outside stays outside. */
#include "harness.h"
#include "script.h"

#include <stdlib.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define HALF "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"

static void check_error(int code, const char *words)
{
    CHECK_STR(rill_code_name(rill_errcode()), rill_code_name(code));
    CHECK_CONTAINS(rill_last_error()->message, words);
    CHECK_CONTAINS(rill_last_error()->message, "GET http");
    CHECK(code == RILL_ECANCELED || rill_error_is(rill_last_error(), RILL_ETIMEDOUT));
    CHECK(code == RILL_ECANCELED || rill_error_is(rill_last_error(), RILL_ECLIENT));
}

static const struct step silent[] = { { .reply = OK, .delay = 20 } };
static const struct step half[] = { { .reply = HALF } };

IN_LOOP(total_while_waiting_for_the_answer)
{
    struct script *script = script_start(silent, 1);
    rill_auto(rill_session) session = rill_session_new(.timeout.total = 0.05);
    double before = rill_now();
    CHECK(!rill_get(session, script->url));
    check_error(RILL_ETOTAL_TIMEOUT, ": waiting for the answer: not done within 0.05 s");
    CHECK(rill_now() - before >= 0.05 && rill_now() - before < 1);
    CHECK_STR(rill_last_error()->where, script->url);
    script_stop(script);
}

IN_LOOP(total_while_reading_the_body)
{
    struct script *script = script_start(half, 1);
    rill_auto(rill_session) session = rill_session_new();
    double before = rill_now();
    rill_auto(rill_response) response = rill_get(session, script->url, .timeout.total = 0.4);
    REQUIRE(response);
    rill_sleep(0.2); /* that counts too */
    rill_str text;
    CHECK_INT(rill_response_text(response, &text), RILL_ETOTAL_TIMEOUT);
    check_error(RILL_ETOTAL_TIMEOUT, ": reading the body: not done within 0.4 s");
    CHECK(rill_now() - before >= 0.4 && rill_now() - before < 1);
    CHECK_INT(rill_last_error()->status, 200);
    rill_sleep(0.01);
    CHECK_INT(script->open, 0);
    script_stop(script);
}

IN_LOOP(total_over_before_the_body_is_asked_for)
{
    struct script *script = script_start(half, 1);
    rill_auto(rill_session) session = rill_session_new();
    rill_auto(rill_response) response = rill_get(session, script->url, .timeout.total = 0.2);
    REQUIRE(response);
    rill_sleep(0.3);
    rill_str text;
    CHECK_INT(rill_response_text(response, &text), RILL_ETOTAL_TIMEOUT);
    script_stop(script);
}

IN_LOOP(total_covers_all_redirects)
{
    struct step steps[] = {
        { .reply = "HTTP/1.1 302 Go\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", .delay = 0.1 }
    };
    struct script *script = script_start(steps, 1);
    rill_auto(rill_session) session = rill_session_new(.timeout.total = 0.25);
    CHECK(!rill_get(session, script->url));
    check_error(RILL_ETOTAL_TIMEOUT, "not done within 0.25 s");
    CHECK(script->request_count == 2 || script->request_count == 3);
    script_stop(script);
}

static int hold(void *arg)
{
    struct script *script = ((void **)arg)[0];
    rill_auto(rill_response) response = rill_get(((void **)arg)[1], script->url);
    return response ? 0 : rill_errcode();
}

IN_LOOP(waiting_for_a_place_has_limits_too)
{
    struct script *script = script_start(silent, 1);
    rill_session *session = rill_session_new(.limit = 1);
    void *args[] = { script, session };
    rill_task holder = rill_spawn(hold, args);
    rill_sleep(0.02);
    CHECK(!rill_get(session, script->url, .timeout.total = 0.03));
    check_error(RILL_ETOTAL_TIMEOUT, ": waiting for a free connection: not done within 0.03 s");
    CHECK(!rill_get(session, script->url, .timeout.connect = 0.03));
    check_error(RILL_ECONNECT_TIMEOUT,
                ": waiting for a free connection: no connection within 0.03 s");
    rill_cancel(holder);
    CHECK_INT(rill_join(holder), RILL_ECANCELED);
    rill_session_free(session);
    script_stop(script);
}

/* A server that takes the connection and never says a word of TLS. */
IN_LOOP(connecting_has_limits)
{
    struct script *script = script_start(silent, 1);
    rill_auto(rill_session) session = rill_session_new();
    char url[100];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", script->port);
    CHECK(!rill_get(session, url, .timeout.connect = 0.05));
    check_error(RILL_ECONNECT_TIMEOUT, ": connecting: no connection within 0.05 s");
    CHECK(!rill_get(session, url, .timeout.sock_connect = 0.05));
    check_error(RILL_ESOCK_CONNECT_TIMEOUT, ": no answer within 0.05 s");
    CHECK(!rill_get(session, url, .timeout.total = 0.05));
    check_error(RILL_ETOTAL_TIMEOUT, ": connecting: not done within 0.05 s");
    script_stop(script);
}

IN_LOOP(sock_read_limits_each_silence)
{
    struct script *script = script_start(silent, 1);
    rill_session *session = rill_session_new(.timeout.sock_read = 0.05);
    CHECK(!rill_get(session, script->url));
    check_error(RILL_EREAD_TIMEOUT, ": waiting for the answer: nothing came within 0.05 s");
    script_stop(script);

    script = script_start(half, 1);
    rill_response *response = rill_get(session, script->url);
    REQUIRE(response);
    rill_str text;
    CHECK_INT(rill_response_text(response, &text), RILL_EREAD_TIMEOUT);
    check_error(RILL_EREAD_TIMEOUT, ": reading the body: nothing came within 0.05 s");
    rill_response_free(response);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(sock_read_is_not_for_the_whole)
{
    struct step steps[] = { { .reply = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na",
                              .delay = 0.15 },
                            { .reply = "b", .unasked = true, .delay = 0.15 },
                            { .reply = "cd", .unasked = true, .delay = 0.15 } };
    struct script *script = script_start(steps, 3);
    rill_auto(rill_session) session = rill_session_new(.timeout.sock_read = 0.4);
    rill_auto(rill_response) response = rill_get(session, script->url);
    REQUIRE(response);
    rill_str text;
    CHECK_INT(rill_response_text(response, &text), 0);
    CHECK_STR(text.ptr, "abcd");
    script_stop(script);
}

struct fetching {
    rill_session *session;
    const char *url;
    rill_error error;
};

static int fetch(void *arg)
{
    struct fetching *fetching = arg;
    rill_auto(rill_response) response = rill_get(fetching->session, fetching->url);
    rill_str text;
    int rc = response ? rill_response_text(response, &text) : rill_errcode();
    fetching->error = *rill_last_error();
    return rc;
}

IN_LOOP(an_outer_deadline_stays_the_callers)
{
    const struct step *lists[] = { silent, half };
    for (int i = 0; i < 2; i++) {
        struct script *script = script_start(lists[i], 1);
        rill_session *session = rill_session_new(.timeout = { 5, 5, 5, 5 });
        struct fetching fetching = { .session = session, .url = script->url };
        CHECK_INT(rill_within(0.05, fetch, &fetching), RILL_ETIMEDOUT);
        CHECK_INT(fetching.error.code, RILL_ECANCELED);
        CHECK_CONTAINS(fetching.error.message, script->url);
        rill_session_free(session);
        script_stop(script);
    }
}

IN_LOOP(a_cancelled_body_can_be_read_on)
{
    struct step steps[] = { { .reply = HALF },
                            { .reply = "world", .unasked = true, .delay = 0.3 } };
    struct script *script = script_start(steps, 2);
    rill_session *session = rill_session_new();
    rill_response *response = rill_get(session, script->url);
    REQUIRE(response);
    rill_str text;
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.02);
    CHECK_INT(rill_scope_end(&scope, rill_response_text(response, &text)), RILL_ETIMEDOUT);
    CHECK_INT(rill_response_text(response, &text), 0);
    CHECK_STR(text.ptr, "helloworld");
    rill_response_free(response);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(no_timeout_is_no_timeout)
{
    struct step steps[] = { { .reply = OK, .delay = 0.1 } };
    struct script *script = script_start(steps, 1);
    rill_auto(rill_session) session = rill_session_new(.timeout = { 0.02, 0.02, 0.02, 0.02 });
    rill_auto(rill_response) response =
        rill_get(session, script->url,
                 .timeout = { RILL_FOREVER, RILL_FOREVER, RILL_FOREVER, RILL_FOREVER });
    CHECK(response);
    script_stop(script);
}

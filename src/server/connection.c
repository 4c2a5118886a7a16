/* The machine of a connection: its states and the steps between them; see server_internal.h. */
#include "base/alloc.h"
#include "base/fail.h"
#include "server/server_internal.h"

/* So many steps before other connections have their turn. */
#define STEPS_PER_RUN 512

/* ---- birth and end ---- */

/* Closing will drop what the kernel still has, and tell the peer that something went wrong. */
static void reset_on_close(rill__connection *connection)
{
    rill__driver *driver = rill__loop_driver();
    driver->ops->option(driver, &connection->handle, RILL__OPTION_RESET_ON_CLOSE, 1);
}

static void keep_address(rill__connection *connection, const struct sockaddr_storage *address,
                         socklen_t len)
{
    if (len > sizeof connection->peer)
        len = sizeof connection->peer.any;
    memcpy(&connection->peer, address, len);
}

static rill__connection *new_connection(rill_app *app, int fd)
{
    rill__connection *connection = rill__zalloc(sizeof *connection);
    if (!connection)
        return NULL;
    rill__tls_context *tls = rill__listener_tls(app->listeners[0]);
    if (tls)
        connection->tls = rill__tls_new(tls, NULL);
    if ((tls && !connection->tls) || rill__io_adopt(&connection->handle, fd) < 0) {
        rill__tls_free(connection->tls);
        rill__free(connection);
        return NULL;
    }
    connection->app = app;
    rill__input_op_init(connection);
    rill__output_op_init(connection);
    rill__deadlines_init(connection);
    return connection;
}

static void pause_if_full(rill_app *app)
{
    if (app->connection_count < app->settings.max_connections || app->paused)
        return;
    app->paused = true;
    for (size_t i = 0; i < RILL__LISTENERS_MAX; i++)
        if (app->listeners[i])
            rill__listener_stop(app->listeners[i]);
}

static void resume(rill_app *app)
{
    if (!app->paused || app->stopping)
        return;
    app->paused = false;
    for (size_t i = 0; i < RILL__LISTENERS_MAX; i++)
        if (app->listeners[i])
            rill__listener_start(app->listeners[i], rill__connection_accepted, app);
}

static void step_deferred(rill__deferred *deferred)
{
    rill__connection_run(rill__container(deferred, rill__connection, deferred));
}

void rill__connection_accepted(void *arg, int fd, const struct sockaddr_storage *address,
                               socklen_t len)
{
    rill_app *app = arg;
    rill__connection *connection = new_connection(app, fd);
    if (!connection) {
        rill__loop_driver()->ops->discard(rill__loop_driver(), fd);
        return;
    }
    keep_address(connection, address, len);
    connection->deferred.run = step_deferred;
    rill__list_append(&app->connections, &connection->link);
    app->connection_count++;
    pause_if_full(app);
    rill__deadline_set(connection, RILL__READ_DEADLINE,
                       rill__after(rill__loop_now(), app->settings.head_ns));
    rill__connection_run(connection);
}

static void give_request_back(rill__connection *connection)
{
    rill_request *request = connection->request;
    if (!request)
        return;
    connection->request = NULL;
    rill__pool_give(request);
}

static void free_connection(rill__connection *connection)
{
    rill_app *app = connection->app;
    if (connection->abort && !connection->broken)
        reset_on_close(connection);
    if (!connection->broken)
        connection->broken = RILL_ECLOSED;
    rill__io_close(&connection->handle);
    rill__deadlines_stop(connection);
    rill__undefer(&connection->deferred);
    rill__list_remove(&connection->link);
    if (connection->request)
        rill__request_reset(connection->request);
    give_request_back(connection);
    rill__tls_free(connection->tls);
    rill__free(connection);
    app->connection_count--;
    if (app->orphaned && app->connection_count == 0) {
        rill__app_free_now(app);
        return;
    }
    rill__waitq_wake_all(&app->changed);
    resume(app);
}

static bool handler_runs(const rill__connection *connection)
{
    return connection->state == RILL__HANDLER && !connection->request->handler_done;
}

void rill__connection_cancel(rill__connection *connection, const char *reason)
{
    if (handler_runs(connection))
        rill_cancel(connection->request->task, .reason = reason);
}

static bool watches(const rill__connection *connection)
{
    const rill__route *route = connection->request->route;
    return connection->app->settings.cancel_on_disconnect ||
           (route && route->opts.cancel_on_disconnect);
}

/* The handler works for nobody. */
static void leave_handler(rill__connection *connection)
{
    if (!connection->request->reply.begun)
        connection->request->client_left = true;
    rill__connection_cancel(connection, "the client disconnected");
}

void rill__connection_break(rill__connection *connection, int code)
{
    if (connection->broken)
        return;
    connection->broken = code;
    if (code == RILL_ETIMEDOUT) /* it would keep its megabytes until the peer reads them */
        reset_on_close(connection);
    rill__deadline_set(connection, RILL__READ_DEADLINE, RILL__NEVER);
    rill__deadline_set(connection, RILL__WRITE_DEADLINE, RILL__NEVER);
    rill__io_close(&connection->handle);
    rill_request *request = connection->request;
    if (!request)
        return;
    rill__waitq_wake_all(&request->input_waiters);
    rill__waitq_wake_all(&request->output_waiters);
    if (handler_runs(connection) && watches(connection))
        leave_handler(connection);
}

void rill__connection_drop(rill__connection *connection)
{
    bool runs = handler_runs(connection);
    rill__connection_break(connection, RILL_ECLOSED);
    if (!runs)
        free_connection(connection);
}

void rill__connection_close_if_idle(rill__connection *connection)
{
    if (connection->state == RILL__HEAD && !connection->request)
        free_connection(connection);
}

void rill__connection_poke(rill__connection *connection)
{
    rill__defer_to_turn_end(&connection->deferred);
}

void rill__connection_consumed(rill__connection *connection)
{
    if (connection->request->waited && watches(connection))
        rill__connection_poke(connection);
}

/* ---- waiting for a head ---- */

static void start_keepalive(rill__connection *connection)
{
    rill__deadline_set(connection, RILL__READ_DEADLINE,
                       rill__after(rill__loop_now(), connection->app->settings.keepalive_ns));
}

static void expect_next(rill__connection *connection)
{
    rill__request_reset(connection->request);
    rill__input_next(connection->request);
    connection->state = RILL__HEAD;
    connection->head_begun = false;
    connection->served = true;
    start_keepalive(connection);
}

void rill__connection_all_sent(rill__connection *connection)
{
    if (connection->state == RILL__HEAD && connection->served && !connection->head_begun)
        start_keepalive(connection);
}

static bool wait_for_head(rill__connection *connection)
{
    rill_request *request = connection->request;
    if (request && rill__input_len(request) > 0) {
        if (!connection->head_begun) {
            connection->head_begun = true;
            rill__deadline_set(connection, RILL__READ_DEADLINE,
                               rill__after(rill__loop_now(), connection->app->settings.head_ns));
        }
        if (rill__input_make_room(request) < 0) {
            rill__refuse(request, 431, "the head is too large");
            return true;
        }
    } else if (request && rill__output_pending(request) == 0) {
        give_request_back(connection);
    }
    return rill__input_receive(connection);
}

/* Whether the peer reads too slowly for another reply to be made. */
static bool is_congested(rill__connection *connection)
{
    if (rill__output_pending(connection->request) > RILL__OUTPUT_MAX)
        rill__output_flush(connection);
    return rill__output_pending(connection->request) > RILL__OUTPUT_MAX;
}

static bool step_head(rill__connection *connection)
{
    rill_request *request = connection->request;
    if (request && rill__input_len(request) > 0) {
        if (is_congested(connection)) {
            /* It is not the peer's silence that keeps this request waiting. */
            connection->head_begun = false;
            rill__deadline_set(connection, RILL__READ_DEADLINE, RILL__NEVER);
            return connection->broken != 0;
        }
        int n = rill__h1_head_parse(&request->head, request->input.ptr + request->input.start,
                                    rill__input_len(request));
        if (n > 0) {
            rill__handler_start(request, (size_t)n);
            return true;
        }
        if (n < 0) {
            enum rill__h1_reason reason = request->head.reason;
            rill__refuse(request, rill__h1_reason_status(reason), rill__h1_reason_text(reason));
            return true;
        }
    }
    rill__output_flush(connection);
    if (connection->broken)
        return true;
    bool partial = connection->request && rill__input_len(connection->request) > 0;
    if (connection->peer_ended || (connection->app->stopping && !partial)) {
        connection->state = RILL__CLOSING;
        return true;
    }
    return wait_for_head(connection);
}

/* ---- while a handler runs, and after it ---- */

static void finish_request(rill__connection *connection)
{
    rill_request *request = connection->request;
    bool unread = rill__body_unread(request);
    if (connection->app->settings.access_log)
        rill__access_log(request);
    if (!request->cut && request->keep_alive && !connection->broken) {
        if (!unread) {
            expect_next(connection);
            return;
        }
        connection->state = RILL__DRAIN;
        connection->lingered = 0;
        rill__deadline_set(connection, RILL__READ_DEADLINE,
                           rill__after(rill__loop_now(), RILL__LINGER_NS));
        return;
    }
    /* Without the end that chunks or a length give, only a reset tells that it is not whole. */
    struct rill__reply *reply = &request->reply;
    connection->abort = request->cut && reply->begun && !reply->chunked && !reply->has_length;
    connection->linger = !request->cut && (unread || rill__input_len(request) > 0);
    connection->state = RILL__CLOSING;
}

/* Looks whether the client is still there. What it sends meanwhile is kept, as far as it fits. */
static void watch(rill__connection *connection)
{
    rill_request *request = connection->request;
    const struct rill__input *input = &request->input;
    if (input->end == input->cap && request->piece.len == 0)
        rill__input_compact(request);
    while (!connection->broken && !connection->peer_ended && input->end < input->cap)
        if (!rill__input_receive(connection))
            return;
    if (connection->peer_ended || connection->broken)
        leave_handler(connection);
}

static bool step_handler(rill__connection *connection)
{
    if (connection->request->handler_done) {
        finish_request(connection);
        return true;
    }
    rill__output_flush(connection);
    if (watches(connection))
        watch(connection);
    return false;
}

/* Reads what is left of a body that the handler did not want. */
static bool step_drain(rill__connection *connection)
{
    rill_request *request = connection->request;
    rill__output_flush(connection);
    for (;;) {
        size_t consumed;
        rill_str data;
        enum rill__h1_step step =
            rill__h1_body_next(&request->body, request->input.ptr + request->input.start,
                               rill__input_len(request), &consumed, &data);
        request->input.start += consumed;
        connection->lingered += consumed;
        if (step == RILL__H1_END) {
            expect_next(connection);
            return true;
        }
        if (step == RILL__H1_REFUSED || connection->lingered > RILL__DRAIN_MAX ||
            connection->peer_ended) {
            connection->linger = true;
            connection->state = RILL__CLOSING;
            return true;
        }
        if (step == RILL__H1_MORE)
            break;
    }
    if (connection->broken || rill__input_make_room(request) < 0) {
        connection->state = RILL__CLOSING;
        return true;
    }
    return rill__input_receive(connection);
}

/* ---- closing ---- */

static bool step_closing(rill__connection *connection)
{
    rill__output_flush(connection);
    if (connection->writer.pending) {
        /* As long as it takes some, it may take its time. */
        rill__deadline_set(connection, RILL__READ_DEADLINE, RILL__NEVER);
        return false;
    }
    if (connection->tls && !connection->goodbye && !connection->abort) {
        connection->goodbye = true;
        rill__tls_goodbye(connection->tls);
        return true;
    }
    if (!connection->linger || connection->peer_ended || connection->broken) {
        connection->state = RILL__CLOSED;
        return true;
    }
    rill__loop_driver()->ops->shutdown(rill__loop_driver(), &connection->handle);
    if (connection->request)
        rill__request_reset(connection->request);
    give_request_back(connection);
    connection->state = RILL__LINGER;
    connection->lingered = 0;
    rill__deadline_set(connection, RILL__READ_DEADLINE,
                       rill__after(rill__loop_now(), RILL__LINGER_NS));
    return true;
}

static bool step_linger(rill__connection *connection)
{
    if (connection->peer_ended || connection->lingered > RILL__LINGER_MAX) {
        connection->state = RILL__CLOSED;
        return true;
    }
    return rill__input_receive(connection);
}

/* ---- running ---- */

/* One step. True when the next may follow at once. */
static bool step(rill__connection *connection)
{
    if (connection->broken && connection->state != RILL__HANDLER)
        connection->state = RILL__CLOSED;
    switch ((enum rill__connection_state)connection->state) {
    case RILL__HEAD:
        return step_head(connection);
    case RILL__HANDLER:
        return step_handler(connection);
    case RILL__DRAIN:
        return step_drain(connection);
    case RILL__CLOSING:
        return step_closing(connection);
    case RILL__LINGER:
        return step_linger(connection);
    case RILL__CLOSED:
        break;
    }
    return false;
}

void rill__connection_run(rill__connection *connection)
{
    for (int steps = 0; step(connection); steps++) {
        if (steps == STEPS_PER_RUN) {
            rill__connection_poke(connection);
            return;
        }
    }
    if (connection->state == RILL__CLOSED)
        free_connection(connection);
}

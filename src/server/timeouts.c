/*
 * Timeouts: one timer a connection, for two deadlines: of what it reads and of what it writes.
 *
 * A deadline that moves away costs nothing: the timer fires at the old time, sees that it is too
 * early, and is set anew. So a keep-alive connection has one timer operation a timeout, and none a
 * request.
 */
#include "server/server_internal.h"

static uint64_t earliest(const rill__connection *connection)
{
    uint64_t read = connection->deadlines[RILL__READ_DEADLINE];
    uint64_t write = connection->deadlines[RILL__WRITE_DEADLINE];
    return read < write ? read : write;
}

static void arm(rill__connection *connection, uint64_t deadline)
{
    if (deadline == RILL__NEVER)
        return;
    connection->timer.deadline = deadline;
    rill__timer_set(&connection->timer);
}

void rill__deadline_set(rill__connection *connection, enum rill__deadline which, uint64_t deadline)
{
    connection->deadlines[which] = deadline;
    bool armed = rill__timer_is_set(&connection->timer);
    if (deadline == RILL__NEVER || (armed && connection->timer.deadline <= deadline))
        return;
    rill__timer_cancel(&connection->timer);
    arm(connection, deadline);
}

static void read_too_slow(rill__connection *connection)
{
    rill_request *request = connection->request;
    connection->deadlines[RILL__READ_DEADLINE] = RILL__NEVER;
    switch ((enum rill__connection_state)connection->state) {
    case RILL__HEAD:
        if (connection->head_begun && request)
            rill__refuse(request, 408, "the request took too long to arrive");
        else if (!connection->served || !connection->writer.pending) /* else it begins after that */
            connection->state = RILL__CLOSING;
        break;
    case RILL__HANDLER:
        request->body_late = true;
        rill__waitq_wake_all(&request->input_waiters);
        break;
    case RILL__DRAIN:
        connection->linger = true;
        connection->state = RILL__CLOSING;
        break;
    case RILL__CLOSING:
    case RILL__LINGER:
    case RILL__CLOSED:
        connection->state = RILL__CLOSED;
        break;
    }
}

static void fire(rill__timer *timer)
{
    rill__connection *connection = rill__container(timer, rill__connection, timer);
    uint64_t now = rill__loop_now();
    if (now < earliest(connection)) {
        arm(connection, earliest(connection));
        return;
    }
    if (now >= connection->deadlines[RILL__WRITE_DEADLINE])
        rill__connection_break(connection, RILL_ETIMEDOUT);
    else
        read_too_slow(connection);
    if (!rill__timer_is_set(timer))
        arm(connection, earliest(connection));
    rill__connection_run(connection);
}

void rill__deadlines_init(rill__connection *connection)
{
    connection->deadlines[0] = connection->deadlines[1] = RILL__NEVER;
    connection->timer.fire = fire;
}

void rill__deadlines_stop(rill__connection *connection)
{
    rill__timer_cancel(&connection->timer);
}

/* The server that a test plays: see fake_server.h. */
#include "fake_server.h"

#include "render.h"

bool fake_start(struct fake *fake)
{
    *fake = (struct fake){ .listener = rill_listen("127.0.0.1", 0) };
    if (!fake->listener)
        return false;
    snprintf(fake->url, sizeof fake->url, "redis://127.0.0.1:%d",
             rill_listener_port(fake->listener));
    return true;
}

void fake_hang_up(struct fake *fake)
{
    rill_stream_free(rill_take(fake->stream));
    rill__resp_free(&fake->commands);
}

bool fake_accept(struct fake *fake)
{
    fake_hang_up(fake);
    fake->stream = rill_accept(fake->listener);
    return fake->stream && rill__resp_init(&fake->commands) == 0;
}

void fake_stop(struct fake *fake)
{
    fake_hang_up(fake);
    rill_listener_free(rill_take(fake->listener));
}

static void note(struct fake *fake, const redisReply *command)
{
    size_t len = strlen(fake->said);
    for (size_t i = 0; i < command->elements && len < sizeof fake->said; i++)
        len += (size_t)snprintf(fake->said + len, sizeof fake->said - len, "%s%.64s", i ? " " : "",
                                command->element[i]->str);
    if (len + 1 < sizeof fake->said)
        strcpy(fake->said + len, "|");
}

bool fake_hear(struct fake *fake, int count)
{
    fake->said[0] = '\0';
    while (count > 0) {
        redisReply *command;
        int rc = rill__resp_next(&fake->commands, &command);
        if (rc < 0)
            return false;
        if (rc > 0) {
            note(fake, command);
            freeReplyObject(command);
            count--;
            continue;
        }
        size_t room;
        char *to = rill__resp_room(&fake->commands, &room);
        ptrdiff_t got = to ? rill_stream_read(fake->stream, to, room) : -1;
        if (got <= 0)
            return false;
        rill__resp_received(&fake->commands, (size_t)got);
    }
    return true;
}

bool fake_write(struct fake *fake, const char *bytes, size_t len)
{
    return len == 0 || rill_stream_write(fake->stream, bytes, len) == 0;
}

bool fake_say(struct fake *fake, const char *text)
{
    return fake_write(fake, text, strlen(text));
}

/* ---- calls ---- */

static void keep_reply(struct call *call, const redisReply *reply)
{
    rill__buf out = rill__buf_make(1u << 30);
    render_reply(&out, reply);
    snprintf(call->reply, sizeof call->reply, "%s", out.ptr ? out.ptr : "");
    rill__buf_free(&out);
}

static int run_call(void *arg)
{
    struct call *call = arg;
    rill_auto(rill_redis_reply) reply = rill_redis_command(call->redis, call->command);
    call->code = reply ? 0 : rill_errcode();
    if (reply)
        keep_reply(call, reply);
    else
        snprintf(call->message, sizeof call->message, "%s", rill_last_error()->message);
    return 0;
}

int call_now(struct call *call, rill_redis *redis, const char *command)
{
    *call = (struct call){ .redis = redis, .command = command };
    run_call(call);
    return call->code;
}

void call_start(struct call *call, rill_redis *redis, const char *command)
{
    *call = (struct call){ .redis = redis, .command = command };
    call->task = rill_spawn(run_call, call, .name = "call");
}

int call_end(struct call *call)
{
    rill_join(call->task);
    return call->code;
}

static int run_connecting(void *arg)
{
    struct connecting *connecting = arg;
    connecting->redis = rill_redis_connect_with(&connecting->opts);
    connecting->code = connecting->redis ? 0 : rill_errcode();
    if (!connecting->redis)
        snprintf(connecting->message, sizeof connecting->message, "%s", rill_last_error()->message);
    return 0;
}

void connect_start(struct connecting *connecting)
{
    connecting->opts.size = sizeof connecting->opts;
    connecting->task = rill_spawn(run_connecting, connecting, .name = "connecting");
}

int connect_end(struct connecting *connecting)
{
    rill_join(connecting->task);
    return connecting->code;
}

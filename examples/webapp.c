/* A web application with start-up, clean-up and background tasks: webapp PORT [REDIS_URL]
 *
 * It counts visits in Redis. Without Redis it says so and does not start. */
#include <hiredis/hiredis.h>
#include <rill/rill.h>
#include <stdio.h>
#include <stdlib.h>

static const char *redis_url = "redis://127.0.0.1:6379";
static rill_redis *redis;
static long long visits;

static int connect_redis(rill_app *app)
{
    (void)app;
    redis = rill_redis_connect(redis_url, .connect_timeout = 2);
    return redis ? 0 : rill_errcode();
}

static int disconnect_redis(rill_app *app)
{
    (void)app;
    rill_redis_free(redis);
    return 0;
}

static int refresh(void *arg) /* every second: no overlap, no drift */
{
    (void)arg;
    rill_auto(rill_redis_reply) reply = rill_redis_command(redis, "GET visits");
    if (!reply)
        return rill_errcode();
    visits = reply->str ? atoll(reply->str) : 0;
    return 0;
}

static int hello(rill_request *request)
{
    rill_auto(rill_redis_reply) reply = rill_redis_command(redis, "INCR visits");
    if (!reply)
        return rill_reply_text(request, 503, "no visits: %s\n", rill_last_error()->message);
    return rill_reply_text(request, 200, "Hello, %s, visit %lld (%lld a moment ago)\n",
                           rill_request_param(request, "name"), reply->integer, visits);
}

int main(int argc, char **argv)
{
    if (argc > 2)
        redis_url = argv[2];
    rill_app *app = rill_app_new();
    rill_app_on_startup(app, connect_redis);
    rill_app_on_cleanup(app, disconnect_redis); /* in reverse order */
    rill_app_every(app, 1.0, refresh);
    rill_app_get(app, "/hello/{name}", hello);
    return rill_app_run(app, .host = "127.0.0.1", .port = argc > 1 ? atoi(argv[1]) : 8080);
}

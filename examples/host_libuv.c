/* Tasks inside libuv's loop: host_libuv URL
 *
 * The URL is fetched by a task, while a timer of libuv's ticks: both on one thread. libuv watches
 * the one descriptor that rill's loop has, and turns it when there is something to do. */
#include <rill/rill.h>
#include <stdio.h>
#include <uv.h>

static int fetch(void *url)
{
    rill_auto(rill_session) session = rill_session_new(.timeout.total = 5);
    rill_auto(rill_response) response = session ? rill_get(session, url) : NULL;
    rill_str text;
    if (!response || rill_response_text(response, &text) < 0)
        return rill_errcode();
    printf("status %d, %zu bytes\n", rill_response_status(response), text.len);
    return 0;
}

static void turn(uv_poll_t *watcher, int status, int events)
{
    (void)status;
    (void)events;
    if (rill_loop_run_once(watcher->data, 0) <= 0) /* no task is left */
        uv_stop(watcher->loop);
}

static void tick(uv_timer_t *timer)
{
    ++*(int *)timer->data;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: host_libuv URL\n"), 2;
    int ticks = 0;
    uv_timer_t timer = { .data = &ticks };
    uv_timer_init(uv_default_loop(), &timer);
    uv_timer_start(&timer, tick, 0, 100);

    rill_auto(rill_loop) loop = rill_loop_new();
    if (!loop)
        return fprintf(stderr, "%s\n", rill_last_error()->message), 1;
    uv_poll_t watcher = { .data = loop };
    uv_poll_init(uv_default_loop(), &watcher, rill_loop_fd(loop));
    uv_poll_start(&watcher, UV_READABLE, turn);

    rill_auto(rill_remote) task = rill_spawn_on(loop, fetch, argv[1], .name = "fetch");
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    printf("%d ticks meanwhile\n", ticks);
    uv_poll_stop(&watcher);
    if (task && rill_remote_result(task) == 0)
        return 0;
    return fprintf(stderr, "error: %s\n", rill_last_error()->message), 1;
}

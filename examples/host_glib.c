/* Tasks inside GLib's main loop: host_glib URL
 *
 * The URL is fetched by a task, while a timeout of GLib's ticks: both on one thread. GLib watches
 * the one descriptor that rill's loop has, and turns it when there is something to do. */
#include <glib-unix.h>
#include <rill/rill.h>
#include <stdio.h>

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

struct host {
    GMainLoop *main;
    rill_loop *loop;
    int ticks;
};

static gboolean turn(gint fd, GIOCondition condition, gpointer arg)
{
    struct host *host = arg;
    (void)fd;
    (void)condition;
    if (rill_loop_run_once(host->loop, 0) <= 0) /* no task is left */
        g_main_loop_quit(host->main);
    return G_SOURCE_CONTINUE;
}

static gboolean tick(gpointer arg)
{
    ((struct host *)arg)->ticks++;
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: host_glib URL\n"), 2;
    rill_auto(rill_loop) loop = rill_loop_new();
    if (!loop)
        return fprintf(stderr, "%s\n", rill_last_error()->message), 1;
    struct host host = { .main = g_main_loop_new(NULL, FALSE), .loop = loop };
    g_unix_fd_add(rill_loop_fd(loop), G_IO_IN, turn, &host);
    g_timeout_add(100, tick, &host);

    rill_auto(rill_remote) task = rill_spawn_on(loop, fetch, argv[1], .name = "fetch");
    g_main_loop_run(host.main);
    printf("%d ticks meanwhile\n", host.ticks);
    g_main_loop_unref(host.main);
    if (task && rill_remote_result(task) == 0)
        return 0;
    return fprintf(stderr, "error: %s\n", rill_last_error()->message), 1;
}

/* With RILL_DEBUG=1: what is still open when the loop ends is told, with where it was made. */
#include "child.h"
#include "seen.h"

#include <fcntl.h>
#include <sys/mman.h>

static int *lines; /* shared with children */

static int answer(void *arg)
{
    rill_auto(rill_stream) stream = rill_accept(arg);
    char buf[1000];
    rill_stream_read(stream, buf, sizeof buf);
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    return rill_stream_write(stream, reply, sizeof reply - 1);
}

static int for_ever(void *arg)
{
    (void)arg;
    return rill_sleep(RILL_FOREVER);
}

/* Opens one of each; leaves them open, or not. */
static int open_all(void *arg)
{
    bool leave = *(bool *)arg;
    char url[64];
    rill_stream *reader, *writer;
    rill_listener *listener = rill_listen("127.0.0.1", 0);
    lines[0] = __LINE__ - 1;
    rill_task server = rill_spawn(answer, listener);
    rill_session *session = rill_session_new();
    lines[1] = __LINE__ - 1;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", rill_listener_port(listener));
    rill_response *response = rill_get(session, url);
    lines[2] = __LINE__ - 1;
    rill_join(server);
    rill_stream *stream = rill_connect("127.0.0.1", rill_listener_port(listener));
    lines[3] = __LINE__ - 1;
    rill_stream *accepted = rill_accept(listener);
    rill_file *file = rill_file_open("/dev/null", "r");
    lines[4] = __LINE__ - 1;
    rill_pipe(&reader, &writer);
    rill_task task = rill_spawn(for_ever, NULL, .name = "loose");
    lines[5] = __LINE__ - 1;
    rill_detach(task);
    rill_sleep(0);
    rill_udp *udp = rill_udp_open();
    lines[6] = __LINE__ - 1;
    CHECK(listener && session && response && stream && accepted && file && udp);
    if (leave)
        return 0;
    rill_cancel(task);
    rill_sleep(0);
    rill_response_free(response);
    rill_session_free(session);
    rill_stream_free(stream);
    rill_stream_free(accepted);
    rill_stream_free(reader);
    rill_stream_free(writer);
    rill_file_free(file);
    rill_udp_free(udp);
    rill_listener_free(listener);
    return 0;
}

static bool leave;

static int in_debug_mode(void)
{
    rill_inspect(.debug = true);
    return rill_run(open_all, &leave);
}

static int by_the_environment(void)
{
    setenv("RILL_DEBUG", "1", 1);
    return rill_run(open_all, &leave);
}

static int without(void)
{
    return rill_run(open_all, &leave);
}

/* The lines are those of the child: the same source. */
static void check_told(const char *said, const char *what, int line)
{
    char expected[300];
    snprintf(expected, sizeof expected, "rill leak: %s, made at %s:%d, is still open as the loop",
             what, __FILE__, line);
    CHECK_CONTAINS(said, expected);
}

/* Knows the lines without having opened anything. */
static void learn_lines(void)
{
    lines = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    leave = false;
    CHECK_INT(WEXITSTATUS(run_in_child(without).status), 0);
}

static void check_all_told(const char *said)
{
    char expected[300];
    check_told(said, "session", lines[1]);
    check_told(said, "response", lines[2]);
    check_told(said, "file /dev/null", lines[4]);
    CHECK_CONTAINS(said, "rill leak: UDP socket 0.0.0.0:");
    snprintf(expected, sizeof expected, "%s:%d, is still", __FILE__, lines[6]);
    CHECK_CONTAINS(said, expected);
    CHECK_CONTAINS(said, "rill leak: listener 127.0.0.1:");
    CHECK_CONTAINS(said, "rill leak: stream 127.0.0.1:");
    CHECK_CONTAINS(said, "rill leak: stream pipe, made at open_all+0x");
    snprintf(expected, sizeof expected, "%s:%d, is still", __FILE__, lines[0]);
    CHECK_CONTAINS(said, expected);
    snprintf(expected, sizeof expected, "%s:%d, is still", __FILE__, lines[3]);
    CHECK_CONTAINS(said, expected);
    snprintf(expected, sizeof expected, "task 'loose' (%s:%d) still ran when the first one ended",
             __FILE__, lines[5]);
    CHECK_CONTAINS(said, expected);
    int told = 0;
    for (const char *at = said; (at = strstr(at, "is still open")); at++)
        told++;
    CHECK_INT(told, 9);
}

TEST(what_is_left_open_is_told_in_debug_mode)
{
    learn_lines();
    leave = true;
    check_all_told(run_in_child(in_debug_mode).said);
    check_all_told(run_in_child(by_the_environment).said);
}

TEST(what_was_freed_is_not_told)
{
    learn_lines();
    leave = false;
    CHECK_STR(run_in_child(in_debug_mode).said, "");
}

TEST(nothing_is_told_without_debug_mode)
{
    learn_lines();
    leave = true;
    CHECK_STR(run_in_child(without).said, "");
}

static int off_from_outside(void)
{
    setenv("RILL_DEBUG", "0", 1);
    return in_debug_mode();
}

TEST(the_environment_switches_it_off)
{
    learn_lines();
    leave = true;
    CHECK_STR(run_in_child(off_from_outside).said, "");
}

static rill_session *kept;

static int keep_a_session(void *arg)
{
    (void)arg;
    kept = rill_session_new();
    for (int i = 0; i < 30; i++)
        rill_file_open("/dev/null", "r");
    return 0;
}

static int free_it_later(void)
{
    rill_inspect(.debug = true);
    int rc = rill_run(keep_a_session, NULL);
    rill_session_free(kept);
    return rc;
}

TEST(many_are_counted_and_one_may_be_freed_after_the_loop)
{
    struct child child = run_in_child(free_it_later);
    CHECK(WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0);
    CHECK_CONTAINS(child.said, "and 11 more are still open");
}

/* The tree of tasks: every field of it, as lines and as JSON. */
#include "seen.h"

#include <jansson.h>
#include <unistd.h>

static int sleep_long(void *arg)
{
    (void)arg;
    return rill_sleep(30);
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return rill_sleep(RILL_FOREVER);
}

static int join_it(void *arg)
{
    return rill_join(*(rill_task *)arg);
}

static int parent_of_one(void *arg)
{
    (void)arg;
    rill_task child = rill_spawn(sleep_long, NULL, .name = "child");
    return join_it(&child);
}

static int within_limits(void *arg)
{
    rill_scope outer, inner;
    rill_scope_begin(&outer, .timeout = 7);
    rill_scope_begin(&inner, .timeout = 20);
    int rc = sleep_long(arg);
    return rill_scope_end(&outer, rill_scope_end(&inner, rc));
}

static int behind_a_shield(void *arg)
{
    rill_scope outer, inner;
    rill_scope_begin(&outer, .timeout = 7);
    rill_scope_begin(&inner, .timeout = 20, .shield = true);
    int rc = sleep_long(arg);
    return rill_scope_end(&outer, rill_scope_end(&inner, rc));
}

static int receive(void *arg)
{
    char byte;
    return (int)rill_stream_read(arg, &byte, 1);
}

static int accept_one(void *arg)
{
    rill_stream_free(rill_accept(arg));
    return 0;
}

TASK_TEST(a_line_has_name_id_site_wait_and_age)
{
    (void)arg;
    char line[512], site[256];
    int spawned_at = __LINE__ + 1;
    rill_task task = rill_spawn(sleep_long, NULL, .name = "sleeper");
    rill_sleep(0.12);
    char *text = DUMP();
    line_with(text, "sleeper", line);
    snprintf(site, sizeof site, "    sleeper #1.1 (%s:%d), waits: sleep for another 29.", __FILE__,
             spawned_at);
    CHECK(strncmp(line, site, strlen(site)) == 0);
    CHECK_CONTAINS(line, " s, 0.1 s");
    CHECK(!strstr(line, "deadline") && !strstr(line, "cancelled"));
    CHECK_CONTAINS(line, "stack ");
    CHECK_CONTAINS(line, " of 192 KiB");
    CHECK_CONTAINS(line_with(text, "main", line), "  main #0.1, running");
    CHECK_CONTAINS(text, "(epoll), runs: 2 tasks");
    rill_cancel(task);
    rill_join(task);
    free(text);
    return 0;
}

TASK_TEST(owners_stand_above_and_the_background_apart)
{
    (void)arg;
    char line[512];
    rill_group group;
    rill_task parent = rill_spawn(parent_of_one, NULL, .name = "parent");
    rill_group_begin(&group);
    rill_spawn(sleep_long, NULL, .name = "member", .group = &group);
    rill_task loose = rill_spawn(sleep_for_ever, NULL, .name = "loose");
    rill_detach(loose);
    rill_sleep(0.01);
    ptrdiff_t count = 0;
    char *text = DUMP_COUNT(&count, .limit = 0);
    CHECK_INT(count, 5);
    CHECK(strncmp(line_with(text, "parent #", line), "    parent", 10) == 0);
    CHECK_CONTAINS(line, "waits: join 'child' #");
    CHECK(strncmp(line_with(text, "child #4", line), "      child", 11) == 0);
    CHECK(strncmp(line_with(text, "member", line), "    member", 10) == 0);
    CHECK_CONTAINS(line, ", in a group)");
    CHECK(strncmp(line_with(text, "loose", line), "    loose", 9) == 0);
    CHECK_CONTAINS(line, "waits: sleep for ever, ");
    CHECK_CONTAINS(text, "\n  background:\n    loose");
    free(text);
    rill_cancel(parent);
    rill_join(parent);
    rill_cancel(loose);
    return rill_group_end(&group, RILL_ECANCELED) == RILL_ECANCELED ? 0 : 1;
}

TASK_TEST(the_nearest_deadline_that_reaches_a_task_is_shown)
{
    (void)arg;
    char line[512];
    rill_task limited = rill_spawn(within_limits, NULL, .name = "limited");
    rill_task shielded = rill_spawn(behind_a_shield, NULL, .name = "shielded");
    rill_sleep(0.01);
    char *text = DUMP();
    CHECK_CONTAINS(line_with(text, "limited", line), "; deadline in 7.0 s");
    CHECK_CONTAINS(line_with(text, "shielded", line), "; deadline in 20.0 s");
    free(text);
    rill_cancel(limited, .reason = "enough \"now\"");
    text = DUMP();
    CHECK_CONTAINS(line_with(text, "limited", line), "ready");
    CHECK_CONTAINS(line, "; cancelled: enough \"now\"");
    free(text);
    rill_cancel(shielded);
    rill_join(limited);
    text = DUMP();
    CHECK_CONTAINS(line_with(text, "shielded", line), "waits: sleep");
    CHECK(!strstr(line, "cancelled"));
    free(text);
    _exit(test_failures() ? 1 : 0); /* the shield holds for 20 s */
}

TASK_TEST(waits_for_io_name_the_peer)
{
    (void)arg;
    char line[512], expected[128];
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 0);
    int port = rill_listener_port(listener);
    rill_stream *stream = rill_connect("127.0.0.1", port);
    rill_auto(rill_stream) peer = rill_accept(listener);
    CHECK(stream && peer);
    rill_task receiver = rill_spawn(receive, stream, .name = "receiver");
    rill_task acceptor = rill_spawn(accept_one, listener, .name = "acceptor");
    rill_sleep(0.01);
    char *text = DUMP();
    snprintf(expected, sizeof expected, "waits: recv 127.0.0.1:%d, 0.0 s", port);
    CHECK_CONTAINS(line_with(text, "receiver", line), expected);
    snprintf(expected, sizeof expected, "waits: accept 127.0.0.1:%d, 0.0 s", port);
    CHECK_CONTAINS(line_with(text, "acceptor", line), expected);
    free(text);
    rill_cancel(receiver);
    rill_cancel(acceptor);
    rill_join(receiver);
    rill_join(acceptor);
    rill_stream_free(stream);
    return 0;
}

static int use_stack(void *arg)
{
    volatile char deep[100 << 10];
    for (size_t i = 0; i < sizeof deep; i += 512)
        deep[i] = 1;
    (void)arg;
    return rill_sleep(30) + deep[512] - 1;
}

/* The tasks of the only loop, from JSON; to be released with the root. */
static json_t *tasks_of(json_t *root)
{
    return json_object_get(json_array_get(json_object_get(root, "loops"), 0), "tasks");
}

static json_t *task_named(json_t *root, const char *name)
{
    const json_t *tasks = tasks_of(root);
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        json_t *task = json_array_get(tasks, i);
        if (strcmp(json_string_value(json_object_get(task, "name")), name) == 0)
            return task;
    }
    return NULL;
}

static const char *text_of(json_t *task, const char *key)
{
    return json_string_value(json_object_get(task, key));
}

TASK_TEST(json_has_the_same_and_escapes_names)
{
    (void)arg;
    rill_task task =
        rill_spawn(use_stack, NULL, .name = "a \"b\"\\\n\xff\xc3\xa9", .stack = 1 << 20);
    rill_task next = rill_spawn(within_limits, NULL, .name = "next");
    rill_sleep(0.1);
    char *text = DUMP(.json = true);
    json_t *root = json_loads(text, 0, NULL);
    CHECK(root != NULL);
    CHECK_INT(json_integer_value(json_object_get(root, "pid")), getpid());
    CHECK_INT(json_array_size(tasks_of(root)), 3);
    json_t *found = task_named(root, "a \"b\"\\\n\xef\xbf\xbd\xc3\xa9");
    CHECK(found != NULL);
    CHECK_STR(text_of(found, "id"), "1.1");
    CHECK_STR(text_of(found, "parent"), "0.1");
    CHECK_STR(text_of(found, "file"), __FILE__);
    CHECK_STR(text_of(found, "state"), "waiting");
    CHECK_STR(text_of(found, "what"), "sleep");
    double waiting = json_real_value(json_object_get(found, "waiting_s"));
    CHECK(waiting > 0.09 && waiting < 5);
    CHECK(json_is_null(json_object_get(found, "deadline_s")));
    CHECK(json_is_null(json_object_get(found, "cpu_s")));
    json_int_t used = json_integer_value(json_object_get(found, "stack_used"));
    CHECK(used >= 100 << 10 && used < 200 << 10);
    CHECK(json_integer_value(json_object_get(found, "stack_size")) > 900 << 10);
    found = task_named(root, "next");
    CHECK(json_real_value(json_object_get(found, "deadline_s")) > 6);
    CHECK(json_integer_value(json_object_get(found, "stack_used")) < 64 << 10);
    json_decref(root);
    free(text);
    rill_cancel(task);
    rill_cancel(next);
    rill_join(task);
    rill_join(next);
    return 0;
}

TASK_TEST(no_more_than_the_limit_are_listed)
{
    (void)arg;
    rill_task tasks[20];
    for (int i = 0; i < 20; i++)
        tasks[i] = rill_spawn(sleep_long, NULL);
    rill_sleep(0);
    ptrdiff_t count = 0;
    char *text = DUMP_COUNT(&count, .limit = 5);
    CHECK_INT(count, 5);
    CHECK_CONTAINS(text, ": 21 tasks");
    CHECK_CONTAINS(text, "  and 16 more\n");
    free(text);
    text = DUMP_COUNT(&count, .limit = 21);
    CHECK_INT(count, 21);
    CHECK(!strstr(text, "more"));
    free(text);
    for (int i = 0; i < 20; i++)
        rill_cancel(tasks[i]);
    for (int i = 0; i < 20; i++)
        rill_join(tasks[i]);
    return 0;
}

TEST(without_a_loop_it_says_so)
{
    ptrdiff_t count = -1;
    char *text = DUMP_COUNT(&count, .limit = 0);
    CHECK_INT(count, 0);
    CHECK_STR(text, "no loop runs\n");
    free(text);
}

TASK_TEST(a_task_that_is_not_there_is_not_found)
{
    (void)arg;
    ptrdiff_t count = 0;
    free(DUMP_COUNT(&count, .task = "nobody"));
    CHECK_INT(count, RILL_ENOTFOUND);
    CHECK_CONTAINS(rill_last_error()->message, "it has no task 'nobody'");
    free(DUMP_COUNT(&count, .task = "#0.1"));
    CHECK_INT(count, 1);
    free(DUMP_COUNT(&count, .task = "0.1"));
    CHECK_INT(count, 1);
    return 0;
}

TEST(a_process_that_is_not_there_is_told)
{
    CHECK_INT(rill_dump_process(1 << 29), RILL_ENOTFOUND);
    CHECK_CONTAINS(rill_last_error()->message, "process 536870912: there is none");
}

static int gathered_at;

static int dump_and_gather(void *arg)
{
    char line[512], site[256];
    rill_sleep(0.01);
    char *text = DUMP();
    snprintf(site, sizeof site, "    gather #1.1 (%s:%d, in a group), ", __FILE__, gathered_at);
    CHECK(strncmp(line_with(text, "gather #1", line), site, strlen(site)) == 0);
    free(text);
    return *(int *)arg * 0;
}

TASK_TEST(gathered_tasks_were_spawned_where_gather_was_called)
{
    (void)arg;
    int items[] = { 1 };
    gathered_at = __LINE__ + 1;
    return rill_gather(items, 1, dump_and_gather);
}

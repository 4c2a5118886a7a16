/*
 * A redis server that a test plays itself, byte by byte, in the task it runs in: accept, wait until
 * so many commands have come, write what is to be answered. And tasks that each send one command.
 */
#ifndef RILL_TESTS_REDIS_FAKE_SERVER_H
#define RILL_TESTS_REDIS_FAKE_SERVER_H

#include "harness.h"
#include "redis/redis_internal.h"

#include <rill/task.h>

/* Runs the body of a test as the first task of a loop. */
#define TASK_TEST(name)                                                                            \
    static int run_##name(void *arg);                                                              \
    TEST(name)                                                                                     \
    {                                                                                              \
        CHECK_INT(rill_run(run_##name, NULL), 0);                                                  \
    }                                                                                              \
    static int run_##name(void *arg __attribute__((unused)))

#define DEMAND(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            test_fail(__FILE__, __LINE__, "%s: %s", #condition, rill_last_error()->message);       \
            return 0;                                                                              \
        }                                                                                          \
    } while (0)

struct fake {
    rill_listener *listener;
    rill_stream *stream; /* the connection at hand */
    rill__resp commands; /* what comes over it */
    char url[64];
    char said[4096]; /* the commands that came, as "GET a|GET b|" */
};

/* Listens on a free port of loopback. */
bool fake_start(struct fake *fake);
/* Takes the next connection; a former one is closed. */
bool fake_accept(struct fake *fake);
/* Waits until so many more commands have come; `said` holds them. False at the end of the stream.
 */
bool fake_hear(struct fake *fake, int count);
/* Writes bytes, or a text. */
bool fake_write(struct fake *fake, const char *bytes, size_t len);
bool fake_say(struct fake *fake, const char *text);
/* Closes the connection. */
void fake_hang_up(struct fake *fake);
void fake_stop(struct fake *fake);

/* One command in a task of its own. */
struct call {
    rill_redis *redis;
    const char *command;
    rill_task task;
    int code;          /* 0, or how it failed */
    char message[320]; /* why */
    char reply[256];   /* as render_reply writes it */
};

void call_start(struct call *call, rill_redis *redis, const char *command);
/* Waits for it and returns its code. */
int call_end(struct call *call);
/* The same at once, in the calling task. */
int call_now(struct call *call, rill_redis *redis, const char *command);

/* rill_redis_connect in a task of its own, for a server that must answer meanwhile. */
struct connecting {
    rill_redis_opts opts;
    rill_task task;
    rill_redis *redis;
    int code;
    char message[320];
};

void connect_start(struct connecting *connecting);
int connect_end(struct connecting *connecting);

#endif

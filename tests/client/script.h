/*
 * A scripted server: a task in the same loop that answers each request with the next step of a
 * list, whatever the request is, and keeps what it was sent.
 *
 *     struct step steps[] = { { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" } };
 *     struct script *script = script_start(steps, 1);
 *     … fetch script->url …
 *     CHECK_CONTAINS(script->requests[0], "Host: ");
 *     script_stop(script);
 */
#ifndef RILL_TESTS_SCRIPT_H
#define RILL_TESTS_SCRIPT_H

#include <rill/client.h>
#include <rill/task.h>

#define SCRIPT_REQUESTS 64

struct step {
    const char *reply; /* NULL: none */
    size_t len;        /* of the reply; 0: up to its NUL */
    bool close;        /* then close */
    bool reset;        /* then close with a reset */
    bool bytewise;     /* byte by byte */
    bool repeat;       /* send the reply again and again until the peer is gone */
    bool unasked;      /* without waiting for a request, behind the step before */
    bool early;        /* as soon as the head of a request is there */
    bool hold;         /* then neither read nor close */
    size_t read;       /* read so many bytes first */
    double delay;      /* seconds before the reply */
};

struct script {
    const struct step *steps;
    size_t count, at;
    rill_listener *listener;
    rill_task task;
    int port;
    char url[64];
    int connections; /* so far */
    int open;        /* now */
    int open_max;    /* the most at once */
    size_t request_count;
    char *requests[SCRIPT_REQUESTS]; /* as they came, NUL-terminated */
};

/* Every step is used once; the last one again and again. */
struct script *script_start(const struct step *steps, size_t count);
void script_stop(struct script *script);

/* Runs the function as the first task of a loop; a negative return fails the test. */
void run_in_loop(rill_task_fn *fn, void *arg);

#define IN_LOOP(name)                                                                              \
    static void in_loop_##name(void);                                                              \
    static int task_##name(void *arg)                                                              \
    {                                                                                              \
        (void)arg;                                                                                 \
        in_loop_##name();                                                                          \
        return 0;                                                                                  \
    }                                                                                              \
    TEST(name)                                                                                     \
    {                                                                                              \
        run_in_loop(task_##name, NULL);                                                            \
    }                                                                                              \
    static void in_loop_##name(void)

#endif

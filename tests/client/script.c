/* The scripted server: see script.h. */
#include "script.h"

#include "harness.h"

#include <stdlib.h>
#include <sys/socket.h>

#define REQUEST_MAX (1 << 20)

struct peer {
    struct script *script;
    rill_stream *stream;
    char *bytes; /* of the requests, as they come */
    size_t len;
};

/* How long the request at the front is; 0 when it is not complete. */
static size_t request_length(const struct peer *peer)
{
    const char *end = peer->len > 0 ? strstr(peer->bytes, "\r\n\r\n") : NULL;
    if (!end)
        return 0;
    size_t len = (size_t)(end + 4 - peer->bytes);
    const struct script *script = peer->script;
    const char *length = strstr(peer->bytes, "Content-Length: ");
    if (length && length < end && !script->steps[script->at].early)
        len += (size_t)atol(length + strlen("Content-Length: "));
    return len <= peer->len ? len : 0;
}

/* Reads one request; false when the peer is gone. */
static bool read_request(struct peer *peer)
{
    size_t len;
    while ((len = request_length(peer)) == 0) {
        if (peer->len == REQUEST_MAX)
            return false;
        ptrdiff_t n =
            rill_stream_read(peer->stream, peer->bytes + peer->len, REQUEST_MAX - peer->len);
        if (n <= 0)
            return false;
        peer->len += (size_t)n;
        peer->bytes[peer->len] = '\0';
    }
    struct script *script = peer->script;
    if (script->request_count < SCRIPT_REQUESTS)
        script->requests[script->request_count] = strndup(peer->bytes, len);
    script->request_count++;
    memmove(peer->bytes, peer->bytes + len, peer->len - len + 1);
    peer->len -= len;
    return true;
}

static int send_reply(struct peer *peer, const struct step *step)
{
    size_t len = step->len ? step->len : strlen(step->reply);
    int rc = 0;
    do {
        if (!step->bytewise)
            rc = rill_stream_write(peer->stream, step->reply, len);
        for (size_t i = 0; step->bytewise && i < len && rc == 0; i++) {
            rc = rill_stream_write(peer->stream, step->reply + i, 1);
            if (rc == 0)
                rc = rill_sleep(0);
        }
    } while (step->repeat && rc == 0);
    return rc;
}

/* Takes bytes of a body off, those that came with its head first. */
static bool drop_bytes(struct peer *peer, size_t count)
{
    while (peer->len < count) {
        count -= peer->len;
        ptrdiff_t n = rill_stream_read(peer->stream, peer->bytes, REQUEST_MAX);
        if (n <= 0)
            return false;
        peer->len = (size_t)n;
    }
    peer->len -= count;
    memmove(peer->bytes, peer->bytes + count, peer->len);
    peer->bytes[peer->len] = '\0';
    return true;
}

/* False when the connection is over. */
static bool play(struct peer *peer, const struct step *step)
{
    if (step->delay > 0 && rill_sleep(step->delay) < 0)
        return false;
    if (step->read > 0 && !drop_bytes(peer, step->read))
        return false;
    if (step->reply && send_reply(peer, step) < 0)
        return false;
    if (step->hold && rill_sleep(20) < 0)
        return false;
    if (step->reset) {
        struct linger linger = { .l_onoff = 1 };
        setsockopt(rill_stream_fd(peer->stream), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    return !step->close && !step->reset;
}

static const struct step *next_step(struct script *script)
{
    return &script->steps[script->at < script->count - 1 ? script->at++ : script->at];
}

static void serve(struct peer *peer)
{
    struct script *script = peer->script;
    while (read_request(peer)) {
        if (!play(peer, next_step(script)))
            return;
        while (script->at < script->count && script->steps[script->at].unasked)
            if (!play(peer, &script->steps[script->at++]))
                return;
    }
}

static int run_peer(void *arg)
{
    struct peer peer = *(struct peer *)arg;
    free(arg);
    peer.bytes = malloc(REQUEST_MAX + 1);
    struct script *script = peer.script;
    script->connections++;
    if (++script->open > script->open_max)
        script->open_max = script->open;
    if (peer.bytes)
        serve(&peer);
    script->open--;
    free(peer.bytes);
    rill_stream_free(peer.stream);
    return 0;
}

static int run_script(void *arg)
{
    struct script *script = arg;
    rill_group group;
    rill_group_begin(&group, .supervisor = true);
    while (!rill_cancelled()) {
        rill_stream *stream = rill_accept(script->listener);
        if (!stream)
            continue; /* a sweep makes memory short */
        struct peer *peer = calloc(1, sizeof *peer);
        *peer = (struct peer){ .script = script, .stream = stream };
        if (rill_spawn(run_peer, peer, .group = &group).id == 0) {
            rill_stream_free(stream);
            free(peer);
        }
    }
    return rill_group_end(&group, -1);
}

struct script *script_start(const struct step *steps, size_t count)
{
    struct script *script = calloc(1, sizeof *script);
    script->steps = steps;
    script->count = count;
    script->listener = rill_listen("127.0.0.1", 0);
    if (!script->listener) {
        fprintf(stderr, "%s\n", rill_last_error()->message);
        abort();
    }
    script->port = rill_listener_port(script->listener);
    snprintf(script->url, sizeof script->url, "http://127.0.0.1:%d/", script->port);
    script->task = rill_spawn(run_script, script, .name = "script");
    return script;
}

void script_stop(struct script *script)
{
    rill_cancel(script->task);
    rill_join(script->task);
    rill_listener_free(script->listener);
    for (size_t i = 0; i < SCRIPT_REQUESTS; i++)
        free(script->requests[i]);
    free(script);
}

void run_in_loop(rill_task_fn *fn, void *arg)
{
    int status = rill_run(fn, arg);
    if (status != 0)
        test_fail(__FILE__, __LINE__, "the loop ended with status %d", status);
}

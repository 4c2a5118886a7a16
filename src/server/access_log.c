/*
 * The access log: a line a request, in the common log format with the time that it took:
 *
 *     127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET / HTTP/1.1" 200 13 0.000213
 *
 * What the client sent is escaped, so that it can neither end the line nor close the quotes.
 */
#include "server/server_internal.h"

#include <rill/log.h>
#include <stdio.h>
#include <time.h>

/* What nginx writes for a client that left before there was a reply: no status of HTTP. */
#define STATUS_CLIENT_LEFT 499
/* As much of the request line as is shown. */
#define TARGET_SHOWN 512u

static void append_escaped(rill__buf *out, rill_str text)
{
    size_t shown = text.len < TARGET_SHOWN ? text.len : TARGET_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            rill__buf_printf(out, "\\x%02x", c);
        else
            rill__buf_putc(out, (char)c);
    }
    if (shown < text.len)
        rill__buf_puts(out, "...");
}

static void append_request_line(rill__buf *out, const rill_request *request)
{
    if (request->head_len == 0) { /* refused before its head was whole */
        rill__buf_puts(out, "-");
        return;
    }
    append_escaped(out, rill__h1_text(request->text, request->head.method));
    rill__buf_putc(out, ' ');
    append_escaped(out, rill__h1_text(request->text, request->head.target));
    rill__buf_printf(out, " HTTP/1.%d", request->head.minor);
}

/* "127.0.0.1" of "127.0.0.1:51234", "[::1]" of "[::1]:80". */
static int host_len(const char *peer)
{
    const char *colon = strrchr(peer, ':');
    return strncmp(peer, "unix:", 5) == 0 || !colon ? (int)strlen(peer) : (int)(colon - peer);
}

void rill__access_log(rill_request *request)
{
    uint64_t now = rill__loop_driver()->ops->now(rill__loop_driver());
    double seconds = (double)(now - request->started) / 1e9;
    time_t wall = (time_t)(rill__wall_now() / RILL__SECOND);
    struct tm tm;
    char date[40] = "";
    if (gmtime_r(&wall, &tm))
        strftime(date, sizeof date, "%d/%b/%Y:%H:%M:%S +0000", &tm);
    const char *peer = rill_request_peer(request);
    rill__buf line = rill__buf_make(8 * TARGET_SHOWN);
    rill__buf_printf(&line, "%.*s - - [%s] \"", host_len(peer), peer, date);
    append_request_line(&line, request);
    int status = request->client_left ? STATUS_CLIENT_LEFT : request->reply.status;
    rill__buf_printf(&line, "\" %d %llu %.6f", status, (unsigned long long)request->reply.written,
                     seconds);
    rill_log(RILL_LOG_INFO, "access", "%s", rill__buf_str(&line).ptr);
    rill__buf_free(&line);
}

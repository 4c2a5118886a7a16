/* Errors of the client: each says which request, at what, and why. */
#include "client/client_internal.h"

/* How much of a URL a message shows: the cause has to have room behind it. */
#define SHOWN_MAX 160

const char rill__phase_queue[] = "waiting for a free connection";
const char rill__phase_connect[] = "connecting";
const char rill__phase_send[] = "sending the request";
const char rill__phase_wait[] = "waiting for the answer";
const char rill__phase_body[] = "reading the body";
const char rill__phase_decode[] = "decoding the body";

/* The URL without user, password and fragment: messages end up in logs. */
static void show_url(const rill_response *response, char shown[SHOWN_MAX + 4])
{
    shown[0] = '\0';
    if (!response->target)
        return;
    const char *parts[] = { rill_url_origin(response->target->url),
                            rill_url_target(response->target->url) };
    size_t len = 0;
    for (size_t i = 0; i < 2; i++) {
        size_t more = strlen(parts[i]), room = SHOWN_MAX - len;
        memcpy(shown + len, parts[i], more < room ? more : room);
        len += more < room ? more : room;
        memcpy(shown + len, more > room ? "..." : "", more > room ? 4 : 1);
    }
}

int rill__explain(const rill_response *response)
{
    char url[SHOWN_MAX + 4];
    show_url(response, url);
    rill__error_prefix("%s %s: %s%s", response->method, url, response->phase ? response->phase : "",
                       response->phase ? ": " : "");
    rill__error_where(url);
    return rill__error_status(response->status);
}

int rill__fail_response(const rill_response *response, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rill__vfail(code, format, args);
    va_end(args);
    return rill__explain(response);
}

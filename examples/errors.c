/* Errors one can tell apart: errors URL…
 *
 * The codes form a tree: ask for the class that you can do something about. */
#include <rill/rill.h>
#include <stdio.h>

static const char *advice(const rill_error *error)
{
    if (rill_error_is(error, RILL_EURL))
        return "mend the URL";
    if (rill_error_is(error, RILL_EDNS))
        return "check the name";
    if (rill_error_is(error, RILL_ECERTIFICATE))
        return "do not trust it";
    if (rill_error_is(error, RILL_ETIMEDOUT))
        return "try again later";
    if (rill_error_is(error, RILL_ECONNECT))
        return "is the server running?";
    if (rill_error_is(error, RILL_EPAYLOAD))
        return "the answer came only in part";
    if (rill_error_is(error, RILL_ECLIENT))
        return "tell the server's owner";
    return "not the network's fault";
}

static int run(void *arg)
{
    rill_auto(rill_session) session =
        rill_session_new(.timeout.total = 2, .raise_for_status = true);
    if (!session)
        return rill_errcode();
    int failed = 0;
    for (char **url = arg; *url; url++) {
        rill_auto(rill_response) response = rill_get(session, *url);
        rill_str body;
        if (response && rill_response_bytes(response, &body) == 0) {
            printf("ok: %zu bytes\n", body.len);
            continue;
        }
        const rill_error *error = rill_last_error();
        printf("%s: %s (%s)\n", rill_code_name(error->code), error->message, advice(error));
        failed++;
    }
    return failed > 0; /* the exit status */
}

int main(int argc, char **argv)
{
    (void)argc;
    return rill_run(run, argv + 1);
}

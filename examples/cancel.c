/* Cancelling and timing out: cancel SLOW_URL
 *
 * The same slow page three times: a task that is cancelled, a call that must end within a second,
 * and a scope around a few lines. The third one leaves its time alone, and would be answered. */
#include <rill/rill.h>
#include <stdio.h>

struct page {
    rill_session *session;
    const char *url;
};

static int fetch(void *arg)
{
    const struct page *page = arg;
    rill_auto(rill_response) response = rill_get(page->session, page->url);
    return response ? rill_response_status(response) : rill_errcode();
}

static int run(void *arg)
{
    rill_auto(rill_session) session = rill_session_new();
    struct page page = { .session = session, .url = arg };

    rill_task task = rill_spawn(fetch, &page, .name = "fetch");
    rill_sleep(0.2);
    rill_cancel(task, .reason = "the user went away");
    if (rill_join(task) == RILL_ECANCELED)
        printf("cancelled: %s\n", rill_last_error()->message);

    int rc = rill_within(0.2, fetch, &page); /* all of it ends within 0.2 s */
    if (rc == RILL_ETIMEDOUT)
        printf("too slow: %s\n", rill_last_error()->message);

    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 20);
    rc = fetch(&page);
    rc = rill_scope_end(&scope, rc);
    printf("in time: %d\n", rc);
    return rc < 0 ? rc : 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: cancel URL\n"), 2;
    return rill_run(run, argv[1]);
}

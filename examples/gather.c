/* Many requests at once, an error for each: gather URL…
 *
 * Every URL is fetched at the same time; one that fails says why and spoils no other. */
#include <rill/rill.h>
#include <stdio.h>
#include <stdlib.h>

struct page {
    rill_session *session;
    const char *url;
    size_t size;
};

static int fetch(void *arg)
{
    struct page *page = arg;
    rill_auto(rill_response) response = rill_get(page->session, page->url, .timeout.total = 5);
    if (!response)
        return rill_errcode();

    rill_str text;
    int rc = rill_response_text(response, &text);
    if (rc < 0)
        return rc;
    page->size = text.len;
    return 0;
}

static int run(void *arg)
{
    char **urls = arg;
    enum { MAX = 100 };
    static struct page pages[MAX];
    static rill_error errors[MAX];
    size_t count = 0;
    rill_auto(rill_session) session =
        rill_session_new(.headers = RILL_HEADERS({ "Accept", "text/html" }));
    if (!session)
        return rill_errcode();
    for (; urls[count] && count < MAX; count++)
        pages[count] = (struct page){ .session = session, .url = urls[count] };

    rill_gather(pages, count, fetch, .errors = errors, .limit = 20);
    for (size_t i = 0; i < count; i++)
        if (errors[i].code < 0)
            printf("%s: %s\n", rill_code_name(errors[i].code), errors[i].message);
        else
            printf("%s: %zu bytes\n", pages[i].url, pages[i].size);
    return 0;
}

int main(int argc, char **argv)
{
    (void)argc;
    return rill_run(run, argv + 1);
}

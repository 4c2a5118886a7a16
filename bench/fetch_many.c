/*
 * The client under load: fetch_many URL COUNT IN_FLIGHT.
 *
 * Fetches the URL COUNT times by IN_FLIGHT tasks that share a session, each fetching again as soon
 * as its answer is read, over connections that are kept. Prints the CPU time per request, and fails
 * unless every answer was a 200 with a body.
 */
#include <rill/rill.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

struct fetches {
    rill_session *session;
    const char *url;
    long count, in_flight;
    long to_start;
    long good;
    size_t bytes;
};

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void fetch(struct fetches *fetches)
{
    rill_auto(rill_response) response = rill_get(fetches->session, fetches->url);
    rill_str body;
    if (!response || rill_response_bytes(response, &body) < 0) {
        fprintf(stderr, "%s\n", rill_last_error()->message);
        return;
    }
    fetches->good += rill_response_status(response) == 200;
    fetches->bytes += body.len;
}

static int fetch_on(void *arg)
{
    struct fetches *fetches = arg;
    while (fetches->to_start > 0) {
        fetches->to_start--;
        fetch(fetches);
    }
    return 0;
}

static int run(void *arg)
{
    struct fetches *fetches = arg;
    fetches->session = rill_session_new(.limit = (int)fetches->in_flight);
    double before = cpu_seconds();
    rill_group group;
    rill_group_begin(&group);
    for (long i = 0; i < fetches->in_flight; i++)
        rill_spawn(fetch_on, fetches, .group = &group);
    int rc = rill_group_end(&group, 0);
    double used = cpu_seconds() - before;
    rill_session_free(fetches->session);
    printf("%ld requests, %ld good, %zu bytes, %.3f us of CPU each\n", fetches->count,
           fetches->good, fetches->bytes, used * 1e6 / (double)fetches->count);
    return rc < 0 ? rc : fetches->good != fetches->count || fetches->bytes == 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: fetch_many URL COUNT IN_FLIGHT\n");
        return 2;
    }
    struct fetches fetches = { .url = argv[1], .count = atol(argv[2]), .in_flight = atol(argv[3]) };
    fetches.to_start = fetches.count;
    return rill_run(run, &fetches);
}

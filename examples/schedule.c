/* Requests and jobs on a schedule: schedule URL
 *
 * The URL is fetched twice a second, five times in all; a failure is told and does not end it. A
 * job of its own runs beside it. */
#include <rill/rill.h>
#include <stdio.h>

struct state {
    int seen, failed, ticks;
};

static int on_response(rill_response *response, void *arg)
{
    struct state *state = arg;
    if (response) {
        printf("%d: status %d\n", ++state->seen, rill_response_status(response));
    } else {
        state->failed++;
        printf("%d: %s\n", ++state->seen, rill_last_error()->message);
    }
    return state->seen < 5 ? 0 : rill_fail(RILL_ECANCELED, "enough"); /* negative: the end */
}

static int tick(void *arg)
{
    ((struct state *)arg)->ticks++;
    return 0;
}

static int run(void *url)
{
    struct state state = { 0 };
    rill_auto(rill_session) session = rill_session_new(.timeout.total = 1);
    if (!session)
        return rill_errcode();

    rill_task job = rill_every(0.1, tick, &state);
    rill_task task = rill_session_every(session, 0.5, url, on_response, &state);
    rill_join(task);
    rill_cancel(job);
    rill_join(job);
    printf("%d of %d failed, %s ticks\n", state.failed, state.seen,
           state.ticks >= 15 ? "enough" : "too few");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: schedule URL\n"), 2;
    return rill_run(run, argv[1]);
}

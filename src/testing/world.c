/* The simulated world as the tasks in it describe it: hosts, links, names, places and accidents. */
#include "testing/world.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime.h"
#include "schedule/wall.h"

#include <errno.h>

#define LATENCY_SECONDS 0.001
#define STALL_SECONDS 10.0

/* The world that the running task is in. */
static rill__sim *this_world(const char *what)
{
    rill__sim *sim = rill__loop_runs() ? rill__sim_of(rill__loop_driver()) : NULL;
    if (!sim)
        rill__fail(RILL_EINVAL, "%s: called outside of rill_test_run", what);
    return sim;
}

static rill__sim_host *find_host(rill__sim *sim, const char *name, const char *what)
{
    rill__sim_host *host = rill__sim_host_find(sim, name);
    if (!host)
        rill__fail(RILL_EINVAL, "%s: there is no host '%s': add it with rill_test_host", what,
                   name);
    return host;
}

/* ---- hosts and links ---- */

int rill_test_host(const char *name, const char *address)
{
    rill__sim *sim = this_world("test_host");
    if (!sim)
        return RILL_EINVAL;
    switch (rill__sim_host_add(sim, name, address)) {
    case 0:
        return 0;
    case -EEXIST:
        return rill__fail(RILL_EINVAL, "test_host '%s': %s is another host's", name, address);
    case -ENOSPC:
        return rill__fail(RILL_EINVAL, "test_host '%s': it has enough addresses", name);
    default:
        return rill__fail(RILL_EINVAL, "test_host '%s': '%s' is no address for a host", name,
                          address);
    }
}

void rill__test_link_read(const rill_test_link_opts *opts, rill__sim_link *ret_link)
{
    double latency = opts->latency == 0 ? LATENCY_SECONDS : opts->latency;
    double stall = opts->stall_time == 0 ? STALL_SECONDS : opts->stall_time;
    *ret_link = (rill__sim_link){
        .latency_ns = rill__seconds_ns(latency),
        .jitter_ns = rill__seconds_ns(opts->jitter),
        .bandwidth = opts->bandwidth,
        .split = opts->split,
        .refuse = opts->refuse,
        .reset = opts->reset,
        .stall = opts->stall,
        .stall_ns = rill__seconds_ns(stall),
        .loss = opts->loss,
        .twice = opts->twice,
        .down = opts->down,
    };
}

int rill_test_link_with(const char *host, const rill_test_link_opts *given)
{
    rill_test_link_opts opts;
    rill__opts_read(opts, given);
    rill__sim *sim = this_world("test_link");
    if (!sim)
        return RILL_EINVAL;
    rill__sim_host *a = NULL, *b = NULL;
    if (host || opts.to) {
        a = find_host(sim, host ? host : "here", "test_link");
        b = find_host(sim, opts.to ? opts.to : "here", "test_link");
        if (!a || !b)
            return RILL_EINVAL;
    }
    rill__sim_link link;
    rill__test_link_read(&opts, &link);
    rill__sim_link_set(sim, a, b, &link);
    return 0;
}

int rill_test_dns(const char *name, int code, double delay)
{
    rill__sim *sim = this_world("test_dns");
    if (!sim)
        return RILL_EINVAL;
    int status = code == 0                    ? 0
                 : code == RILL_EDNS_NOTFOUND ? -ENOENT
                 : code == RILL_EDNS_TIMEOUT  ? -ETIMEDOUT
                                              : -EIO;
    if (status == -EIO && code != RILL_EDNS)
        return rill__fail(RILL_EINVAL, "test_dns '%s': %d is nothing that a name server says", name,
                          code);
    rill__sim_dns_set(sim, name, status, rill__seconds_ns(delay));
    return 0;
}

/* ---- places and time ---- */

int rill_test_on(const char *name, rill_task_fn *fn, void *arg)
{
    RILL__TRY(rill__need_task("test_on"));
    rill__sim *sim = this_world("test_on");
    const rill__sim_host *host = sim ? find_host(sim, name, "test_on") : NULL;
    if (!host)
        return RILL_EINVAL;
    const void *before = rill__place_set(host);
    int rc = fn(arg);
    rill__place_set(before);
    return rc;
}

double rill_test_now(void)
{
    const rill__sim *sim = this_world("test_now");
    rill__sim_stats stats = { 0 };
    if (sim)
        rill__sim_stats_get(sim, &stats);
    return (double)stats.now / 1e9;
}

uint64_t rill_test_trace(void)
{
    const rill__sim *sim = this_world("test_trace");
    rill__sim_stats stats = { 0 };
    if (sim)
        rill__sim_stats_get(sim, &stats);
    return stats.trace;
}

int rill_test_advance(double seconds)
{
    rill__sim *sim = this_world("test_advance");
    if (!sim)
        return RILL_EINVAL;
    rill__sim_advance(sim, rill__seconds_ns(seconds));
    return 0;
}

int rill_test_set_clock(double when)
{
    rill__sim *sim = this_world("test_set_clock");
    uint64_t wall = rill__seconds_ns(when);
    if (!sim)
        return RILL_EINVAL;
    if (!(when >= 0) || wall == RILL__NEVER)
        return rill__fail(RILL_EINVAL, "test_set_clock: no clock shows %g", when);
    rill__sim_wall_set(sim, wall);
    rill__wall_was_set();
    return 0;
}

/* ---- accidents ---- */

int rill_test_fault_with(const rill_test_fault_opts *given)
{
    static const rill__sim_fault_kind kinds[] = {
        [RILL_TEST_SHORT] = RILL__SIM_SHORT, [RILL_TEST_LATE] = RILL__SIM_AGAIN,
        [RILL_TEST_RESET] = RILL__SIM_RESET, [RILL_TEST_STALL] = RILL__SIM_STALL,
        [RILL_TEST_ERRNO] = RILL__SIM_ERROR,
    };
    rill_test_fault_opts opts;
    rill__opts_read(opts, given);
    rill__sim *sim = this_world("test_fault");
    if (!sim)
        return RILL_EINVAL;
    if ((size_t)opts.kind >= sizeof kinds / sizeof kinds[0] || opts.os_errno < 0)
        return rill__fail(RILL_EINVAL, "test_fault: %d is no kind of fault", (int)opts.kind);
    rill__sim_fault fault = {
        .at = opts.nth ? opts.nth : 1,
        .kind = kinds[opts.kind],
        .error = opts.os_errno ? opts.os_errno : EIO,
        .accept = opts.on,
    };
    return rill__sim_fault_set(sim, &fault) == 0
               ? 0
               : rill__fail(RILL_ELIMIT, "test_fault: too many are set");
}

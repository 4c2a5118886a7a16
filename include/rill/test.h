/*
 * Tests of one's own programs on a simulated world: its clock jumps whenever all tasks wait, its
 * network lies in memory, and one seed decides everything that happens by chance.
 *
 *     static int scenario(void *arg)
 *     {
 *         rill_test_host("api.example.com", "10.0.0.1");
 *         rill_test_link("api.example.com", NULL, .latency = 0.2, .jitter = 0.1);
 *         rill_task server = rill_spawn(serve_api, "10.0.0.1");
 *         …                                  // connect, fetch, sleep for hours
 *     }
 *
 *     int main(void) { return rill_test_run(scenario, NULL) < 0; }
 *
 * Everything that stands on the library runs on it unchanged: streams, TLS, HTTP, Redis, timers. A
 * run that fails says with which seed: RILL_SEED=0x… in the environment repeats it exactly, and
 * RILL_TRACE=1 writes to stderr all that happens. What a program does beside the library (files,
 * its own sockets and threads, time(2)) is not simulated.
 *
 * But for rill_test_run and the sweeps all functions are for tasks of such a run; elsewhere they
 * fail with RILL_EINVAL.
 */
#ifndef RILL_TEST_H
#define RILL_TEST_H

#include <rill/task.h>

RILL_BEGIN_DECLS

/* How bytes travel between two hosts, or within one. Chances go from 0, never, to 1, always. */
typedef struct rill_test_link_opts {
    size_t size;
    const char *to;    /* the other host; see rill_test_link */
    double latency;    /* seconds one way. Default: 0.001; negative: none */
    double jitter;     /* at most so many seconds more, by chance. Default: none */
    double bandwidth;  /* bytes a second, for each connection. Default: no limit */
    double split;      /* chance that a read or write is short, or has to wait first, and that what
                          was sent in one piece comes in two */
    double refuse;     /* chance that a connect is refused */
    double reset;      /* chance of each write that its connection is reset */
    double stall;      /* chance of each write that it takes stall_time longer */
    double stall_time; /* seconds. Default: 10 */
    double loss;       /* chance that a datagram does not arrive */
    double twice;      /* chance that it does so twice */
    bool down;         /* nothing arrives; what is under way waits until the link is up again, but
                          datagrams are lost */
} rill_test_link_opts;

/* What a run tells of itself. */
typedef struct rill_test_report {
    uint64_t seed;
    uint64_t trace;           /* a hash over all that happened: equal runs have equal ones */
    double seconds;           /* that passed in the simulated world */
    unsigned long operations; /* I/O that was asked for: what rill_test_fault counts */
} rill_test_report;

typedef struct rill_test_opts {
    size_t size;
    void *arg;               /* handed to the function */
    uint64_t seed;           /* default: another one each time; RILL_SEED comes before either */
    bool shuffle;            /* ready tasks run in an order of chance, not in turn */
    rill_test_link_opts net; /* between all hosts */
    double wall;             /* the time of day at the start, seconds since 1970. Default: 2030 */
    double limit;            /* simulated seconds after which it is RILL_ETIMEDOUT. Default: 3600 */
    double thread_time;      /* at most so many seconds a rill_to_thread takes. Default: none */
    int descriptors;         /* at most so many are open at once. Default: 65536 */
    rill_task_fn *after;     /* called with arg after fn, with nothing broken any more and out of
                                the cancellation's reach: for sweeps, see there */
    bool quiet;              /* say nothing on stderr when it fails */
    rill_test_report *report; /* filled in at the end */
} rill_test_opts;

/* Runs fn(arg) as the first task of a loop in a world of its own. Then looks for what it left
 * behind: descriptors that are open, and memory of the library (objects without their _free).
 *     int rc = rill_test_run(scenario, &state, .seed = 7, .shuffle = true, .net.split = 0.2);
 * Returns what fn returned; RILL_ETIMEDOUT; RILL_EDEADLOCK when all tasks waited for each other,
 *   who are cancelled then; RILL_EFAILED when something was left behind; or why there was no run.
 *   A failure is explained on stderr, with the seed, and is in rill_last_error(). Not in a task. */
#define rill_test_run(fn, ...)                                                                     \
    rill_test_run_with((fn), RILL_OPTS(rill_test_opts, .arg = __VA_ARGS__))
RILL_API int rill_test_run_with(rill_task_fn *fn, const rill_test_opts *opts);

/* ---- the world ---- */

/* Adds a host with a numeric address, or another address to it; NULL: any. Its name resolves to its
 * addresses. A task listens on a host by listening at its address. 0, or RILL_EINVAL. */
RILL_API int rill_test_host(const char *name, const char *address);

/* Sets how bytes travel between two hosts, both ways; with NULL for both, between all hosts that
 * have no link of their own; with NULL for the second, between the first and the host "here", on
 * which every task is unless rill_test_on says otherwise. What is not given has its default again.
 *     rill_test_link("api.example.com", NULL, .latency = 0.05, .reset = 0.01);
 * Returns 0, or RILL_EINVAL for a host that does not exist. */
#define rill_test_link(host, ...)                                                                  \
    rill_test_link_with((host), RILL_OPTS(rill_test_link_opts, .to = __VA_ARGS__))
RILL_API int rill_test_link_with(const char *host, const rill_test_link_opts *opts);

/* What is said of a name from now on, after `delay` seconds (0: the default): code 0, its
 * addresses; RILL_EDNS_NOTFOUND, there is no such host; RILL_EDNS_TIMEOUT, nothing (after 5 s);
 * RILL_EDNS, the name server failed. What was found is kept for ten seconds, as ever. 0, or
 * RILL_EINVAL. */
RILL_API int rill_test_dns(const char *name, int code, double delay);

/* Calls fn(arg) with the running task on a host, and so the tasks that it spawns meanwhile: they
 * connect from it, and listen on it when they listen everywhere. Returns what fn returns, or
 * RILL_EINVAL for a host that does not exist. */
RILL_AWAITS RILL_API int rill_test_on(const char *host, rill_task_fn *fn, void *arg);

/* Seconds since the run began. */
RILL_API double rill_test_now(void);
/* Lets time pass as if the running task had computed for so long. 0, or RILL_EINVAL. */
RILL_API int rill_test_advance(double seconds);
/* Sets the wall clock (rill_unix_time) to so many seconds since 1970, as an administrator does;
 * what waits by it follows. rill_now and timers go on as they were. 0, or RILL_EINVAL. */
RILL_API int rill_test_set_clock(double when);

/* ---- accidents ---- */

typedef enum rill_test_fault_kind {
    RILL_TEST_SHORT, /* a read or write moves one byte */
    RILL_TEST_LATE,  /* it has to wait first, as the system's EAGAIN and EINTR make it */
    RILL_TEST_RESET, /* its connection is reset */
    RILL_TEST_STALL, /* its connection falls silent, for ever */
    RILL_TEST_ERRNO, /* it fails with os_errno */
} rill_test_fault_kind;

/* Kinds of operations, to be combined with |. */
enum {
    RILL_TEST_READ = 1 << 0,
    RILL_TEST_WRITE = 1 << 1,
    RILL_TEST_ACCEPT = 1 << 2,
    RILL_TEST_CONNECT = 1 << 3,
    RILL_TEST_SOCKET = 1 << 16, /* making one */
};

typedef struct rill_test_fault_opts {
    size_t size;
    rill_test_fault_kind kind;
    unsigned long nth; /* which operation from now on. Default: 1, the next */
    unsigned on;       /* the kinds that are counted. Default: all */
    int os_errno;      /* EMFILE, ENOBUFS, … Default: EIO */
} rill_test_fault_opts;

/* Breaks an operation, of any task; several can be set at once (16; then RILL_ELIMIT).
 *     rill_test_fault(RILL_TEST_ERRNO, .os_errno = EMFILE, .on = RILL_TEST_ACCEPT); */
#define rill_test_fault(...)                                                                       \
    rill_test_fault_with(RILL_OPTS(rill_test_fault_opts, .kind = __VA_ARGS__))
RILL_API int rill_test_fault_with(const rill_test_fault_opts *opts);

/*
 * ---- sweeps ----
 *
 * A sweep runs a scenario again and again, each time with one thing broken: the first that can be,
 * the second, … until a run comes to its end before the nth is reached. All runs have one seed, so
 * the nth is the same place in all of them; the scenario must set its own state up each time.
 *
 * Broken runs may fail, but in words: with a code and a message. What fails the sweep is a scenario
 * that fails with nothing broken, a run that does not end, that leaves something behind, or after
 * which `.after` fails: which is to try what must still work (the session, the pool, the server).
 *
 *     int n = rill_test_cancel_sweep(scenario, &state, .after = still_works);
 *
 * Each returns the first n at which the run was complete, and says it on stderr (not with .quiet);
 * or a negative code, explained on stderr. `.report` tells of the last run.
 */

/* Cancels the task that comes to the nth place where it may have to wait. */
#define rill_test_cancel_sweep(fn, ...)                                                            \
    rill_test_cancel_sweep_with((fn), RILL_OPTS(rill_test_opts, .arg = __VA_ARGS__))
RILL_API int rill_test_cancel_sweep_with(rill_task_fn *fn, const rill_test_opts *opts);

/* Makes the nth allocation of the library fail. */
#define rill_test_alloc_sweep(fn, ...)                                                             \
    rill_test_alloc_sweep_with((fn), RILL_OPTS(rill_test_opts, .arg = __VA_ARGS__))
RILL_API int rill_test_alloc_sweep_with(rill_task_fn *fn, const rill_test_opts *opts);

/* Breaks the nth operation: it is short, late, reset, stalled, or fails with each errno that it can
 * give. Of a short or late one the scenario may not notice anything. A connection that stalls does
 * so for ever: a scenario without timeouts does not end. */
#define rill_test_io_sweep(fn, ...)                                                                \
    rill_test_io_sweep_with((fn), RILL_OPTS(rill_test_opts, .arg = __VA_ARGS__))
RILL_API int rill_test_io_sweep_with(rill_task_fn *fn, const rill_test_opts *opts);

/* ---- seeing what happened ---- */

/* Marks the run as failed, with a message (the first is kept), and lets it go on: for checks that
 * are not reasons to stop. Returns RILL_EFAILED. */
RILL_API int rill_test_fail(const char *format, ...) RILL_PRINTF(1, 2);
/* The run's seed, and its trace so far. 0 outside of a run. */
RILL_API uint64_t rill_test_seed(void);
RILL_API uint64_t rill_test_trace(void);

RILL_END_DECLS

#endif

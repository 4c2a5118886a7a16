/*
 * Connecting: a name to addresses, addresses to a socket, and TLS on top.
 *
 * A single address is tried by the calling task itself. Several are raced as happy eyeballs does
 * (RFC 8305): families take turns, an attempt starts when the one before has failed or has not
 * succeeded within a quarter of a second, the first to connect wins and the others are cancelled.
 */
#include "net/net_internal.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define ATTEMPT_TIMEOUT 30.0
#define STAGGER 0.25    /* RFC 8305, section 8: the connection attempt delay */
#define UNIX_RETRY 0.01 /* a unix listener with a full queue tells of no event to wait for */

/* What all attempts of a connect have in common. */
struct target {
    const rill_connect_opts *opts;
    const char *label; /* "example.com:443", for messages */
    double attempt_timeout;
    rill__address local; /* to bind to; len 0: none */
};

/* ---- one address ---- */

static int no_answer(const char *phase, const char *label, double seconds)
{
    return rill__fail(RILL_ESOCK_CONNECT_TIMEOUT, "%s %s: no answer within %g s", phase, label,
                      seconds);
}

static int connect_failure(const struct target *target, const rill__address *address, int error)
{
    int code = rill__code_of_errno(error);
    if (error == ETIMEDOUT)
        code = RILL_ESOCK_CONNECT_TIMEOUT;
    else if (address->base.sa_family == AF_UNIX)
        code = RILL_EUNIX;
    else if (code == RILL_ESOCKET || code == RILL_EBUSY)
        code = RILL_ECONNECT;
    const char *text = error == ECONNREFUSED ? "connection refused" : NULL;
    if (!text)
        return rill__fail_errno(code, error, "connect %s", target->label);
    rill__fail(code, "connect %s: %s", target->label, text);
    rill__error_slot()->os_errno = error;
    return code;
}

/* A unix listener with a full queue refuses for the moment; then it is asked again. */
static int64_t connect_socket(rill_stream *stream, const rill__address *address)
{
    for (;;) {
        int64_t rc = rill__io_connect(&stream->handle, &address->base, address->len);
        if (rc != -ENOBUFS || address->base.sa_family != AF_UNIX)
            return rc;
        RILL__TRY(rill_sleep(UNIX_RETRY));
    }
}

static int bind_local(const struct target *target, rill_stream *stream,
                      const rill__address *address)
{
    const rill__address *local = &target->local;
    if (local->len == 0 || address->base.sa_family == AF_UNIX)
        return 0;
    rill__driver *driver = rill__loop_driver();
    int rc = driver->ops->bind(driver, &stream->handle, &local->base, local->len, NULL);
    if (rc < 0)
        return rill__fail_errno(RILL_ECONNECT, -rc, "connect %s: bind to %s", target->label,
                                target->opts->local_address);
    return 0;
}

static int open_and_connect(const struct target *target, rill_stream *stream,
                            const rill__address *address)
{
    if (rill__io_open(&stream->handle, address->base.sa_family, SOCK_STREAM) < 0) {
        int code = rill_errcode() == RILL_EOS ? RILL_ECONNECT : rill_errcode();
        rill__error_recode(code);
        return rill__error_prefix("connect %s: ", target->label);
    }
    RILL__TRY(bind_local(target, stream, address));
    rill__driver *driver = rill__loop_driver();
    if (address->base.sa_family != AF_UNIX)
        driver->ops->option(driver, &stream->handle, RILL__OPTION_NODELAY, 1);
    int64_t rc = connect_socket(stream, address);
    if (RILL__IS_ERRNO(rc))
        connect_failure(target, address, (int)-rc);
    return rc < 0 ? rill_errcode() : 0;
}

/* Tries one address. NULL with the error. */
static rill_stream *attempt(const struct target *target, const rill__address *address)
{
    rill_stream *stream = rill__stream_new();
    if (!stream)
        return NULL;
    rill__address_text(stream->peer, sizeof stream->peer, &address->base, address->len);
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = target->attempt_timeout);
    int rc = rill_scope_end(&scope, open_and_connect(target, stream, address));
    if (rc >= 0)
        return stream;
    rill_stream_free(stream);
    if (rc == RILL_ETIMEDOUT)
        no_answer("connect", target->label, target->attempt_timeout);
    if (rc != RILL_ECANCELED)
        rill__error_where(target->label);
    return NULL;
}

/* ---- several addresses ---- */

struct race {
    const struct target *target;
    const rill__addresses *addresses;
    size_t started, begun, failed; /* spawned; of these running; of these failed */
    rill__waitq failures;          /* the starter waits for one, to go on at once */
    rill_group *group;
    rill_stream *winner;
    rill_error first; /* of the first attempt that failed */
};

static int run_attempt(void *arg)
{
    struct race *race = arg;
    rill_stream *stream = attempt(race->target, &race->addresses->list[race->begun++]);
    if (stream && race->winner) {
        rill_stream_free(stream);
    } else if (stream) {
        race->winner = stream;
        rill_group_cancel(race->group, "another address was faster");
    } else {
        if (race->first.code == 0 && rill_errcode() != RILL_ECANCELED)
            race->first = *rill_last_error();
        race->failed++;
        rill__waitq_wake_all(&race->failures);
    }
    return 0;
}

static bool is_over(const struct race *race)
{
    return race->winner || race->failed == race->addresses->count;
}

/* Waits until the newest attempt has failed, or had its quarter of a second. */
static int wait_turn(struct race *race)
{
    rill_scope scope;
    bool last = race->started == race->addresses->count;
    RILL__TRY(rill_scope_begin(&scope, .timeout = last ? 0 : STAGGER));
    rill__waits_for(RILL__SUBJECT_TEXT, race->target->label);
    int rc = rill_scope_end(&scope, rill__waitq_wait(&race->failures, "connect"));
    return rc == RILL_ETIMEDOUT ? 0 : rc;
}

static int run_race(struct race *race)
{
    while (!is_over(race)) {
        if (race->started < race->addresses->count) {
            race->started++;
            rill_task task = rill_spawn(run_attempt, race, .name = "connect", .group = race->group);
            if (!task.id)
                return rill_errcode();
        }
        RILL__TRY(wait_turn(race));
    }
    return 0;
}

/* Puts the families in turns, beginning with that of the first address (RFC 8305, section 4). */
static void interleave(const rill__addresses *from, rill__addresses *to)
{
    int first = from->list[0].base.sa_family;
    size_t next[2] = { 0, 0 };
    to->count = 0;
    for (size_t turn = 0; to->count < from->count; turn ^= 1) {
        size_t at = next[turn];
        while (at < from->count && (from->list[at].base.sa_family == first) != (turn == 0))
            at++;
        next[turn] = at + 1;
        if (at < from->count)
            to->list[to->count++] = from->list[at];
    }
}

static rill_stream *connect_any(const struct target *target, const rill__addresses *found)
{
    if (found->count == 1)
        return attempt(target, &found->list[0]);
    rill__addresses addresses;
    interleave(found, &addresses);
    rill_group group;
    struct race race = { .target = target, .addresses = &addresses, .group = &group };
    rill__waitq_init(&race.failures);
    if (rill_group_begin(&group) < 0)
        return NULL;
    int rc = rill_group_end(&group, run_race(&race));
    if (rc == 0 && race.winner)
        return race.winner;
    rill_stream_free(race.winner);
    if (rc == 0)
        *rill__error_slot() = race.first;
    return NULL;
}

/* ---- TLS ---- */

static int add_tls(const struct target *target, rill_stream *stream, const char *host)
{
    rill__tls_context *context = rill__tls_context_client(&target->opts->tls_options);
    if (!context)
        return rill_errcode();
    int rc = rill__stream_set_tls(stream, context, host);
    rill__tls_context_unref(context);
    RILL__TRY(rc);
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = target->attempt_timeout);
    rc = rill_scope_end(&scope, rill__stream_handshake(stream, target->label));
    if (rc == RILL_ETIMEDOUT)
        return no_answer("TLS handshake with", target->label, target->attempt_timeout);
    if (rc < 0 && rc != RILL_ECANCELED)
        rill__error_where(target->label);
    return rc;
}

/* ---- all of it ---- */

static int find_addresses(const char *host, int port, rill__addresses *ret_addresses)
{
    if (rill__address_is_unix(host)) {
        ret_addresses->count = 1;
        return rill__address_unix(host, &ret_addresses->list[0]);
    }
    return rill__resolve(host, port, ret_addresses);
}

/* Keeps the addresses that can be connected to from the local one. */
static int match_local(const struct target *target, rill__addresses *found)
{
    size_t count = 0;
    for (size_t i = 0; i < found->count; i++)
        if (found->list[i].base.sa_family == target->local.base.sa_family)
            found->list[count++] = found->list[i];
    found->count = count;
    return count > 0
               ? 0
               : rill__fail(RILL_ECONNECT, "connect %s: it has no address of the family of %s",
                            target->label, target->opts->local_address);
}

static rill_stream *connect_all(const char *host, const struct target *target)
{
    rill__addresses found;
    bool local = rill__address_is_unix(host);
    if (find_addresses(host, target->opts->port, &found) < 0)
        return NULL;
    if (target->local.len > 0 && !local && match_local(target, &found) < 0)
        return NULL;
    rill_stream *stream = connect_any(target, &found);
    if (!stream || !target->opts->tls)
        return stream;
    if (add_tls(target, stream, local ? "localhost" : host) == 0)
        return stream;
    rill_stream_free(stream);
    return NULL;
}

static int check(const char *host, const rill_connect_opts *opts, struct target *target)
{
    RILL__TRY(rill__checkpoint("connect"));
    if (!host || !*host)
        return rill__fail(RILL_EINVAL, "connect: no host given");
    if (!rill__address_is_unix(host) && (opts->port <= 0 || opts->port > 65535))
        return rill__fail(RILL_EINVAL, "connect %s: %d is no port", host, opts->port);
    if (opts->local_address && !rill__address_parse(opts->local_address, 0, &target->local))
        return rill__fail(RILL_EINVAL, "connect %s: %s is no numeric address to connect from", host,
                          opts->local_address);
    return 0;
}

static void write_label(char *label, size_t size, const char *host, int port)
{
    if (rill__address_is_unix(host))
        snprintf(label, size, "%s", host);
    else
        snprintf(label, size, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
}

rill_stream *rill_connect_with(const char *host, const rill_connect_opts *given)
{
    rill_connect_opts opts;
    rill__opts_read(opts, given);
    struct target target = { .opts = &opts };
    if (check(host, &opts, &target) < 0)
        return NULL;
    char label[RILL__ADDRESS_TEXT + 16];
    write_label(label, sizeof label, host, opts.port);
    target.label = label;
    double timeout = opts.attempt_timeout;
    target.attempt_timeout = timeout == 0 ? ATTEMPT_TIMEOUT : timeout > 0 ? timeout : 0;
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = opts.timeout > 0 ? opts.timeout : 0);
    rill_stream *stream = connect_all(host, &target);
    int rc = rill_scope_end(&scope, stream ? 0 : rill_errcode());
    if (rc == RILL_ETIMEDOUT) {
        rill__fail(RILL_ECONNECT_TIMEOUT, "connect %s: not connected within %g s", label,
                   opts.timeout);
        rill__error_where(label);
    }
    if (stream)
        rill__born(&stream->birth, "stream", stream->peer, opts.file, opts.line);
    return stream;
}

/*
 * Listeners: sockets that connections come from, for tasks that wait and for machines that are
 * called.
 *
 * When descriptors or memory run out, a listener pauses and tries again: the connection stays in
 * the kernel's queue. A machine takes a bounded number of connections a turn, so that those it has
 * are served as well.
 */
#include "net/net_internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"

#include <errno.h>
#include <rill/log.h>
#include <sys/socket.h>

#define BACKLOG 1024
#define ACCEPTS_PER_TURN 64
#define PAUSE_SECONDS 0.05

struct rill_listener {
    rill__handle handle;
    rill__birth birth;
    rill__tls_context *tls; /* NULL: plain */
    int port;
    unsigned
        users; /* calls and callbacks under way; the last one frees a listener that was freed */
    bool accepting;   /* a task waits */
    bool paused_told; /* the log knows that it pauses */
    bool freed;
    /* A machine's: */
    rill__accepted_fn *accepted;
    void *arg;
    rill__op op;
    struct sockaddr_storage from;
    socklen_t from_len;
    rill__timer pause;
    rill__deferred again;
    rill__bound bound; /* the file of a unix socket */
    char name[RILL__ADDRESS_TEXT];
};

/* ---- making ---- */

static int listen_failure(const char *name, int error)
{
    rill__fail_errno(RILL_ELISTEN, error, "listen %s", name);
    return rill__error_where(name);
}

static int set_options(rill_listener *listener, int family, bool reuse_port)
{
    rill__driver *driver = rill__loop_driver();
    rill__handle *handle = &listener->handle;
    if (family == AF_UNIX)
        return 0;
    driver->ops->option(driver, handle, RILL__OPTION_REUSE_ADDRESS, 1);
    driver->ops->option(driver, handle, RILL__OPTION_NODELAY, 1);
    /* "::" is IPv6 alone everywhere, so that one can listen on 0.0.0.0 beside it. */
    if (family == AF_INET6)
        driver->ops->option(driver, handle, RILL__OPTION_V6_ONLY, 1);
    return reuse_port ? driver->ops->option(driver, handle, RILL__OPTION_REUSE_PORT, 1) : 0;
}

static int start_listening(rill_listener *listener, const rill__address *address,
                           const rill_listen_opts *opts)
{
    rill__driver *driver = rill__loop_driver();
    rill__handle *handle = &listener->handle;
    RILL__TRY(set_options(listener, address->base.sa_family, opts->reuse_port));
    RILL__TRY(driver->ops->bind(driver, handle, &address->base, address->len, &listener->bound));
    return driver->ops->listen(driver, handle, opts->backlog > 0 ? opts->backlog : BACKLOG);
}

static void learn_port(rill_listener *listener, const rill__address *address)
{
    rill__driver *driver = rill__loop_driver();
    struct sockaddr_storage bound;
    socklen_t len;
    if (address->base.sa_family == AF_UNIX ||
        driver->ops->local(driver, &listener->handle, &bound, &len) < 0)
        return;
    /* The port is where sin6_port is too; the call above has filled it in.
     * NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
    in_port_t port = ((struct sockaddr_in *)&bound)->sin_port;
    listener->port = ntohs(port);
    rill__address_text(listener->name, sizeof listener->name, (struct sockaddr *)&bound, len);
}

static int open_listener(rill_listener *listener, rill__address *address,
                         const rill_listen_opts *opts)
{
    rill__address_text(listener->name, sizeof listener->name, &address->base, address->len);
    if (rill__io_open(&listener->handle, address->base.sa_family, SOCK_STREAM) < 0) {
        rill__error_recode(rill_errcode() == RILL_ENOMEM ? RILL_ENOMEM : RILL_ELISTEN);
        return rill__error_prefix("listen %s: ", listener->name);
    }
    int rc = start_listening(listener, address, opts);
    if (rc < 0)
        return listen_failure(listener->name, -rc);
    learn_port(listener, address);
    return 0;
}

/* Of a name with addresses of both families, "localhost" first of all, that which every client can
 * reach. */
static size_t prefer_v4(const rill__addresses *found)
{
    for (size_t i = 0; i < found->count; i++)
        if (found->list[i].base.sa_family == AF_INET)
            return i;
    return 0;
}

static int find_address(const char *host, const rill_listen_opts *opts, rill__address *ret_address)
{
    if (!host || !*host)
        return rill__fail(RILL_EINVAL, "listen: no address given");
    if (rill__address_is_unix(host))
        return rill__address_unix(host, ret_address);
    if (opts->port < 0 || opts->port > 65535)
        return rill__fail(RILL_EINVAL, "listen %s: %d is no port", host, opts->port);
    rill__addresses found;
    if (rill__resolve(host, opts->port, &found) < 0)
        return rill__error_prefix("listen: ");
    *ret_address = found.list[prefer_v4(&found)];
    return 0;
}

static void retry_after_pause(rill__timer *timer);
static void accept_again(rill__deferred *deferred);
static void accept_done(rill__op *op);

static rill_listener *new_listener(void)
{
    rill_listener *listener = rill__zalloc(sizeof *listener);
    if (!listener) {
        rill__fail_nomem();
        return NULL;
    }
    listener->handle.fd = -1;
    listener->pause.fire = retry_after_pause;
    listener->again.run = accept_again;
    listener->op = (rill__op){
        .kind = RILL__OP_ACCEPT,
        .handle = &listener->handle,
        .done = accept_done,
        .accept = { &listener->from, &listener->from_len },
    };
    return listener;
}

static int fill_listener(rill_listener *listener, const char *host, const rill_listen_opts *opts)
{
    rill__address address = { .len = 0 };
    RILL__TRY(find_address(host, opts, &address));
    if (opts->tls) {
        listener->tls = rill__tls_context_server(&opts->tls_options);
        if (!listener->tls)
            return rill__error_prefix("listen %s: ", host);
    }
    return open_listener(listener, &address, opts);
}

rill_listener *rill_listen_with(const char *host, const rill_listen_opts *given)
{
    rill_listen_opts opts;
    rill__opts_read(opts, given);
    if (rill__checkpoint("listen") < 0)
        return NULL;
    rill_listener *listener = new_listener();
    if (listener && fill_listener(listener, host, &opts) < 0) {
        rill_listener_free(listener);
        return NULL;
    }
    if (listener)
        rill__born(&listener->birth, "listener", listener->name, opts.file, opts.line);
    return listener;
}

/* ---- what accept may say ---- */

/* The connection is gone already, or the kernel reports an error of it: there are others
 * (accept(2) names these). */
static bool is_of_the_connection(int64_t rc)
{
    switch (-rc) {
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ENETDOWN:
    case ENONET:
    case EPERM:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

static bool is_shortage(int64_t rc)
{
    return rc == -EMFILE || rc == -ENFILE || rc == -ENOBUFS || rc == -ENOMEM;
}

static void tell_pause(rill_listener *listener, int64_t rc)
{
    if (!listener->paused_told)
        rill_log(RILL_LOG_WARN, "net", "accept %s: %s; it is tried again until there are more",
                 listener->name, strerror((int)-rc));
    listener->paused_told = true;
}

/* ---- for machines ---- */

static void destroy(rill_listener *listener)
{
    rill__tls_context_unref(listener->tls);
    rill__free(listener);
}

static void leave(rill_listener *listener)
{
    if (--listener->users == 0 && listener->freed)
        destroy(listener);
}

/* Handles one result. Returns whether to try for another at once. */
static bool handle_accept(rill_listener *listener)
{
    int64_t rc = listener->op.result;
    if (rc >= 0) {
        listener->paused_told = false;
        listener->accepted(listener->arg, (int)rc, &listener->from, listener->from_len);
        return true;
    }
    if (is_of_the_connection(rc))
        return true;
    if (rc == -ECANCELED || rc == -EBADF)
        return false;
    tell_pause(listener, rc);
    listener->pause.deadline = rill__after(rill__loop_now(), rill__seconds_ns(PAUSE_SECONDS));
    rill__timer_set(&listener->pause);
    return false;
}

/* Accepts until nobody is left or the turn's share is used up. `got` says that the op has a result
 * to begin with. */
static void accept_some(rill_listener *listener, bool got)
{
    listener->users++;
    int left = ACCEPTS_PER_TURN;
    for (; left > 0 && listener->accepted; left--) {
        /* It waits already when what was accepted has stopped and started the listener. */
        if (!got && (listener->op.pending || !rill__submit(rill__loop_driver(), &listener->op)))
            break;
        got = false;
        if (!handle_accept(listener))
            break;
    }
    if (left == 0 && listener->accepted)
        rill__defer_to_turn_end(&listener->again);
    leave(listener);
}

static void accept_done(rill__op *op)
{
    accept_some(rill__container(op, rill_listener, op), true);
}

static void accept_again(rill__deferred *deferred)
{
    accept_some(rill__container(deferred, rill_listener, again), false);
}

static void retry_after_pause(rill__timer *timer)
{
    accept_some(rill__container(timer, rill_listener, pause), false);
}

int rill__listener_start(rill_listener *listener, rill__accepted_fn *accepted, void *arg)
{
    if (listener->accepting || listener->accepted)
        return rill__fail(RILL_EBUSY, "accept %s: somebody accepts already", listener->name);
    listener->accepted = accepted;
    listener->arg = arg;
    /* Not before the caller has returned to the loop. */
    rill__defer_to_turn_end(&listener->again);
    return 0;
}

void rill__listener_stop(rill_listener *listener)
{
    rill__driver *driver = rill__loop_driver();
    listener->accepted = NULL;
    rill__undefer(&listener->again);
    rill__timer_cancel(&listener->pause);
    if (listener->op.pending)
        driver->ops->cancel(driver, &listener->op);
}

/* ---- for tasks ---- */

static int set_up(rill_listener *listener, rill_stream *stream, int fd,
                  const struct sockaddr_storage *from, socklen_t from_len)
{
    if (rill__io_adopt(&stream->handle, fd) < 0) {
        rill__loop_driver()->ops->discard(rill__loop_driver(), fd);
        return rill_errcode();
    }
    rill__address_text(stream->peer, sizeof stream->peer, (const struct sockaddr *)from, from_len);
    return listener->tls ? rill__stream_set_tls(stream, listener->tls, NULL) : 0;
}

static int accept_failure(const rill_listener *listener, int64_t rc)
{
    if (!RILL__IS_ERRNO(rc))
        return (int)rc;
    if (listener->handle.fd < 0)
        return rill__fail(RILL_ECLOSED, "accept %s: the listener was closed", listener->name);
    return rill__fail_errno(rill__code_of_errno((int)-rc), (int)-rc, "accept %s", listener->name);
}

static int accept_stream(rill_listener *listener, rill_stream *stream)
{
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    for (;;) {
        int64_t rc = rill__io_accept(&listener->handle, &from, &from_len);
        if (rc >= 0) {
            listener->paused_told = false;
            return set_up(listener, stream, (int)rc, &from, from_len);
        }
        if (is_shortage(rc)) {
            tell_pause(listener, rc);
            RILL__TRY(rill_sleep(PAUSE_SECONDS));
        } else if (!is_of_the_connection(rc)) {
            return accept_failure(listener, rc);
        }
    }
}

rill_stream *rill_accept(rill_listener *listener)
{
    if (rill__need_task("accept") < 0)
        return NULL;
    if (!listener) {
        rill__fail(RILL_EINVAL, "accept: there is no listener");
        return NULL;
    }
    if (listener->accepting || listener->accepted) {
        rill__fail(RILL_EBUSY, "accept %s: somebody accepts already", listener->name);
        return NULL;
    }
    rill_stream *stream = rill__stream_new();
    if (!stream)
        return NULL;
    listener->accepting = true;
    listener->users++;
    int rc = accept_stream(listener, stream);
    listener->accepting = false;
    leave(listener);
    if (rc == 0) {
        rill__born_from(&stream->birth, "stream", stream->peer, __builtin_return_address(0));
        return stream;
    }
    rill_stream_free(stream);
    return NULL;
}

/* ---- what it says of itself, and its end ---- */

int rill_listener_port(const rill_listener *listener)
{
    return listener->port;
}

rill__tls_context *rill__listener_tls(const rill_listener *listener)
{
    return listener->tls;
}

const char *rill__listener_name(const rill_listener *listener)
{
    return listener->name;
}

void rill_listener_free(rill_listener *listener)
{
    if (!listener || listener->freed)
        return;
    listener->freed = true;
    rill__died(&listener->birth);
    if (listener->handle.fd >= 0) {
        rill__listener_stop(listener);
        rill__loop_driver()->ops->unbind(rill__loop_driver(), &listener->bound);
        rill__io_close(&listener->handle);
    }
    if (listener->users == 0)
        destroy(listener);
}

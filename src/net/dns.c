/*
 * Names to addresses, by c-ares on the loop's own sockets: nothing blocks, no thread is needed. A
 * driver may have names of its own; then it is asked instead.
 *
 * There is one resolver a loop. Equal lookups in flight are one; what is found is kept for ten
 * seconds, what is not is asked for again. A lookup goes on when those who wait for it are
 * cancelled, for it may serve the next. The hosts file comes first, as the system's settings say.
 */
#include "net/net_internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"

#include <ares.h>
#include <errno.h>
#include <pthread.h>
#include <strings.h>

#define KEEP_NS (10 * RILL__SECOND)
#define LOOKUPS_MAX 256 /* known or in flight; the oldest known go first */
#define NAME_MAX_BYTES 254
#define TIMEOUT_MS 2000
#define TRIES 3

rill__dns_settings rill__dns_settings_now;

struct resolver {
    rill__loop_part part;
    ares_channel channel; /* NULL: the driver knows the names */
    rill__timer timer;
    rill__list sockets; /* struct dns_socket.link */
    rill__list lookups; /* struct lookup.link, oldest first */
    size_t lookup_count;
};

/* A socket of c-ares's, as long as it wants to know of it. */
struct dns_socket {
    rill__list link;
    struct resolver *resolver;
    rill__handle handle;
    rill__op reader, writer;
    rill__timer soon; /* set when an op had its result at once */
    bool wants_read, wants_write;
};

struct lookup {
    rill__list link; /* resolver.lookups; not linked once it has failed or grown old */
    struct resolver *resolver;
    rill__waitq waiters;
    unsigned users; /* tasks that will look at the result */
    bool done;
    int status; /* c-ares's */
    uint64_t expires;
    rill__timer answer; /* the driver's answer comes, which is in `found` and `status` */
    rill__addresses found;
    char name[];
};

static const char kind; /* its address names the part */

/* ---- the sockets and the timer of c-ares ---- */

static void arm_timer(struct resolver *resolver)
{
    struct timeval span;
    rill__timer_cancel(&resolver->timer);
    if (!ares_timeout(resolver->channel, NULL, &span))
        return;
    uint64_t ns = (uint64_t)span.tv_sec * RILL__SECOND + (uint64_t)span.tv_usec * 1000;
    resolver->timer.deadline = rill__after(rill__loop_now(), ns);
    rill__timer_set(&resolver->timer);
}

static void time_passed(rill__timer *timer)
{
    struct resolver *resolver = rill__container(timer, struct resolver, timer);
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_timer(resolver);
}

static struct dns_socket *find_socket(const struct resolver *resolver, int fd)
{
    rill__list_each(node, &resolver->sockets) {
        struct dns_socket *socket = rill__container(node, struct dns_socket, link);
        if (socket->handle.fd == fd)
            return socket;
    }
    return NULL;
}

/* Waits for what is wanted. What is there already is served by the loop's next turn, so that a
 * server that never stops sending does not keep the loop. */
static void watch(struct dns_socket *socket)
{
    rill__driver *driver = rill__loop_driver();
    bool ready =
        socket->wants_read && !socket->reader.pending && rill__submit(driver, &socket->reader);
    if (socket->wants_write && !socket->writer.pending && rill__submit(driver, &socket->writer))
        ready = true;
    if (!ready)
        return;
    rill__timer_cancel(&socket->soon);
    socket->soon.deadline = rill__loop_now();
    rill__timer_set(&socket->soon);
}

static void serve(struct dns_socket *socket)
{
    struct resolver *resolver = socket->resolver;
    int fd = socket->handle.fd;
    ares_process_fd(resolver->channel, socket->wants_read ? fd : ARES_SOCKET_BAD,
                    socket->wants_write ? fd : ARES_SOCKET_BAD);
    /* It may be gone by now, and another have its number. */
    socket = find_socket(resolver, fd);
    if (socket)
        watch(socket);
    arm_timer(resolver);
}

static void read_ready(rill__op *op)
{
    if (op->result >= 0)
        serve(rill__container(op, struct dns_socket, reader));
}

static void write_ready(rill__op *op)
{
    if (op->result >= 0)
        serve(rill__container(op, struct dns_socket, writer));
}

static void serve_soon(rill__timer *timer)
{
    serve(rill__container(timer, struct dns_socket, soon));
}

static struct dns_socket *add_socket(struct resolver *resolver, int fd)
{
    struct dns_socket *socket = rill__zalloc(sizeof *socket);
    rill__driver *driver = rill__loop_driver();
    if (!socket || driver->ops->adopt(driver, &socket->handle, fd) < 0) {
        rill__free(socket); /* the query will time out */
        return NULL;
    }
    socket->resolver = resolver;
    socket->handle.foreign = true;
    socket->reader = (rill__op){
        .kind = RILL__OP_READABLE,
        .handle = &socket->handle,
        .done = read_ready,
    };
    socket->writer = (rill__op){
        .kind = RILL__OP_WRITABLE,
        .handle = &socket->handle,
        .done = write_ready,
    };
    socket->soon.fire = serve_soon;
    rill__list_append(&resolver->sockets, &socket->link);
    return socket;
}

static void drop_socket(struct dns_socket *socket)
{
    rill__timer_cancel(&socket->soon);
    rill__list_remove(&socket->link);
    rill__io_close(&socket->handle);
    rill__free(socket);
}

static void unwant(rill__op *op)
{
    rill__driver *driver = rill__loop_driver();
    if (op->pending)
        driver->ops->cancel(driver, op);
}

/* c-ares says what it waits for; nothing, when it is about to close the socket. */
static void socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = arg;
    struct dns_socket *socket = find_socket(resolver, fd);
    if (!readable && !writable) {
        if (socket)
            drop_socket(socket);
        return;
    }
    if (!socket && !(socket = add_socket(resolver, fd)))
        return;
    socket->wants_read = readable;
    socket->wants_write = writable;
    if (!readable)
        unwant(&socket->reader);
    if (!writable)
        unwant(&socket->writer);
    watch(socket);
}

/* ---- the resolver ---- */

static void free_lookup(struct lookup *lookup)
{
    rill__timer_cancel(&lookup->answer);
    rill__list_remove(&lookup->link);
    rill__free(lookup);
}

static void free_resolver(rill__loop_part *part)
{
    struct resolver *resolver = rill__container(part, struct resolver, part);
    if (resolver->channel)
        ares_destroy(resolver->channel); /* ends the lookups in flight, closes the sockets */
    rill__timer_cancel(&resolver->timer);
    rill__list_each(node, &resolver->lookups)
        free_lookup(rill__container(node, struct lookup, link));
    rill__free(resolver);
}

static int library_status;

static void init_library(void)
{
    library_status =
        ares_library_init_mem(ARES_LIB_INIT_ALL, rill__alloc, rill__free, rill__realloc);
}

static int open_channel(struct resolver *resolver)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    if (library_status != ARES_SUCCESS)
        return library_status;
    const rill__dns_settings *settings = &rill__dns_settings_now;
    struct ares_options options = {
        .timeout = settings->timeout_ms ? settings->timeout_ms : TIMEOUT_MS,
        .tries = settings->tries ? settings->tries : TRIES,
        .sock_state_cb = socket_state,
        .sock_state_cb_data = resolver,
    };
    int flags = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    int status = ares_init_options(&resolver->channel, &options, flags);
    if (status != ARES_SUCCESS || !settings->servers)
        return status;
    status = ares_set_servers_ports_csv(resolver->channel, settings->servers);
    if (status != ARES_SUCCESS)
        ares_destroy(resolver->channel);
    return status;
}

/* This loop's resolver, made on first use. */
static struct resolver *get_resolver(void)
{
    rill__loop_part *part = rill__loop_part_get(&kind);
    if (part)
        return rill__container(part, struct resolver, part);
    struct resolver *resolver = rill__zalloc(sizeof *resolver);
    if (!resolver) {
        rill__fail_nomem();
        return NULL;
    }
    resolver->timer.fire = time_passed;
    rill__list_init(&resolver->sockets);
    rill__list_init(&resolver->lookups);
    int status = rill__loop_driver()->ops->resolve ? ARES_SUCCESS : open_channel(resolver);
    if (status != ARES_SUCCESS) {
        rill__free(resolver);
        if (status == ARES_ENOMEM)
            rill__fail_nomem();
        else
            rill__fail(RILL_EDNS, "resolver: %s", ares_strerror(status));
        return NULL;
    }
    rill__loop_part_add(&resolver->part, &kind, free_resolver);
    return resolver;
}

/* ---- lookups ---- */

static void forget(struct lookup *lookup)
{
    if (rill__list_linked(&lookup->link)) {
        rill__list_remove(&lookup->link);
        lookup->resolver->lookup_count--;
    }
    if (lookup->users == 0)
        rill__free(lookup);
}

static void copy_addresses(struct lookup *lookup, const struct ares_addrinfo *result)
{
    rill__addresses *found = &lookup->found;
    for (const struct ares_addrinfo_node *node = result->nodes; node; node = node->ai_next) {
        if (found->count == RILL__ADDRESSES_MAX)
            break;
        if (node->ai_addrlen > sizeof(struct sockaddr_in6))
            continue;
        rill__address *address = &found->list[found->count++];
        memcpy(&address->base, node->ai_addr, node->ai_addrlen);
        address->len = node->ai_addrlen;
    }
}

static void finish(struct lookup *lookup)
{
    lookup->done = true;
    if (lookup->status == ARES_SUCCESS && lookup->found.count == 0)
        lookup->status = ARES_ENODATA;
    lookup->expires = rill__after(rill__loop_now(), KEEP_NS);
    rill__waitq_wake_all(&lookup->waiters);
    if (lookup->status != ARES_SUCCESS)
        forget(lookup);
}

static void lookup_done(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
    (void)timeouts;
    struct lookup *lookup = arg;
    lookup->status = status;
    if (result) {
        if (status == ARES_SUCCESS)
            copy_addresses(lookup, result);
        ares_freeaddrinfo(result);
    }
    finish(lookup);
}

static void answer_comes(rill__timer *timer)
{
    finish(rill__container(timer, struct lookup, answer));
}

static int ares_status(int status)
{
    switch (status) {
    case 0:
        return ARES_SUCCESS;
    case -ENOENT:
        return ARES_ENOTFOUND;
    case -ETIMEDOUT:
        return ARES_ETIMEOUT;
    default:
        return ARES_ESERVFAIL;
    }
}

static void ask_driver(rill__driver *driver, struct lookup *lookup)
{
    rill__names names = { .count = 0 };
    driver->ops->resolve(driver, lookup->name, &names);
    lookup->status = ares_status(names.status);
    for (size_t i = 0; i < names.count; i++) {
        const struct sockaddr_storage *from = &names.addresses[i];
        rill__address *address = &lookup->found.list[lookup->found.count++];
        address->len = from->ss_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
        memcpy(&address->base, from, address->len);
    }
    lookup->answer.fire = answer_comes;
    lookup->answer.deadline = rill__after(driver->ops->now(driver), names.delay_ns);
    rill__timer_set(&lookup->answer);
}

static struct lookup *find_lookup(struct resolver *resolver, const char *name)
{
    rill__list_each(node, &resolver->lookups) {
        struct lookup *lookup = rill__container(node, struct lookup, link);
        if (lookup->done && lookup->expires <= rill__loop_now())
            forget(lookup);
        else if (strcasecmp(lookup->name, name) == 0)
            return lookup;
    }
    return NULL;
}

static void make_place(struct resolver *resolver)
{
    rill__list_each(node, &resolver->lookups) {
        struct lookup *lookup = rill__container(node, struct lookup, link);
        if (resolver->lookup_count < LOOKUPS_MAX)
            return;
        if (lookup->done)
            forget(lookup);
    }
}

static void ask_ares(struct resolver *resolver, struct lookup *lookup)
{
    lookup->users = 1; /* not forgotten when it is done at once */
    struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    ares_getaddrinfo(resolver->channel, lookup->name, NULL, &hints, lookup_done, lookup);
    lookup->users = 0;
    arm_timer(resolver);
}

static struct lookup *start_lookup(struct resolver *resolver, const char *name)
{
    size_t len = strlen(name);
    struct lookup *lookup = rill__zalloc(sizeof *lookup + len + 1);
    if (!lookup) {
        rill__fail_nomem();
        return NULL;
    }
    memcpy(lookup->name, name, len);
    rill__waitq_init(&lookup->waiters);
    make_place(resolver);
    lookup->resolver = resolver;
    rill__list_append(&resolver->lookups, &lookup->link);
    resolver->lookup_count++;
    rill__driver *driver = rill__loop_driver();
    if (driver->ops->resolve)
        ask_driver(driver, lookup);
    else
        ask_ares(resolver, lookup);
    return lookup;
}

static int lookup_failure(const char *name, int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME:
        return rill__fail(RILL_EDNS_NOTFOUND, "resolve %s: no such host", name);
    case ARES_EBADNAME:
        return rill__fail(RILL_EDNS_NOTFOUND, "resolve %s: not a valid name", name);
    case ARES_ETIMEOUT:
        return rill__fail(RILL_EDNS_TIMEOUT, "resolve %s: no answer from the name server", name);
    case ARES_ECONNREFUSED:
        return rill__fail(RILL_EDNS, "resolve %s: the name server cannot be reached", name);
    case ARES_ESERVFAIL:
        return rill__fail(RILL_EDNS, "resolve %s: the name server failed", name);
    case ARES_EBADRESP:
        return rill__fail(RILL_EDNS, "resolve %s: the name server's answer is broken", name);
    case ARES_ENOMEM:
        return rill__fail_nomem();
    default:
        return rill__fail(RILL_EDNS, "resolve %s: %s", name, ares_strerror(status));
    }
}

/* Waits for the lookup and takes its result. */
static int await_lookup(struct lookup *lookup, const char *name, int port,
                        rill__addresses *ret_addresses)
{
    lookup->users++;
    rill__waits_for(RILL__SUBJECT_TEXT, name);
    int rc = lookup->done ? 0 : rill__waitq_wait(&lookup->waiters, "resolve");
    if (rc == 0 && lookup->status == ARES_SUCCESS) {
        *ret_addresses = lookup->found;
        for (size_t i = 0; i < ret_addresses->count; i++)
            rill__address_set_port(&ret_addresses->list[i], port);
    } else if (rc == 0) {
        rc = lookup_failure(name, lookup->status);
    }
    lookup->users--;
    if (lookup->done && lookup->users == 0 && !rill__list_linked(&lookup->link))
        rill__free(lookup);
    return rc;
}

int rill__resolve(const char *host, int port, rill__addresses *ret_addresses)
{
    if (rill__address_parse(host, port, &ret_addresses->list[0])) {
        ret_addresses->count = 1;
        return 0;
    }
    RILL__TRY(rill__checkpoint("resolve"));
    /* A ':' is in no name: this was meant to be an address. */
    if (strlen(host) > NAME_MAX_BYTES || strchr(host, ':'))
        return lookup_failure(host, ARES_EBADNAME);
    struct resolver *resolver = get_resolver();
    if (!resolver)
        return rill_errcode();
    struct lookup *lookup = find_lookup(resolver, host);
    if (!lookup)
        lookup = start_lookup(resolver, host);
    return lookup ? await_lookup(lookup, host, port, ret_addresses) : rill_errcode();
}

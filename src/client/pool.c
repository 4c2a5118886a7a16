/*
 * The pool of connections, keyed by scheme, host and port.
 *
 * Two counts limit it: connections to one host, and connections in all. Who wants one first takes a
 * place at its host, then one in the pool; each count has a queue, first come, first served. A
 * place that is given back goes straight to the first in the queue, so nobody can slip in between;
 * a wait that is cancelled has no place yet, and one that got its place and is cancelled before it
 * used it gives it back like any other.
 *
 * Idle connections have no place. They count all the same: when a new connection would be one too
 * many, the one that was idle longest is closed. Of a host's idle connections the most recently
 * used one is taken first: it is the least likely to have been closed, and the others grow old and
 * go. One timer for the whole pool closes those, and is not touched by a request.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "client/client_internal.h"

/* ---- places ---- */

static void init_places(rill__places *places, size_t count)
{
    places->free = count;
    rill__waitq_init(&places->queue);
}

static int take_place(rill__places *places, const rill__host *host)
{
    if (places->free > 0) {
        places->free--;
        return 0;
    }
    rill__waits_for(RILL__SUBJECT_TEXT, host->origin);
    RILL__TRY(rill__waitq_wait(&places->queue, "a free connection"));
    if (host->pool->closed) /* woken to hear that */
        return rill__fail(RILL_ECLOSED, "the session was closed");
    return 0;
}

static void give_place(rill__places *places)
{
    if (!rill__waitq_wake_one(&places->queue))
        places->free++;
}

/* ---- hosts ---- */

static size_t bucket_of(const char *origin)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (; *origin; origin++)
        hash = (hash ^ (uint8_t)*origin) * 16777619U;
    return hash % RILL__POOL_BUCKETS;
}

static rill__host *new_host(rill__pool *pool, const rill_url *url)
{
    const char *origin = rill_url_origin(url), *name = rill_url_hostname(url);
    size_t origin_size = strlen(origin) + 1, name_size = strlen(name) + 1;
    rill__host *host = rill__alloc(sizeof *host + origin_size + name_size);
    if (!host) {
        rill__fail_nomem();
        return NULL;
    }
    *host = (rill__host){
        .pool = pool,
        .refs = 1,
        .name = host->origin + origin_size,
        .port = rill_url_port(url),
        .secure = rill_url_is_secure(url),
    };
    memcpy(host->origin, origin, origin_size);
    memcpy(host->origin + origin_size, name, name_size);
    init_places(&host->places, pool->limit_per_host);
    rill__list_init(&host->idle);
    return host;
}

rill__host *rill__conns_host(rill__pool *pool, const rill_url *url)
{
    const char *origin = rill_url_origin(url);
    rill__host **bucket = &pool->buckets[bucket_of(origin)];
    for (rill__host *host = *bucket; host; host = host->next) {
        if (strcmp(host->origin, origin) == 0) {
            host->refs++;
            return host;
        }
    }
    rill__host *host = new_host(pool, url);
    if (host) {
        host->next = *bucket;
        *bucket = host;
    }
    return host;
}

void rill__host_unref(rill__host *host)
{
    if (--host->refs > 0)
        return;
    rill__host **link = &host->pool->buckets[bucket_of(host->origin)];
    while (*link != host)
        link = &(*link)->next;
    *link = host->next;
    rill__free(host);
}

/* ---- idle connections ---- */

static void free_conn(rill__conn *conn)
{
    rill_stream_free(conn->stream);
    rill__host_unref(conn->host);
    rill__free(conn);
}

static rill__conn *longest_idle(const rill__pool *pool)
{
    return rill__container(pool->idle.next, rill__conn, in_pool);
}

static void leave_idle(rill__conn *conn)
{
    conn->host->pool->idle_count--;
    rill__list_remove(&conn->in_host);
    rill__list_remove(&conn->in_pool);
}

static void close_idle(rill__conn *conn)
{
    leave_idle(conn);
    free_conn(conn);
}

static void set_timer(rill__pool *pool)
{
    pool->timer_set = true;
    pool->timer.deadline = rill__after(longest_idle(pool)->idle_since, pool->keepalive);
    rill__timer_set(&pool->timer);
}

static void close_old(rill__timer *timer)
{
    rill__pool *pool = rill__container(timer, rill__pool, timer);
    uint64_t now = rill__loop_now();
    pool->timer_set = false;
    while (pool->idle_count > 0 &&
           rill__after(longest_idle(pool)->idle_since, pool->keepalive) <= now)
        close_idle(longest_idle(pool));
    if (pool->idle_count > 0)
        set_timer(pool);
}

static void enter_idle(rill__conn *conn)
{
    rill__pool *pool = conn->host->pool;
    conn->idle_since = rill__loop_now();
    rill__list_prepend(&conn->host->idle, &conn->in_host);
    rill__list_append(&pool->idle, &conn->in_pool);
    pool->idle_count++;
    if (!pool->timer_set && pool->keepalive != RILL__NEVER)
        set_timer(pool);
}

/* A connection that the server has closed, or has sent something on unasked, is of no use. */
static rill__conn *take_idle(rill__host *host)
{
    while (!rill__list_empty(&host->idle)) {
        rill__conn *conn = rill__container(host->idle.next, rill__conn, in_host);
        if (rill__stream_is_idle(conn->stream)) {
            leave_idle(conn);
            return conn;
        }
        close_idle(conn);
    }
    return NULL;
}

/* ---- the end of the loop ---- */

/* Every pool of a loop that keeps something: a session may outlive the loop, its streams may not.
 */
struct pools {
    rill__loop_part part;
    rill__list list; /* rill__pool.in_loop */
};

static void close_all_idle(rill__pool *pool)
{
    while (pool->idle_count > 0)
        close_idle(longest_idle(pool));
    if (pool->timer_set)
        rill__timer_cancel(&pool->timer);
    pool->timer_set = false;
}

/* What the responses that are left have of their connections. */
static void close_all_busy(rill__pool *pool)
{
    rill__list_each(node, &pool->busy) {
        rill_stream_free(rill_take(rill__container(node, rill__conn, in_pool)->stream));
    }
}

static void free_pools(rill__loop_part *part)
{
    struct pools *pools = rill__container(part, struct pools, part);
    for (rill__list *node; (node = rill__list_pop(&pools->list));) {
        rill__pool *pool = rill__container(node, rill__pool, in_loop);
        close_all_idle(pool);
        close_all_busy(pool);
    }
    rill__free(pools);
}

/* False when memory is short. */
static bool join_loop(rill__pool *pool)
{
    static const char kind;
    if (rill__list_linked(&pool->in_loop))
        return true;
    rill__loop_part *part = rill__loop_part_get(&kind);
    struct pools *pools =
        part ? rill__container(part, struct pools, part) : rill__zalloc(sizeof *pools);
    if (!pools)
        return false;
    if (!part) {
        rill__list_init(&pools->list);
        rill__loop_part_add(&pools->part, &kind, free_pools);
    }
    rill__list_append(&pools->list, &pool->in_loop);
    return true;
}

/* ---- taking and giving ---- */

static rill__conn *new_conn(rill__host *host)
{
    rill__conn *conn = rill__zalloc(sizeof *conn);
    if (!conn) {
        rill__fail_nomem();
        return NULL;
    }
    conn->host = host;
    host->refs++;
    rill__pool *pool = host->pool;
    while (pool->idle_count > 0 && pool->idle_count + pool->used > pool->limit)
        close_idle(longest_idle(pool));
    return conn;
}

static void leave_pool(rill__host *host)
{
    rill__pool *pool = host->pool;
    pool->used--;
    give_place(&pool->places);
    give_place(&host->places);
}

int rill__conns_take(rill__host *host, rill__conn **ret_conn)
{
    rill__pool *pool = host->pool;
    if (pool->closed)
        return rill__fail(RILL_ECLOSED, "the session was closed");
    if (!join_loop(pool))
        return rill__fail_nomem();
    RILL__TRY(take_place(&host->places, host));
    int rc = take_place(&pool->places, host);
    if (rc < 0) {
        give_place(&host->places);
        return rc;
    }
    pool->used++;
    rill__conn *conn = take_idle(host);
    if (!conn)
        conn = new_conn(host);
    if (!conn) {
        leave_pool(host);
        return RILL_ENOMEM;
    }
    rill__list_append(&pool->busy, &conn->in_pool);
    *ret_conn = conn;
    return 0;
}

void rill__conns_give(rill__conn *conn, bool keep)
{
    rill__host *host = conn->host;
    host->refs++; /* it must outlive the connection here */
    rill__pool *pool = host->pool;
    rill__list_remove(&conn->in_pool);
    if (keep && conn->stream && !pool->closed && pool->keepalive > 0) {
        conn->was_used = true;
        enter_idle(conn);
    } else {
        free_conn(conn);
    }
    leave_pool(host);
    rill__host_unref(host);
}

/* ---- the whole ---- */

static size_t limit_of(int given, size_t otherwise)
{
    return given > 0 ? (size_t)given : given < 0 ? SIZE_MAX / 2 : otherwise;
}

void rill__conns_init(rill__pool *pool, const rill_session_opts *opts)
{
    *pool = (rill__pool){
        .limit = limit_of(opts->limit, 100),
        .limit_per_host = limit_of(opts->limit_per_host, SIZE_MAX / 2),
        .timer = { .fire = close_old },
    };
    double keepalive = opts->keepalive_timeout == 0 ? 15 : opts->keepalive_timeout;
    pool->keepalive = keepalive < 0 ? RILL__NEVER : rill__seconds_ns(keepalive);
    init_places(&pool->places, pool->limit);
    rill__list_init(&pool->idle);
    rill__list_init(&pool->busy);
}

void rill__conns_close(rill__pool *pool)
{
    pool->closed = true;
    close_all_idle(pool);
    rill__waitq_wake_all(&pool->places.queue);
    for (size_t i = 0; i < RILL__POOL_BUCKETS; i++)
        for (rill__host *host = pool->buckets[i]; host; host = host->next)
            rill__waitq_wake_all(&host->places.queue);
}

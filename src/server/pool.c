/* What the server has once per loop: spare requests with their buffers, and the line with the date.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "http/date.h"
#include "server/server_internal.h"

struct pool {
    rill__loop_part part;
    rill_request *free;
    size_t free_count;
    rill__list apps; /* rill_app.link: those that run */
    char *scratch;
    uint64_t date_until; /* when the date line is no longer right, on the loop's clock */
    char date[sizeof "Date: " + RILL__DATE_LEN + 2];
};

static char pool_kind;

static void free_request(rill_request *request)
{
    rill__arena_free(&request->arena);
    rill__buf_free(&request->output.queued);
    rill__buf_free(&request->output.sending);
    rill__free(request);
}

/* The loop ends: applications that nobody stopped are closed. */
static void free_pool(rill__loop_part *part)
{
    struct pool *pool = rill__container(part, struct pool, part);
    for (rill__list *node; (node = rill__list_pop(&pool->apps));) /* which may free them */
        rill__app_abandon(rill__container(node, rill_app, link));
    while (pool->free) {
        rill_request *request = pool->free;
        pool->free = request->next_free;
        free_request(request);
    }
    rill__free(pool->scratch);
    rill__free(pool);
}

static struct pool *get_pool(void)
{
    rill__loop_part *part = rill__loop_part_get(&pool_kind);
    if (part)
        return rill__container(part, struct pool, part);
    struct pool *pool = rill__zalloc(sizeof *pool);
    char *scratch = rill__alloc(RILL__INPUT_SIZE);
    if (!pool || !scratch) {
        rill__free(pool);
        rill__free(scratch);
        rill__fail_nomem();
        return NULL;
    }
    pool->scratch = scratch;
    rill__list_init(&pool->apps);
    rill__loop_part_add(&pool->part, &pool_kind, free_pool);
    return pool;
}

int rill__pool_add_app(rill_app *app)
{
    struct pool *pool = get_pool();
    if (!pool)
        return RILL_ENOMEM;
    rill__list_remove(&app->link);
    rill__list_append(&pool->apps, &app->link);
    return 0;
}

char *rill__pool_scratch(void)
{
    return get_pool()->scratch;
}

/* ---- requests ---- */

static rill_request *new_request(void)
{
    rill_request *request = rill__alloc(sizeof *request);
    if (!request) {
        rill__fail_nomem();
        return NULL;
    }
    memset(request, 0, offsetof(struct rill_request, input.storage));
    rill__waitq_init(&request->input_waiters);
    rill__waitq_init(&request->output_waiters);
    request->output.queued = rill__buf_make(SIZE_MAX / 2);
    request->output.sending = rill__buf_make(SIZE_MAX / 2);
    request->input.ptr = request->input.storage;
    request->input.cap = RILL__INPUT_SIZE;
    return request;
}

rill_request *rill__pool_peek(void)
{
    struct pool *pool = get_pool();
    if (!pool->free) {
        pool->free = new_request();
        pool->free_count = pool->free != NULL;
    }
    return pool->free;
}

rill_request *rill__pool_take(void)
{
    rill_request *request = rill__pool_peek();
    if (request) {
        struct pool *pool = get_pool();
        pool->free = request->next_free;
        pool->free_count--;
        rill__head_init(request);
    }
    return request;
}

/* Large buffers are not kept for the next. */
static void trim_buffer(rill__buf *buf)
{
    if (buf->cap > 2 * RILL__OUTPUT_MAX)
        rill__buf_free(buf);
    else
        rill__buf_reset(buf);
}

void rill__pool_give(rill_request *request)
{
    struct pool *pool = get_pool();
    rill__input_free(request);
    trim_buffer(&request->output.queued);
    trim_buffer(&request->output.sending);
    request->output.sent = 0;
    request->connection = NULL;
    if (pool->free_count >= RILL__POOL_MAX) {
        free_request(request);
        return;
    }
    request->next_free = pool->free;
    pool->free = request;
    pool->free_count++;
}

/* ---- the date ---- */

rill_str rill__date_line(void)
{
    struct pool *pool = get_pool();
    uint64_t now = rill__loop_now();
    if (now >= pool->date_until) {
        uint64_t wall = rill__wall_now();
        char date[RILL__DATE_LEN + 1];
        rill__date_format((int64_t)(wall / RILL__SECOND), date);
        memcpy(pool->date, "Date: ", 6);
        memcpy(pool->date + 6, date, RILL__DATE_LEN);
        memcpy(pool->date + 6 + RILL__DATE_LEN, "\r\n", 3);
        pool->date_until = rill__after(now, RILL__SECOND - wall % RILL__SECOND);
    }
    return (rill_str){ pool->date, 6 + RILL__DATE_LEN + 2 };
}

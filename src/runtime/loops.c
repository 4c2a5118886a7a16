/*
 * The loops of this process, for those who look at all of them: from any thread, under a lock. And
 * what the loops tell to those who look in.
 */
#include "runtime/runtime_internal.h"

#include <rill/debug.h>
#include <unistd.h>

rill__loop *rill__loops;
/* Who only contains the library, and calls nothing of it, must have this all the same. */
const struct rill_debug_layout *const rill__layout = &rill_debug_layout;
const rill__inspector *rill__inspector_of_all;
_Atomic bool rill__inspector_waits;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void rill__loops_lock(void)
{
    pthread_mutex_lock(&lock);
}

void rill__loops_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* In the child of a fork there is one thread, and its loop alone goes on. */
static void forget_others(void)
{
    pthread_mutex_init(&lock, NULL);
    rill__loops = rill__this_loop;
    if (!rill__this_loop)
        return;
    rill__this_loop->next_loop = NULL;
    rill__this_loop->thread_id = gettid();
}

static void watch_forks(void)
{
    pthread_atfork(rill__loops_lock, rill__loops_unlock, forget_others);
}

void rill__loops_add(rill__loop *loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    loop->thread_id = gettid();
    rill__loops_lock();
    loop->next_loop = rill__loops;
    rill__loops = loop;
    rill__loops_unlock();
    if (rill__inspector_of_all)
        rill__inspector_of_all->loop_began();
}

void rill__loops_remove(rill__loop *loop)
{
    if (loop != rill__this_loop)
        return;
    if (rill__inspector_of_all)
        rill__inspector_of_all->loop_ends();
    rill__loops_lock();
    for (rill__loop **at = &rill__loops; *at; at = &(*at)->next_loop) {
        if (*at == loop) {
            *at = loop->next_loop;
            break;
        }
    }
    rill__loops_unlock();
}

/* What the loop's own thread writes is read as it happens to be. */
#if defined(__clang__) || __GNUC__ >= 11
__attribute__((no_sanitize("thread")))
#endif
static void
glance(const rill__loop *loop, rill__glance *ret_glance)
{
    bool idle = atomic_load_explicit(&loop->polling, memory_order_relaxed);
    *ret_glance = (rill__glance){
        .loop = (uint64_t)(uintptr_t)loop,
        .turns = atomic_load_explicit(&loop->turns, memory_order_relaxed),
        .thread_id = loop->thread_id,
        .busy = !idle || *(rill__task *const volatile *)&loop->current,
    };
}

size_t rill__loops_glance(rill__glance *list, size_t max)
{
    size_t count = 0;
    rill__loops_lock();
    for (const rill__loop *loop = rill__loops; loop && count < max; loop = loop->next_loop)
        glance(loop, &list[count++]);
    rill__loops_unlock();
    return count;
}

bool rill__loop_signal(int thread_id, int number)
{
    bool sent = false;
    rill__loops_lock();
    for (const rill__loop *loop = rill__loops; loop && !sent; loop = loop->next_loop)
        sent = loop->thread_id == thread_id && tgkill(getpid(), thread_id, number) == 0;
    rill__loops_unlock();
    return sent;
}

/* ---- births ---- */

void rill__watch_births(void)
{
    rill__this_loop->watches_births = true;
}

static void add_birth(rill__birth *birth, const rill__birth *what)
{
    rill__loop *loop = rill__this_loop;
    if (!loop || !loop->watches_births || (!what->file && !what->pc))
        return;
    *birth = *what;
    rill__list_append(&loop->births, &birth->link);
}

void rill__born(rill__birth *birth, const char *kind, const char *name, const char *file, int line)
{
    add_birth(birth, &(rill__birth){ .kind = kind, .name = name, .file = file, .line = line });
}

void rill__born_from(rill__birth *birth, const char *kind, const char *name, const void *pc)
{
    add_birth(birth, &(rill__birth){ .kind = kind, .name = name, .pc = pc });
}

void rill__died(rill__birth *birth)
{
    rill__list_remove(&birth->link);
}

void rill__each_birth(void (*tell)(const rill__birth *birth, void *arg), void *arg)
{
    rill__loop *loop = rill__this_loop;
    for (rill__list *node; (node = rill__list_pop(&loop->births));)
        tell(rill__container(node, rill__birth, link), arg);
}

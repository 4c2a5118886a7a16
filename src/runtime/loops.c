/* The loops of this process, for those who look at all of them: from any thread, under a lock. */
#include "runtime/runtime_internal.h"

#include <unistd.h>

rill__loop *rill__loops;
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
}

void rill__loops_remove(rill__loop *loop)
{
    rill__loops_lock();
    for (rill__loop **at = &rill__loops; *at; at = &(*at)->next_loop) {
        if (*at == loop) {
            *at = loop->next_loop;
            break;
        }
    }
    rill__loops_unlock();
}

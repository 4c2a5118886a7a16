/* The pool of stacks: see stack.h. */
#include "runtime/stack.h"

#include "base/alloc.h"
#include "runtime/context.h"

#include <errno.h>
#include <rill/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#ifdef RILL_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(bottom, top) ((void)(bottom), (void)(top), 0u)
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

#define SLAB_STACKS 64
/* The guard is wide because code that was built without stack probes can jump over a page. */
#define GUARD_MAX ((size_t)64 << 10)
/* Stacks begin at different cache lines, else the hot ends of all would share the same few sets. */
#define STAGGER_STEP ((size_t)64)
#define STAGGER_STEPS 8
/* Free stacks keep so much of their end warm, and so many are looked at a time. */
#define HOT_END ((size_t)16 << 10)
#define DEPTHS_PER_TRIM 1024

struct rill__slab {
    rill__list link; /* rill__stack_class.slabs */
    char *base;
    rill__stack_class *class;
    int live;              /* stacks of it in use */
    long protected_guards; /* guards of it that are mappings of their own */
    unsigned valgrind_ids[SLAB_STACKS];
    rill__stack stacks[SLAB_STACKS];
};

static const size_t class_sizes[RILL__STACK_CLASSES] = { (size_t)64 << 10, RILL__STACK_DEFAULT,
                                                         (size_t)1 << 20, RILL__STACK_MAX };

void rill__stack_pool_init(rill__stack_pool *pool)
{
    *pool = (rill__stack_pool){ 0 };
    for (int i = 0; i < RILL__STACK_CLASSES; i++) {
        pool->classes[i].size = class_sizes[i];
        rill__list_init(&pool->classes[i].slabs);
    }
}

static size_t guard_size(size_t size)
{
    return size / 4 < GUARD_MAX ? size / 4 : GUARD_MAX;
}

/* ---- guards ---- */

/* An emulator says yes to advice that it does not know, and does nothing. Whether a guard is there
 * a system call tells that would write to it. */
static bool is_guarded(char *at)
{
    return getrandom(at, 1, GRND_NONBLOCK) < 0 && errno == EFAULT;
}

static bool madvise_guard(char *at, size_t len)
{
    static bool seen; /* that they are what they should be: looked at once */
    int rc;
    do
        rc = madvise(at, len, MADV_GUARD_INSTALL);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 || __atomic_load_n(&seen, __ATOMIC_RELAXED))
        return rc == 0;
    bool guarded = is_guarded(at);
    __atomic_store_n(&seen, guarded, __ATOMIC_RELAXED);
    return guarded;
}

/* How many guards by mprotect there may be: each splits mappings, two more a stack, and half of the
 * process's allowance may go. */
static long guards_allowed(void)
{
    static long allowed;
    long count = __atomic_load_n(&allowed, __ATOMIC_RELAXED);
    if (count > 0)
        return count;
    long max_mappings = 65530;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file) {
        if (fscanf(file, "%ld", &max_mappings) != 1)
            max_mappings = 65530;
        fclose(file);
    }
    count = max_mappings / 4 + 1;
    __atomic_store_n(&allowed, count, __ATOMIC_RELAXED);
    return count;
}

static long protected_guards; /* of the whole process, by mprotect */
bool rill__stack_madvise_off;

static bool mprotect_guard(char *at, size_t len)
{
    if (__atomic_add_fetch(&protected_guards, 1, __ATOMIC_RELAXED) <= guards_allowed() &&
        mprotect(at, len, PROT_NONE) == 0)
        return true;
    __atomic_sub_fetch(&protected_guards, 1, __ATOMIC_RELAXED);
    return false;
}

static void install_guard(struct rill__slab *slab, char *at, size_t len)
{
    static bool told;
    if (!rill__stack_madvise_off && madvise_guard(at, len))
        return;
    if (mprotect_guard(at, len))
        slab->protected_guards++;
    else if (!__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
        rill_log(RILL_LOG_WARN, "stack",
                 "no more guard pages: raise vm.max_map_count to have every stack guarded");
}

/* ---- slabs ---- */

static void push_free(rill__stack_class *class, rill__stack *stack)
{
    stack->next_free = class->free;
    class->free = stack;
    class->free_count++;
}

static void lay_out(struct rill__slab *slab, size_t size)
{
    size_t guard = guard_size(size);
    for (int i = SLAB_STACKS - 1; i >= 0; i--) {
        char *low = slab->base + (size_t)i * size;
        install_guard(slab, low, guard);
        slab->stacks[i] = (rill__stack){
            .slab = slab,
            .bottom = low + guard,
            .top = low + size - STAGGER_STEP * (size_t)(i % STAGGER_STEPS),
            .shallow = true,
        };
        slab->valgrind_ids[i] = VALGRIND_STACK_REGISTER(low + guard, low + size);
        push_free(slab->class, &slab->stacks[i]);
    }
}

static bool add_slab(rill__stack_class *class)
{
    struct rill__slab *slab = rill__zalloc(sizeof *slab);
    if (!slab)
        return false;
    size_t size = class->size * SLAB_STACKS;
    slab->base = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (slab->base == MAP_FAILED) {
        rill__free(slab);
        return false;
    }
    /* Else the first touch of a stack could cost a huge page. */
    (void)madvise(slab->base, size, MADV_NOHUGEPAGE);
    slab->class = class;
    lay_out(slab, class->size);
    rill__list_append(&class->slabs, &slab->link);
    return true;
}

static void free_slab(struct rill__slab *slab)
{
    for (int i = 0; i < SLAB_STACKS; i++) {
        VALGRIND_STACK_DEREGISTER(slab->valgrind_ids[i]);
#ifdef RILL__TSAN
        if (slab->stacks[i].fiber)
            __tsan_destroy_fiber(slab->stacks[i].fiber);
#endif
    }
    rill__list_remove(&slab->link);
    __atomic_sub_fetch(&protected_guards, slab->protected_guards, __ATOMIC_RELAXED);
    munmap(slab->base, slab->class->size * SLAB_STACKS);
    rill__free(slab);
}

void rill__stack_pool_free(rill__stack_pool *pool)
{
    for (int i = 0; i < RILL__STACK_CLASSES; i++)
        rill__list_each(node, &pool->classes[i].slabs)
            free_slab(rill__container(node, struct rill__slab, link));
    rill__stack_pool_init(pool);
}

/* ---- stacks ---- */

static rill__stack_class *class_for(rill__stack_pool *pool, size_t size)
{
    if (size == 0)
        size = RILL__STACK_DEFAULT;
    for (int i = 0; i < RILL__STACK_CLASSES; i++)
        if (size <= class_sizes[i])
            return &pool->classes[i];
    return NULL;
}

/* A stack begins anew. The fiber of its last task ends only now: that task stood on it until after
 * it had given the stack back. */
static void tell_sanitizers(rill__stack *stack)
{
#ifdef RILL__ASAN
    ASAN_UNPOISON_MEMORY_REGION(stack->bottom, (size_t)(stack->top - stack->bottom));
#endif
#ifdef RILL__TSAN
    if (stack->fiber)
        __tsan_destroy_fiber(stack->fiber);
    stack->fiber = __tsan_create_fiber(0);
#endif
    (void)stack;
}

rill__stack *rill__stack_get(rill__stack_pool *pool, size_t size)
{
    rill__stack_class *class = class_for(pool, size);
    if (!class || (!class->free && !add_slab(class)))
        return NULL;
    rill__stack *stack = class->free;
    class->free = stack->next_free;
    class->free_count--;
    stack->shallow = false;
    stack->slab->live++;
    pool->live++;
    tell_sanitizers(stack);
    return stack;
}

void rill__stack_put(rill__stack_pool *pool, rill__stack *stack)
{
    stack->slab->live--;
    pool->live--;
    pool->settled = false;
    push_free(stack->slab->class, stack);
}

/* More than so many free stacks of a class are not kept: as many as are in use, and two slabs. */
static size_t kept_free(size_t live)
{
    return live + (size_t)2 * SLAB_STACKS;
}

void rill__stack_count(const rill__stack_pool *pool, size_t *ret_kept, size_t *ret_bytes)
{
    *ret_kept = *ret_bytes = 0;
    for (int i = 0; i < RILL__STACK_CLASSES; i++) {
        const rill__stack_class *class = &pool->classes[i];
        *ret_kept += class->free_count;
        rill__list_each(node, &class->slabs)
            *ret_bytes += class->size * SLAB_STACKS;
    }
}

bool rill__stack_worth_trimming(const rill__stack_pool *pool)
{
    for (int i = 0; i < RILL__STACK_CLASSES && !pool->settled; i++)
        if (pool->classes[i].free_count >= kept_free(pool->live) + SLAB_STACKS)
            return true;
    return false;
}

/* Unmaps slabs that are all free, as long as more than the kept ones remain. */
static void trim_class(rill__stack_class *class, size_t live)
{
    size_t keep = kept_free(live);
    size_t drop = 0;
    rill__list_each(node, &class->slabs) {
        struct rill__slab *slab = rill__container(node, struct rill__slab, link);
        if (slab->live == 0 && class->free_count - drop >= keep + SLAB_STACKS) {
            slab->live = -1;
            drop += SLAB_STACKS;
        }
    }
    if (drop == 0)
        return;
    rill__stack **at = &class->free;
    while (*at) {
        if ((*at)->slab->live < 0)
            *at = (*at)->next_free;
        else
            at = &(*at)->next_free;
    }
    class->free_count -= drop;
    rill__list_each(node, &class->slabs) {
        struct rill__slab *slab = rill__container(node, struct rill__slab, link);
        if (slab->live < 0)
            free_slab(slab);
    }
}

/* Gives back what free stacks have below their hot end: some task once went deep. Those that were
 * freed last stand first, so behind one that has been seen to, all have been. */
static void trim_depths(const rill__stack_class *class)
{
    int rest = DEPTHS_PER_TRIM;
    for (rill__stack *at = class->free; at && !at->shallow && rest > 0; at = at->next_free) {
        char *end = (char *)((uintptr_t)at->top & ~(uintptr_t)(HOT_END - 1)) - HOT_END;
        (void)madvise(at->bottom, (size_t)(end - at->bottom), MADV_DONTNEED);
        at->shallow = true;
        rest--;
    }
}

void rill__stack_trim(rill__stack_pool *pool)
{
    for (int i = 0; i < RILL__STACK_CLASSES; i++) {
        trim_class(&pool->classes[i], pool->live);
        trim_depths(&pool->classes[i]);
    }
    pool->settled = true;
}

bool rill__stack_overflowed(const rill__stack *stack, const void *address)
{
    const char *at = address;
    return at < stack->bottom && at >= stack->bottom - guard_size(stack->slab->class->size);
}

size_t rill__stack_size(const rill__stack *stack)
{
    return stack->slab->class->size;
}

/*
 * Stalls: a loop that has not turned for long is told, with the calls that keep it.
 *
 * A thread that is not given the processor stalls as well, and is not to blame: so it must have
 * used the processor for half of the limit, or wait in a system call. And when the observer itself
 * comes late, the whole process was stopped, and all is forgotten.
 */
#include "inspect/observer.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/runtime.h"

#include <inttypes.h>
#include <rill/log.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOPS_MAX 256
#define FRAMES_MAX 24
/* Between two reports; and a stall that goes on is told again after ten times as long. */
#define QUIET_NS RILL__SECOND

struct watched {
    int thread_id;
    bool busy;
    uint64_t turns, since, cpu; /* of the thread at `since` */
    uint64_t next;              /* the stall is told when it has lasted so long */
};

struct rill__stalls {
    uint64_t limit, last_look, last_told;
    unsigned untold;
    size_t count;
    struct watched watched[LOOPS_MAX];
    rill__glance glances[LOOPS_MAX];
};

rill__stalls *rill__stalls_new(uint64_t limit)
{
    rill__stalls *stalls = rill__zalloc(sizeof *stalls);
    if (stalls)
        stalls->limit = limit;
    return stalls;
}

void rill__stalls_free(rill__stalls *stalls)
{
    rill__free(stalls);
}

/* The processor time of a thread, by the kernel's numbering of clocks. */
static uint64_t thread_cpu(int thread_id)
{
    return rill__clock_ns((clockid_t)(~(unsigned)thread_id << 3 | 6));
}

/* ---- telling ---- */

/* The task that the loop runs: "'fetch' #1.1 (a.c:7)". */
static void word_task(rill__process *process, uint64_t address, char text[256])
{
    struct rill_debug_layout layout;
    rill__seen_loop loop = { .address = address };
    rill__seen_task task;
    char id[24];
    snprintf(text, 256, "the loop itself");
    if (rill__find_layout(process, &layout) < 0)
        return;
    uint64_t current = rill__process_u64(process, address + layout.loop.current);
    uint64_t number = current ? rill__process_u64(process, current + layout.task.id) : 0;
    if (!number || !rill__task_read(process, &layout, &loop, (uint32_t)number, &task))
        return;
    rill__task_id_text(task.id, id);
    if (task.file[0])
        snprintf(text, 256, "'%s' #%s (%s:%d)", task.name, id, task.file, task.line);
    else
        snprintf(text, 256, "'%s' #%s", task.name, id);
}

static void print_calls(FILE *out, rill__process *process, int thread_id)
{
    rill_frame frames[FRAMES_MAX];
    const char *why = "";
    size_t count = rill__capture(process, thread_id, frames, FRAMES_MAX, &why);
    if (count == 0)
        fprintf(out, "    (%s)\n", why);
    rill_frames_print(out, frames, count);
}

static void report(rill__stalls *stalls, const rill__glance *glance, uint64_t lasted)
{
    rill__process process;
    char task[256], *text = NULL;
    size_t size = 0;
    bool blocked = rill__thread_is_blocked(glance->thread_id);
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    if (rill__process_open(&process, getpid()) == 0) {
        word_task(&process, glance->loop, task);
        fprintf(out, "it has not turned for %.2f s: %s %s it, in\n", (double)lasted / 1e9, task,
                blocked ? "blocks" : "keeps");
        print_calls(out, &process, glance->thread_id);
    }
    rill__process_close(&process);
    if (stalls->untold > 0)
        fprintf(out, "    (%u more stalls were not told)\n", stalls->untold);
    fclose(out);
    if (size > 0)
        rill_log(RILL_LOG_WARN, "loop", "%.*s", (int)size - 1, text);
    free(text); /* lint: allow free: open_memstream's own */
}

/* ---- looking ---- */

static struct watched *find(rill__stalls *stalls, int thread_id)
{
    for (size_t i = 0; i < stalls->count; i++)
        if (stalls->watched[i].thread_id == thread_id)
            return &stalls->watched[i];
    if (stalls->count == LOOPS_MAX)
        stalls->count = 0; /* most are of loops that have ended */
    struct watched *watched = &stalls->watched[stalls->count++];
    *watched = (struct watched){ .thread_id = thread_id };
    return watched;
}

/* Whether the thread is what keeps its loop, and not the lack of a processor. */
static bool is_to_blame(const struct watched *watched, uint64_t limit)
{
    return thread_cpu(watched->thread_id) - watched->cpu >= limit / 2 ||
           rill__thread_is_blocked(watched->thread_id);
}

static void look_at(rill__stalls *stalls, const rill__glance *glance, uint64_t now)
{
    struct watched *watched = find(stalls, glance->thread_id);
    if (!glance->busy || !watched->busy || watched->turns != glance->turns) {
        *watched = (struct watched){
            .thread_id = glance->thread_id,
            .busy = glance->busy,
            .turns = glance->turns,
            .since = now,
            .cpu = thread_cpu(glance->thread_id),
            .next = stalls->limit,
        };
        return;
    }
    uint64_t lasted = now - watched->since;
    if (lasted < watched->next || !is_to_blame(watched, stalls->limit))
        return;
    watched->next = lasted * 10;
    if (stalls->last_told && now - stalls->last_told < QUIET_NS) {
        stalls->untold++;
        return;
    }
    stalls->last_told = now;
    report(stalls, glance, lasted);
    stalls->untold = 0;
}

bool rill__stalls_look(rill__stalls *stalls)
{
    uint64_t now = rill__clock_ns(CLOCK_MONOTONIC);
    bool busy = false;
    if (now - stalls->last_look > stalls->limit)
        stalls->count = 0; /* asleep, or stopped: what was seen before is too old */
    stalls->last_look = now;
    size_t count = rill__loops_glance(stalls->glances, LOOPS_MAX);
    for (size_t i = 0; i < count; i++) {
        busy = busy || stalls->glances[i].busy;
        look_at(stalls, &stalls->glances[i], now);
    }
    return busy;
}

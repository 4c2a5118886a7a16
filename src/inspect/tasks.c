/*
 * Loops and tasks, read from a process by its layout description. The process may run on meanwhile:
 * whatever was read is checked or bounded before it is used, and what does not fit is left out.
 */
#include "inspect/inspect_internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* A chain of scopes, or of loops, is not longer unless it has become a ring meanwhile. */
#define CHAIN_MAX 4096
/* The description is looked for in the first so many bytes of each mapping. */
#define SEARCHED_MAX ((uint64_t)64 << 20)
#define TASK_SIZE_MAX 4096

/* ---- the layout ---- */

/* The page behind a segment may hold a copy as it stands in the file, with pointers that lead
 * nowhere. */
static bool is_layout(rill__process *process, uint64_t address, struct rill_debug_layout *layout)
{
    uint64_t loop;
    return rill__process_read(process, address, layout, sizeof *layout) &&
           memcmp(layout->magic, RILL_DEBUG_MAGIC, sizeof layout->magic) == 0 &&
           layout->size >= sizeof *layout && layout->task.size <= TASK_SIZE_MAX &&
           layout->task.detached < layout->task.size && layout->scope.size <= TASK_SIZE_MAX &&
           layout->scope.shield < layout->scope.size &&
           rill__process_read(process, (uint64_t)(uintptr_t)layout->loops, &loop, sizeof loop);
}

/* Its symbol may be stripped, so it is known by its first bytes. */
static bool search(rill__process *process, uint64_t from, uint64_t to,
                   struct rill_debug_layout *layout)
{
    uint64_t words[512], magic;
    memcpy(&magic, RILL_DEBUG_MAGIC, sizeof magic);
    to = to - from > SEARCHED_MAX ? from + SEARCHED_MAX : to;
    for (; from < to && !rill__process_is_exhausted(process); from += sizeof words) {
        if (!rill__process_read(process, from, words, sizeof words))
            continue;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (words[i] == magic && is_layout(process, from + i * sizeof magic, layout))
                return true;
    }
    return false;
}

/* Data of a file: neither code nor the process's own memory. */
static bool search_line(rill__process *process, const char *line, struct rill_debug_layout *layout)
{
    uint64_t from, to;
    char access[5], first = '\0';
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %c", &from, &to, access, &first) < 4)
        return false;
    return first == '/' && access[0] == 'r' && access[2] != 'x' &&
           search(process, from, to, layout);
}

static bool search_all(rill__process *process, struct rill_debug_layout *layout)
{
    char path[64], *line = NULL;
    size_t size = 0;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/maps", process->pid);
    FILE *file = fopen(path, "re");
    while (file && !found && getline(&line, &size, file) > 0)
        found = search_line(process, line, layout);
    free(line); /* lint: allow free: getline's own */
    if (file)
        fclose(file);
    return found;
}

/* The version stands in messages: only what versions are made of. */
static void clean_version(char library[16])
{
    library[15] = '\0';
    for (char *at = library; *at; at++)
        if (!strchr("0123456789.-+abcdefghijklmnopqrstuvwxyz", *at))
            *at = '?';
}

int rill__find_layout(rill__process *process, struct rill_debug_layout *ret_layout)
{
    if (process->own)
        *ret_layout = rill_debug_layout;
    else if (!search_all(process, ret_layout))
        return rill__fail(RILL_ENOTFOUND, "process %d: rill is not in it", process->pid);
    clean_version(ret_layout->library);
    if (ret_layout->version != RILL_DEBUG_VERSION)
        return rill__fail(
            RILL_EUNSUPPORTED, "process %d: it runs rill %.16s, whose layout is version %u, not %d",
            process->pid, ret_layout->library, ret_layout->version, RILL_DEBUG_VERSION);
    return 0;
}

/* ---- one task ---- */

/* What the reader of a loop needs at every step. */
struct reader {
    rill__process *process;
    const struct rill_debug_layout *layout;
    rill__seen_loop *loop;
};

static uint64_t field64(const char *bytes, uint32_t offset)
{
    uint64_t value = 0;
    if (offset <= TASK_SIZE_MAX - sizeof value)
        memcpy(&value, bytes + offset, sizeof value);
    return value;
}

static int field_int(const char *bytes, uint32_t offset)
{
    int value = 0;
    if (offset <= TASK_SIZE_MAX - sizeof value)
        memcpy(&value, bytes + offset, sizeof value);
    return value;
}

/* The nearest deadline that reaches the task, and why it is cancelled, if it is. */
static void read_scopes(const struct reader *reader, rill__seen_task *task)
{
    const struct rill_debug_scope *at = &reader->layout->scope;
    uint64_t nearest = UINT64_MAX, scope = task->scope;
    char bytes[TASK_SIZE_MAX];
    for (int i = 0; scope && i < CHAIN_MAX; i++) {
        if (!rill__process_read(reader->process, scope, bytes, at->size))
            break;
        uint64_t deadline = field64(bytes, at->deadline), origin = field64(bytes, at->origin);
        if (field64(bytes, at->armed) && deadline < nearest)
            nearest = deadline;
        if (i == 0 && origin)
            rill__process_text(reader->process, origin + at->reason, task->cancelled,
                               sizeof task->cancelled);
        if (i == 0 && origin && !task->cancelled[0])
            snprintf(task->cancelled, sizeof task->cancelled, "no reason given");
        if (bytes[at->shield])
            break;
        scope = field64(bytes, at->parent);
    }
    task->has_deadline = nearest != UINT64_MAX && reader->loop->now > 0;
    if (task->has_deadline)
        task->deadline = (double)(int64_t)(nearest - reader->loop->now) / 1e9;
}

static void read_stack(const struct reader *reader, rill__seen_task *task, uint64_t stack)
{
    const struct rill_debug_stack *at = &reader->layout->stack;
    task->stack_bottom = rill__process_u64(reader->process, stack + at->bottom);
    task->stack_top = rill__process_u64(reader->process, stack + at->top);
    task->stack_used = -1;
    if (task->stack_top > task->stack_bottom && task->stack_top - task->stack_bottom < 1 << 26)
        task->stack_used =
            rill__process_resident(reader->process, task->stack_bottom, task->stack_top);
}

/* The task that a member's group belongs to: the group begins with its scope. */
static uint64_t owner_of_group(const struct reader *reader, uint64_t group)
{
    return group ? rill__process_u64(reader->process, group + reader->layout->scope.task) : 0;
}

static bool read_at(const struct reader *reader, uint64_t address, uint32_t slot,
                    rill__seen_task *task)
{
    const struct rill_debug_task *at = &reader->layout->task;
    char bytes[TASK_SIZE_MAX + 1] = { 0 };
    if (!rill__process_read(reader->process, address, bytes, at->size))
        return false;
    *task = (rill__seen_task){
        .address = address,
        .id = field64(bytes, at->id),
        .group = field64(bytes, at->group),
        .parent = field64(bytes, at->parent),
        .sp = field64(bytes, at->saved_sp),
        .subject = field64(bytes, at->subject),
        .scope = field64(bytes, at->scope),
        .line = field_int(bytes, at->line),
        .state = field_int(bytes, at->state),
        .subject_kind = field_int(bytes, at->subject_kind),
        .detached = bytes[at->detached],
        .cpu = reader->loop->measured ? (double)field64(bytes, at->cpu) / 1e9 : -1,
        .waiting = -1,
        .above = RILL__NOBODY,
        .first_below = RILL__NOBODY,
        .next = RILL__NOBODY,
    };
    if ((uint32_t)task->id != slot || task->state < 0 || task->state > RILL_DEBUG_ENDED)
        return false;
    if (!task->parent)
        task->parent = owner_of_group(reader, task->group);
    rill__process_text(reader->process, address + at->name, task->name, sizeof task->name);
    rill__process_text(reader->process, field64(bytes, at->file), task->file, sizeof task->file);
    uint64_t since = field64(bytes, at->since), now = reader->loop->now;
    if (task->state == RILL_DEBUG_WAITING) {
        rill__process_text(reader->process, field64(bytes, at->what), task->what,
                           sizeof task->what);
        task->waiting = since && now >= since ? (double)(now - since) / 1e9 : -1;
    }
    read_scopes(reader, task);
    read_stack(reader, task, field64(bytes, at->stack));
    return true;
}

/* ---- how tasks belong together ---- */

static int by_address(const void *a, const void *b)
{
    const rill__seen_task *const *left = a, *const *right = b;
    return ((*left)->address > (*right)->address) - ((*left)->address < (*right)->address);
}

static rill__seen_task *find(rill__seen_task **sorted, size_t count, uint64_t address)
{
    rill__seen_task key = { .address = address }, *key_at = &key;
    rill__seen_task **found =
        address ? bsearch(&key_at, sorted, count, sizeof *sorted, by_address) : NULL;
    return found ? *found : NULL;
}

/* Tasks stand in the order of their slots, which are the low halves of their ids. */
static const rill__seen_task *find_id(const rill__seen_loop *loop, uint64_t id)
{
    size_t low = 0, high = loop->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uint32_t)loop->tasks[middle].id < (uint32_t)id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < loop->count && loop->tasks[low].id == id ? &loop->tasks[low] : NULL;
}

void rill__task_id_text(uint64_t id, char text[24])
{
    snprintf(text, 24, "%" PRIu32 ".%" PRIu32, (uint32_t)id, (uint32_t)(id >> 32));
}

/* Puts the subject of the wait into words. */
static void word_subject(const struct reader *reader, rill__seen_task *task,
                         rill__seen_task **sorted)
{
    rill__process *process = reader->process;
    char *text = task->subject_text, id[24];
    size_t size = sizeof task->subject_text;
    uint64_t at = task->subject;
    const rill__seen_task *other;
    switch (task->state == RILL_DEBUG_WAITING ? task->subject_kind : RILL_DEBUG_NOTHING) {
    case RILL_DEBUG_TEXT:
        rill__process_text(process, at, text, size);
        break;
    case RILL_DEBUG_HANDLE:
        if (strcmp(reader->loop->driver, "epoll") == 0)
            rill__process_peer(process,
                               (int)rill__process_u32(process, at + reader->layout->handle_fd),
                               text, size);
        break;
    case RILL_DEBUG_OWNER:
        other = find_id(reader->loop, rill__process_u64(process, at));
        rill__task_id_text(other ? other->id : 0, id);
        if (other)
            snprintf(text, size, "of '%s' #%s", other->name, id);
        break;
    case RILL_DEBUG_TASK:
        other = find(sorted, reader->loop->count, at);
        rill__task_id_text(other ? other->id : 0, id);
        if (other)
            snprintf(text, size, "'%s' #%s", other->name, id);
        break;
    case RILL_DEBUG_TIMER:
        at = rill__process_u64(process, at + reader->layout->timer_deadline);
        if (at == UINT64_MAX)
            snprintf(text, size, "for ever");
        else if (reader->loop->now)
            snprintf(text, size, "for another %.1f s",
                     (double)(int64_t)(at - reader->loop->now) / 1e9);
    }
}

static int relate(const struct reader *reader)
{
    rill__seen_loop *loop = reader->loop;
    rill__seen_task **sorted = rill__alloc((loop->count + 1) * sizeof(rill__seen_task *));
    if (!sorted)
        return rill__fail_nomem();
    for (size_t i = 0; i < loop->count; i++)
        sorted[i] = &loop->tasks[i];
    qsort(sorted, loop->count, sizeof(rill__seen_task *), by_address);
    for (size_t i = loop->count; i-- > 0;) { /* backwards: so the first comes to stand first */
        rill__seen_task *task = &loop->tasks[i];
        rill__seen_task *above = find(sorted, loop->count, task->parent);
        word_subject(reader, task, sorted);
        if (!above || above == task)
            continue;
        task->above = (uint32_t)(above - loop->tasks);
        task->next = above->first_below;
        above->first_below = (uint32_t)i;
    }
    rill__free(sorted);
    return 0;
}

/* ---- loops ---- */

uint64_t rill__next_loop(rill__process *process, const struct rill_debug_layout *layout,
                         uint64_t address)
{
    return rill__process_u64(process, address ? address + layout->loop.next
                                              : (uint64_t)(uintptr_t)layout->loops);
}

static void read_loop_fields(const struct reader *reader)
{
    const struct rill_debug_loop *at = &reader->layout->loop;
    rill__process *process = reader->process;
    rill__seen_loop *loop = reader->loop;
    uint64_t base = loop->address;
    char polling = 0;
    rill__process_read(process, base + at->polling, &polling, 1);
    loop->polling = polling;
    loop->thread_id = (int)rill__process_u32(process, base + at->thread_id);
    loop->turns = rill__process_u64(process, base + at->turns);
    loop->task_count = rill__process_u64(process, base + at->task_count);
    loop->current = rill__process_u64(process, base + at->current);
    loop->measured = rill__process_u64(process, base + at->measure) != 0;
    /* The driver begins with its operations, and these with their name. */
    uint64_t driver = rill__process_u64(process, base + at->driver);
    uint64_t name = rill__process_u64(process, rill__process_u64(process, driver));
    rill__process_text(process, name, loop->driver, sizeof loop->driver);
    loop->now = strcmp(loop->driver, "epoll") == 0 ? rill__clock_ns(CLOCK_MONOTONIC)
                                                   : rill__process_u64(process, base + at->now);
}

/* Where the task of a slot lies, or 0. False when there is no such slot. */
static bool read_slot(const struct reader *reader, uint32_t slot, uint64_t *ret_address)
{
    const struct rill_debug_layout *layout = reader->layout;
    uint64_t slots = rill__process_u64(reader->process, reader->loop->address + layout->loop.slots);
    return rill__process_read(reader->process,
                              slots + (uint64_t)slot * layout->slot.stride + layout->slot.task,
                              ret_address, sizeof *ret_address);
}

bool rill__task_read(rill__process *process, const struct rill_debug_layout *layout,
                     rill__seen_loop *loop, uint32_t slot, rill__seen_task *ret_task)
{
    struct reader reader = { process, layout, loop };
    uint32_t count = rill__process_u32(process, loop->address + layout->loop.slot_count);
    uint64_t address = 0;
    return slot < count && read_slot(&reader, slot, &address) && address &&
           read_at(&reader, address, slot, ret_task);
}

int rill__loop_read(rill__process *process, const struct rill_debug_layout *layout,
                    rill__seen_loop *loop, size_t limit)
{
    struct reader reader = { process, layout, loop };
    read_loop_fields(&reader);
    uint32_t slot_count = rill__process_u32(process, loop->address + layout->loop.slot_count);
    size_t room = loop->task_count < limit ? (size_t)loop->task_count : limit;
    loop->tasks = rill__alloc((room + 1) * sizeof *loop->tasks);
    if (!loop->tasks)
        return rill__fail_nomem();
    for (uint32_t i = 0; i < slot_count && loop->count < room; i++) {
        uint64_t address;
        if (!read_slot(&reader, i, &address))
            break;
        loop->count += address && read_at(&reader, address, i, &loop->tasks[loop->count]);
    }
    return relate(&reader);
}

void rill__seen_loop_free(rill__seen_loop *loop)
{
    rill__free(loop->tasks);
    loop->tasks = NULL;
}

size_t rill__task_frames(rill__process *process, const struct rill_debug_layout *layout,
                         const rill__seen_task *task, rill_frame *frames, size_t max)
{
    const struct rill_debug_saved *saved = &layout->saved;
    rill__registers registers = { .pc = rill__process_u64(process, task->sp + saved->pc) };
    for (unsigned i = 0; i < RILL_DEBUG_REGISTERS; i++) {
        if (saved->registers[i] == RILL_DEBUG_NOT_SAVED)
            continue;
        registers.value[i] =
            rill__process_u64(process, task->sp + (uint64_t)(int64_t)saved->registers[i]);
        registers.known |= UINT64_C(1) << i;
    }
    rill__registers_set_sp(&registers, task->sp + saved->size);
    const uint64_t bounds[] = { task->stack_bottom, task->stack_top };
    return rill__unwind(process, &registers, bounds, frames, max);
}

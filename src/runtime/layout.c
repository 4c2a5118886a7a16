/* The description of the runtime's structures for readers from outside: see rill/debug.h. */
#include "runtime/runtime_internal.h"

#include <rill/debug.h>

_Static_assert((int)RILL__READY == RILL_DEBUG_READY && (int)RILL__DONE == RILL_DEBUG_ENDED,
               "states as documented");
_Static_assert((int)RILL__SUBJECT_TIMER == RILL_DEBUG_TIMER, "subjects as documented");
_Static_assert(offsetof(rill_group, scope) == 0, "a group begins with its scope");
_Static_assert(offsetof(rill__driver, ops) == 0 && offsetof(struct rill__driver_ops, name) == 0,
               "a driver leads to its name");

#define NONE RILL_DEBUG_NOT_SAVED

const struct rill_debug_layout rill_debug_layout = {
    .magic = { 'r', 'i', 'l', 'l', '-', 'd', 'b', 'g' },
    .version = RILL_DEBUG_VERSION,
    .size = sizeof rill_debug_layout,
    .library = RILL_VERSION,
    .loops = &rill__loops,
    .loop = {
        .next = offsetof(rill__loop, next_loop),
        .thread_id = offsetof(rill__loop, thread_id),
        .polling = offsetof(rill__loop, polling),
        .turns = offsetof(rill__loop, turns),
        .now = offsetof(rill__loop, now),
        .driver = offsetof(rill__loop, driver),
        .current = offsetof(rill__loop, current),
        .slots = offsetof(rill__loop, slots),
        .slot_count = offsetof(rill__loop, slot_count),
        .task_count = offsetof(rill__loop, task_count),
        .measure = offsetof(rill__loop, measure),
    },
    .slot = {
        .stride = sizeof(struct rill__slot),
        .task = offsetof(struct rill__slot, task),
    },
    .task = {
        .size = sizeof(rill__task),
        .id = offsetof(rill__task, id),
        .name = offsetof(rill__task, name),
        .name_size = sizeof((rill__task *)0)->name,
        .file = offsetof(rill__task, file),
        .line = offsetof(rill__task, line),
        .state = offsetof(rill__task, state),
        .what = offsetof(rill__task, what),
        .subject_kind = offsetof(rill__task, subject_kind),
        .subject = offsetof(rill__task, subject),
        .since = offsetof(rill__task, since),
        .scope = offsetof(rill__task, scope),
        .parent = offsetof(rill__task, parent),
        .group = offsetof(rill__task, group),
        .detached = offsetof(rill__task, detached),
        .stack = offsetof(rill__task, stack),
        .saved_sp = offsetof(rill__task, context.sp),
        .cpu = offsetof(rill__task, cpu),
    },
    .stack = {
        .bottom = offsetof(rill__stack, bottom),
        .top = offsetof(rill__stack, top),
    },
    .scope = {
        .parent = offsetof(rill_scope, parent),
        .task = offsetof(rill_scope, task),
        .origin = offsetof(rill_scope, origin),
        .shield = offsetof(rill_scope, shield),
        .armed = offsetof(rill_scope, timer.next),
        .deadline = offsetof(rill_scope, timer.deadline),
        .reason = offsetof(rill_scope, reason),
        .reason_size = sizeof((rill_scope *)0)->reason,
        .size = sizeof(rill_scope),
    },
    .handle_fd = offsetof(rill__handle, fd),
    .timer_deadline = offsetof(rill__timer, deadline),
/* As the switch has pushed them: switch_*.S. */
#if defined(__x86_64__)
    .saved = {
        .size = 56,
        .pc = 48,
        /*             rax   rdx   rcx rbx   rsi   rdi rbp   rsp */
        .registers = { NONE, NONE, NONE, 32, NONE, NONE, 40, NONE,
        /*             r8    r9    r10   r11 r12 r13 r14 r15 pc */
                       NONE, NONE, NONE, NONE, 24, 16, 8, 0, 48,
                       NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
                       NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE },
    },
#elif defined(__aarch64__)
    .saved = {
        .size = 160,
        .pc = 88,
        .registers = { NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
                       NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
        /*             x19 ...                                    x29 x30 */
                       0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, NONE, NONE },
    },
#endif
};

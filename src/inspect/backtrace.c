/* rill_task_backtrace: the calls of one task of this process. */
#include "inspect/inspect_internal.h"

#include "base/fail.h"

#include <ucontext.h>
#include <unistd.h>

static bool find_task(rill__process *process, const struct rill_debug_layout *layout, uint64_t id,
                      rill__seen_task *ret_task)
{
    rill__seen_loop loop = { 0 };
    do
        loop.address = rill__next_loop(process, layout, loop.address);
    while (loop.address &&
           rill__process_u32(process, loop.address + layout->loop.thread_id) != (uint32_t)gettid());
    return loop.address && rill__task_read(process, layout, &loop, (uint32_t)id, ret_task) &&
           ret_task->id == id;
}

static size_t own_frames(rill__process *process, const rill__seen_task *task, rill_frame *frames,
                         size_t max)
{
    rill__registers registers;
    ucontext_t context;
    rill__process_forget(process); /* our own stack has changed since */
    getcontext(&context);
    rill__registers_of_context(&registers, &context);
    const uint64_t bounds[] = { task->stack_bottom, task->stack_top };
    return rill__unwind(process, &registers, bounds, frames, max);
}

static ptrdiff_t frames_of(rill__process *process, uint64_t id, rill_frame *frames, size_t max)
{
    struct rill_debug_layout layout;
    rill__seen_task task;
    RILL__TRY(rill__find_layout(process, &layout));
    if (!find_task(process, &layout, id, &task))
        return rill__fail(RILL_ESTALE, "backtrace: the task has ended, or never was");
    if (task.state == RILL_DEBUG_ENDED)
        return 0;
    if (task.state == RILL_DEBUG_RUNNING)
        return (ptrdiff_t)rill__drop_frames(frames, own_frames(process, &task, frames, max),
                                            "rill_task_backtrace");
    return (ptrdiff_t)rill__task_frames(process, &layout, &task, frames, max);
}

ptrdiff_t rill_task_backtrace(rill_task task, rill_frame *frames, size_t max)
{
    rill__process process;
    int rc = rill__process_open(&process, getpid());
    ptrdiff_t count = rc < 0 ? rc : frames_of(&process, task.id, frames, max);
    rill__process_close(&process);
    return count;
}

size_t rill__drop_frames(rill_frame *frames, size_t count, const char *until)
{
    size_t drop = 0;
    while (drop < count && strcmp(frames[drop].function, until) != 0)
        drop++;
    if (drop == count)
        return count;
    memmove(frames, frames + drop + 1, (count - drop - 1) * sizeof *frames);
    return count - drop - 1;
}

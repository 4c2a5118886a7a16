/* rill_dump: this process or another, all loops of it. */
#include "inspect/inspect_internal.h"

#include "base/fail.h"
#include "base/opts.h"

#include <errno.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#define LIMIT 10000
#define LOOPS_MAX 4096

size_t rill__running_frames(const rill__printer *printer, const rill__seen_loop *loop,
                            const rill__seen_task *task, rill_frame *frames, size_t max)
{
    rill__registers registers;
    const uint64_t bounds[] = { task->stack_bottom, task->stack_top };
    if (!printer->process->own)
        return rill__frames_of_thread(printer->process, loop->thread_id, bounds, frames, max);
    if (loop->thread_id != gettid())
        return 0;
    ucontext_t context;
    rill__process_forget(printer->process); /* our own stack has changed since */
    getcontext(&context);
    rill__registers_of_context(&registers, &context);
    size_t count = rill__unwind(printer->process, &registers, bounds, frames, max);
    return rill__drop_frames(frames, count, "rill_dump_with");
}

static int print_loops(rill__printer *printer, size_t limit)
{
    uint64_t first = rill__next_loop(printer->process, printer->layout, 0), address = first;
    if (!first && !printer->json)
        fputs("no loop runs\n", printer->out);
    for (int i = 0; address && i < LOOPS_MAX; i++) {
        rill__seen_loop loop = { .address = address };
        int rc = rill__loop_read(printer->process, printer->layout, &loop, limit);
        if (rc == 0) {
            if (printer->json && i)
                fputc(',', printer->out);
            rill__print_loop(printer, &loop);
        }
        rill__seen_loop_free(&loop);
        RILL__TRY(rc);
        address = rill__next_loop(printer->process, printer->layout, address);
        if (address == first) /* a ring: what was read did not belong together */
            break;
    }
    return 0;
}

static ptrdiff_t print_process(rill__process *process, const rill_dump_opts *opts)
{
    struct rill_debug_layout layout;
    size_t limit = opts->limit ? opts->limit : LIMIT;
    rill__process_bound(process, limit);
    RILL__TRY(rill__find_layout(process, &layout));
    rill__printer printer = {
        .out = opts->out ? opts->out : stderr,
        .process = process,
        .layout = &layout,
        .json = opts->json,
        .backtraces = opts->backtraces,
        .only = opts->task,
    };
    if (opts->json)
        fprintf(printer.out, "{\"pid\":%d,\"rill\":\"%.15s\",\"loops\":[", process->pid,
                layout.library);
    int rc = print_loops(&printer, limit);
    if (opts->json)
        fputs("]}\n", printer.out);
    RILL__TRY(rc);
    if (rill__process_is_exhausted(process))
        return rill__fail(RILL_ELIMIT, "process %d: given up, since its memory has no end",
                          process->pid);
    if (opts->task && printer.printed == 0)
        return rill__fail(RILL_ENOTFOUND, "process %d: it has no task '%s'", process->pid,
                          opts->task);
    return (ptrdiff_t)printer.printed;
}

ptrdiff_t rill_dump_with(const rill_dump_opts *given)
{
    rill_dump_opts opts;
    rill__opts_read(opts, given);
    rill__process process;
    int rc = rill__process_open(&process, opts.pid ? opts.pid : getpid());
    ptrdiff_t count = rc < 0 ? rc : print_process(&process, &opts);
    rill__process_close(&process);
    return count;
}

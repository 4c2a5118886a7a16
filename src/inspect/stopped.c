/* Where a thread of another process is while it runs: it is stopped for the moment of the look. */
#include "inspect/inspect_internal.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A thread that the kernel cannot stop in that time is left alone. */
#define TRIES 500
#define TRY_NS 1000000

/* The number comes from the process's memory: it must be a thread of it. */
static bool is_thread_of(int pid, int thread_id)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d", pid, thread_id);
    return thread_id > 0 && access(path, F_OK) == 0;
}

/* It may stop because a signal comes just then: *ret_signal, which it must be given as it goes on,
 * else 0. */
static bool stop(int thread_id, int *ret_signal)
{
    if (ptrace(PTRACE_SEIZE, thread_id, NULL, NULL) < 0)
        return false;
    ptrace(PTRACE_INTERRUPT, thread_id, NULL, NULL);
    for (int i = 0; i < TRIES; i++) {
        int status;
        if (waitpid(thread_id, &status, __WALL | WNOHANG) == thread_id) {
            bool stopped = WIFSTOPPED(status);
            *ret_signal = stopped && status >> 16 == 0 ? WSTOPSIG(status) : 0;
            return stopped;
        }
        /* lint: allow nanosleep: this is for programs that look, not for tasks */
        nanosleep(&(struct timespec){ .tv_nsec = TRY_NS }, NULL);
    }
    return false;
}

static bool read_registers(int thread_id, rill__registers *registers)
{
    *registers = (rill__registers){ .exact = true };
#if defined(__x86_64__)
    struct user_regs_struct raw;
    struct iovec iov = { &raw, sizeof raw };
    if (ptrace(PTRACE_GETREGSET, thread_id, (void *)NT_PRSTATUS, &iov) < 0)
        return false;
    const uint64_t order[] = { raw.rax, raw.rdx, raw.rcx, raw.rbx, raw.rsi, raw.rdi,
                               raw.rbp, raw.rsp, raw.r8,  raw.r9,  raw.r10, raw.r11,
                               raw.r12, raw.r13, raw.r14, raw.r15 };
    size_t count = sizeof order / sizeof order[0];
    memcpy(registers->value, order, sizeof order);
    registers->pc = raw.rip;
#elif defined(__aarch64__)
    struct user_regs_struct raw;
    struct iovec iov = { &raw, sizeof raw };
    if (ptrace(PTRACE_GETREGSET, thread_id, (void *)NT_PRSTATUS, &iov) < 0)
        return false;
    size_t count = 31;
    memcpy(registers->value, raw.regs, count * sizeof raw.regs[0]);
    rill__registers_set_sp(registers, raw.sp);
    registers->pc = raw.pc;
#endif
    registers->known |= (UINT64_C(1) << count) - 1;
    return true;
}

size_t rill__frames_of_thread(rill__process *process, int thread_id, const uint64_t bounds[2],
                              rill_frame *frames, size_t max)
{
    rill__registers registers;
    size_t count = 0;
    int number = 0;
    if (!is_thread_of(process->pid, thread_id) || !stop(thread_id, &number))
        return 0;
    rill__process_forget(process);
    if (read_registers(thread_id, &registers))
        count = rill__unwind(process, &registers, bounds, frames, max);
    ptrace(PTRACE_DETACH, thread_id, NULL, (void *)(intptr_t)number);
    return count;
}

/*
 * Where a thread of this process is. One that runs is sent a signal, whose handler copies the
 * registers and the innermost part of the stack: all the rest is done by who asked. One that waits
 * in a system call is not disturbed, since the call might end by it: the kernel tells its stack
 * pointer.
 *
 * The signal is SIGURG: by default it does nothing, so a late one is harmless, and hardly a program
 * uses it. One that does keeps its own handler, and its threads are not asked.
 */
#include "inspect/observer.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define COPIED ((size_t)64 << 10)
#define PATIENCE_NS (RILL__SECOND / 2)

/* Else the number of the thread that is asked. */
enum { IDLE = 0, TAKING = -1 };

static struct {
    _Atomic int state;
    int memory; /* of this process */
    bool handles;
    rill__registers registers;
    uint64_t from;
    size_t len;
    char *bytes;
    sem_t done;
} capture;

static void on_look(int number, siginfo_t *info, void *context)
{
    int error = errno, wanted = gettid();
    (void)number;
    (void)info;
    if (atomic_compare_exchange_strong(&capture.state, &wanted, TAKING)) {
        rill__registers_of_context(&capture.registers, context);
        capture.from = rill__registers_sp(&capture.registers);
        /* lint: allow pread: this file of the kernel's never has to wait */
        ssize_t len = pread(capture.memory, capture.bytes, COPIED, (off_t)capture.from);
        capture.len = len > 0 ? (size_t)len : 0;
        atomic_store(&capture.state, IDLE);
        sem_post(&capture.done);
    }
    errno = error;
}

void rill__capture_on(void)
{
    struct sigaction now,
        ours = { .sa_sigaction = on_look, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    sigemptyset(&ours.sa_mask);
    if (capture.bytes) /* it was on in the process that this one is a fork of */
        rill__capture_off();
    sem_init(&capture.done, 0, 0);
    capture.state = IDLE;
    capture.memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    capture.bytes = rill__alloc(COPIED);
    sigaction(SIGURG, NULL, &now);
    bool free_to_use = !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
    capture.handles =
        free_to_use && capture.bytes && capture.memory >= 0 && sigaction(SIGURG, &ours, NULL) == 0;
}

void rill__capture_off(void)
{
    struct sigaction now;
    sigaction(SIGURG, NULL, &now);
    if (capture.handles && now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_look)
        signal(SIGURG, SIG_DFL);
    capture.handles = false;
    if (capture.memory >= 0)
        close(capture.memory);
    rill__free(capture.bytes);
    capture.bytes = NULL;
    sem_destroy(&capture.done);
}

/* Waits for the handler. Once it has begun it will end. */
static bool await_handler(int thread_id)
{
    uint64_t at = rill__clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    struct timespec until = { (time_t)(at / RILL__SECOND), (long)(at % RILL__SECOND) };
    while (sem_clockwait(&capture.done, CLOCK_MONOTONIC, &until) < 0) {
        int wanted = thread_id;
        if (errno == ETIMEDOUT && atomic_compare_exchange_strong(&capture.state, &wanted, IDLE))
            return false;
        if (errno == ETIMEDOUT) {
            sem_wait(&capture.done);
            break;
        }
    }
    return atomic_load(&capture.state) == IDLE;
}

static bool ask(int thread_id)
{
    struct sigaction now;
    sigaction(SIGURG, NULL, &now);
    if (!capture.handles || !(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_look)
        return false;
    atomic_store(&capture.state, thread_id);
    if (rill__loop_signal(thread_id, SIGURG))
        return await_handler(thread_id);
    atomic_store(&capture.state, IDLE);
    return false;
}

/* ---- threads in system calls ---- */

/* "232 0x7 … SP PC", or "running". */
static bool read_blocked(int thread_id, uint64_t *ret_sp, uint64_t *ret_pc)
{
    char path[64];
    long number = -1;
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", thread_id);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    int found =
        fscanf(file, "%ld %*s %*s %*s %*s %*s %*s %" SCNx64 " %" SCNx64, &number, ret_sp, ret_pc);
    fclose(file);
    return found == 3 && number >= 0;
}

bool rill__thread_is_blocked(int thread_id)
{
    uint64_t sp, pc;
    return read_blocked(thread_id, &sp, &pc);
}

size_t rill__capture(rill__process *process, int thread_id, rill_frame *frames, size_t max,
                     const char **ret_why)
{
    rill__registers registers = { .exact = true };
    uint64_t sp = 0;
    if (read_blocked(thread_id, &sp, &registers.pc)) {
        rill__registers_set_sp(&registers, sp);
        const uint64_t bounds[] = { sp, sp + COPIED };
        return rill__unwind(process, &registers, bounds, frames, max);
    }
    if (!ask(thread_id)) {
        *ret_why = capture.handles ? "the thread did not say where it is"
                                   : "SIGURG is the program's own: its calls cannot be shown";
        return 0;
    }
    const uint64_t bounds[] = { capture.from, capture.from + capture.len };
    process->copy_from = capture.from;
    process->copy_len = capture.len;
    process->copy = capture.bytes;
    registers = capture.registers;
    size_t count = rill__unwind(process, &registers, bounds, frames, max);
    process->copy = NULL;
    return count;
}

/*
 * Signals while a loop runs: SIGINT and SIGTERM ask its first task to end, once; and SIGSEGV in the
 * guard of the running task's stack says so before the process dies as it would have.
 *
 * The stop signals are claimed by the first loop of the process only, over the default action only:
 * a program that handles them itself keeps its own, and one that watches them (rill/signal.h) gets
 * them instead.
 */
#include "base/alloc.h"
#include "runtime/runtime_internal.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static _Atomic(rill__loop *) signal_loop; /* the loop that is told, or NULL */
static _Atomic int stop_signal;           /* any thread may get it */
static const int stop_signals[] = { SIGINT, SIGTERM };
static bool claimed[2];

static void on_stop(int number)
{
    rill__loop *loop = signal_loop;
    int none = 0;
    if (!loop || !atomic_compare_exchange_strong(&stop_signal, &none, number)) {
        /* The second one: somebody is in a hurry. */
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    loop->driver->ops->wake(loop->driver);
}

/* In the child of a fork the claims are gone (signal_watch.c), and so are other threads' loops. */
static void forget(void)
{
    claimed[0] = claimed[1] = false;
    if (signal_loop != rill__this_loop)
        signal_loop = NULL;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget);
}

void rill__signals_install(rill__loop *loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    rill__loop *nobody = NULL;
    pthread_once(&once, watch_forks);
    if (!atomic_compare_exchange_strong(&signal_loop, &nobody, loop))
        return;
    stop_signal = 0;
    for (int i = 0; i < 2; i++)
        claimed[i] = rill__signal_claim(stop_signals[i], on_stop);
}

void rill__signals_restore(void)
{
    if (signal_loop != rill__this_loop)
        return;
    for (int i = 0; i < 2; i++)
        if (claimed[i])
            rill__signal_unclaim(stop_signals[i]);
    signal_loop = NULL;
}

int rill__signals_pending(void)
{
    return signal_loop == rill__this_loop ? stop_signal : 0;
}

void rill__signals_to_block(sigset_t *ret_signals)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGURG };
    sigfillset(ret_signals);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(ret_signals, own[i]);
}

/* ---- stack overflow ---- */

#ifdef RILL__ASAN
/* The sanitizer reports overflows itself. */
void rill__overflow_guard_enter(void)
{
}

void rill__overflow_guard_leave(void)
{
}
#else

#define ALT_STACK_SIZE ((size_t)64 << 10)

/* The first loop installs the handlers and the last one takes them away: one at a time, else one
 * that begins as another ends would take ours for the program's. */
static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER;
static int guarded_loops;
static struct sigaction old_segv, old_bus;
static __thread void *alt_stack;
static __thread stack_t old_alt_stack; /* the user's, perhaps */

/* Async-signal-safe text building: a fixed buffer, cut when full. */
struct line {
    char text[300];
    size_t len;
};

static void add(struct line *line, const char *text)
{
    size_t len = strlen(text);
    size_t room = sizeof line->text - line->len;
    len = len < room ? len : room;
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void add_number(struct line *line, size_t number)
{
    char digits[24] = { 0 };
    size_t at = sizeof digits - 1;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    add(line, digits + at);
}

static void tell_overflow(const rill__task *task)
{
    struct line line = { .len = 0 };
    add(&line, "rill: task '");
    add(&line, task->name);
    add(&line, "'");
    if (task->file) {
        add(&line, " (");
        add(&line, task->file);
        add(&line, ":");
        add_number(&line, (size_t)task->line);
        add(&line, ")");
    }
    add(&line, " overflowed its stack of ");
    add_number(&line, rill__stack_size(task->stack) >> 10);
    add(&line, " KiB: spawn what is so deep with a larger one, .stack = ");
    add_number(&line, rill__stack_size(task->stack) * 4 >> 10);
    add(&line, " << 10\n");
    ssize_t n = write(STDERR_FILENO, line.text, line.len);
    (void)n;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    const rill__loop *loop = rill__this_loop;
    const rill__task *task = loop ? loop->current : NULL;
    if (task && rill__stack_overflowed(task->stack, info->si_addr))
        tell_overflow(task);
    /* The access is done again, and meets whoever handled the signal before us. */
    sigaction(number, number == SIGSEGV ? &old_segv : &old_bus, NULL);
    if (info->si_code <= 0) /* there was none: somebody sent the signal */
        raise(number);
}

static void reset_in_child(void)
{
    pthread_mutex_init(&guard_lock, NULL);
}

static void watch_guard_forks(void)
{
    pthread_atfork(NULL, NULL, reset_in_child);
}

void rill__overflow_guard_enter(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_guard_forks);
    alt_stack = rill__alloc(ALT_STACK_SIZE);
    if (!alt_stack)
        return;
    stack_t stack = { .ss_sp = alt_stack, .ss_size = ALT_STACK_SIZE };
    sigaltstack(&stack, &old_alt_stack);
    pthread_mutex_lock(&guard_lock);
    if (guarded_loops++ == 0) {
        struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
        sigemptyset(&action.sa_mask);
        sigaction(SIGSEGV, &action, &old_segv);
        sigaction(SIGBUS, &action, &old_bus);
    }
    pthread_mutex_unlock(&guard_lock);
}

void rill__overflow_guard_leave(void)
{
    if (!alt_stack)
        return;
    pthread_mutex_lock(&guard_lock);
    if (--guarded_loops == 0) {
        sigaction(SIGSEGV, &old_segv, NULL);
        sigaction(SIGBUS, &old_bus, NULL);
    }
    pthread_mutex_unlock(&guard_lock);
    sigaltstack(&old_alt_stack, NULL);
    rill__free(alt_stack);
    alt_stack = NULL;
}
#endif

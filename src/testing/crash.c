/*
 * The seed of a run that crashes: said by a handler, before the signal does what it would have
 * done. Handlers are put over the default action only; the library's own, for stack overflows,
 * chains to them.
 */
#include "testing/testing_internal.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const int fatal[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
#define FATAL_COUNT (sizeof fatal / sizeof fatal[0])

static bool replaced[FATAL_COUNT];
static char line[64];

static void say(int number)
{
    /* lint: allow write: nothing else may be left that could. */
    ssize_t n = write(STDERR_FILENO, line, strlen(line));
    (void)n;
    signal(number, SIG_DFL); /* the access, or the abort, is done again */
    if (number == SIGABRT)
        raise(number);
}

/* By hand: the handler must not format. */
static void write_line(uint64_t seed)
{
    static const char text[] = "test: crashed: run again with RILL_SEED=0x";
    char *at = line + sizeof text - 1;
    memcpy(line, text, sizeof text);
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[seed >> shift & 15];
    *at++ = '\n';
    *at = '\0';
}

void rill__test_crash_begin(uint64_t seed)
{
    write_line(seed);
    for (size_t i = 0; i < FATAL_COUNT; i++) {
        struct sigaction old, action = { .sa_handler = say, .sa_flags = SA_ONSTACK };
        sigaction(fatal[i], NULL, &old);
        replaced[i] = !(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL;
        if (replaced[i])
            sigaction(fatal[i], &action, NULL);
    }
}

void rill__test_crash_end(void)
{
    for (size_t i = 0; i < FATAL_COUNT; i++)
        if (replaced[i])
            signal(fatal[i], SIG_DFL);
}

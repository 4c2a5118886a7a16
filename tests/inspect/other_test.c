/* Processes that are looked at from outside, and that do not mean well: what they say leads
 * nowhere, or without end, and would speak to the terminal. */
#include "child.h"
#include "seen.h"

#include "inspect/inspect_internal.h"

#include <rill/debug.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

/* ---- a child that runs until it is killed ---- */

struct looked_at {
    pid_t pid;
    char said[4096]; /* what a look at it has given */
    int rc;
};

static pid_t start(void (*prepare)(void))
{
    int ready[2];
    char byte;
    if (pipe(ready) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        prepare();
        close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) < 0)
        return -1;
    close(ready[0]);
    return pid;
}

static void stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static struct looked_at look(void (*prepare)(void))
{
    struct looked_at seen = { .pid = start(prepare) };
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    seen.rc = (int)rill_dump_process(seen.pid, .out = out, .backtraces = true, .limit = 10);
    fclose(out);
    snprintf(seen.said, sizeof seen.said, "%s", text);
    free(text);
    stop(seen.pid);
    return seen;
}

/* ---- layouts and loops that are made up ---- */

static struct rill_debug_layout *own_layout(void)
{
    uintptr_t page = (uintptr_t)&rill_debug_layout & ~(uintptr_t)4095;
    mprotect((void *)page, 8192, PROT_READ | PROT_WRITE);
    return (struct rill_debug_layout *)(uintptr_t)&rill_debug_layout;
}

static uint64_t made_up[512];

/* A loop that lies in made_up, each of whose fields is a word of it. */
static struct rill_debug_layout *make_up_loop(void)
{
    struct rill_debug_layout *layout = own_layout();
    static const void *first = made_up;
    static const char *const driver_name = "dri\033]0;ver\007";
    static const void *const ops = &driver_name;
    layout->loops = &first;
    layout->loop = (struct rill_debug_loop){ .next = 0,
                                             .driver = 8,
                                             .slots = 16,
                                             .slot_count = 24,
                                             .task_count = 32,
                                             .thread_id = 40,
                                             .polling = 48,
                                             .turns = 48,
                                             .now = 48,
                                             .current = 48,
                                             .measure = 48 };
    made_up[1] = (uint64_t)(uintptr_t)&ops;
    return layout;
}

static void offsets_beyond(void)
{
    own_layout()->scope.shield = UINT32_MAX;
}

TEST(offsets_beyond_their_struct_are_no_layout)
{
    struct looked_at seen = look(offsets_beyond);
    CHECK_INT(seen.rc, RILL_ENOTFOUND);
}

static void loops_in_a_ring(void)
{
    make_up_loop();
    made_up[0] = (uint64_t)(uintptr_t)made_up;
    made_up[2] = (uint64_t)(uintptr_t)made_up;
    made_up[3] = UINT32_MAX; /* slots, of which the last do not exist */
    made_up[4] = UINT64_MAX; /* tasks */
}

TEST(loops_without_end_come_to_one)
{
    time_t began = time(NULL);
    struct looked_at seen = look(loops_in_a_ring);
    CHECK(seen.rc >= 0 && seen.rc <= 1);
    CHECK_CONTAINS(seen.said, "loop of thread 0 (dri\\x1b]0;ver\\x07), runs: ");
    CHECK(time(NULL) - began < 20);
}

static void versions_that_speak(void)
{
    struct rill_debug_layout *layout = own_layout();
    layout->version = 99;
    memcpy(layout->library, "1\033[2J2", 6);
}

TEST(a_version_cannot_speak_to_the_terminal)
{
    struct looked_at seen = look(versions_that_speak);
    CHECK_INT(seen.rc, RILL_EUNSUPPORTED);
    CHECK(!strchr(rill_last_error()->message, '\033'));
}

TEST(what_is_read_is_bounded)
{
    rill__process process;
    uint64_t word = 7;
    CHECK_INT(rill__process_open(&process, getpid()), 0);
    process.reads_left = 3;
    CHECK_INT(rill__process_u64(&process, (uint64_t)(uintptr_t)&word), 7);
    CHECK_INT(rill__process_u64(&process, (uint64_t)(uintptr_t)&word), 7);
    CHECK(!rill__process_is_exhausted(&process));
    CHECK_INT(rill__process_u64(&process, (uint64_t)(uintptr_t)&word), 0);
    CHECK(rill__process_is_exhausted(&process));
    rill__process_bound(&process, 1);
    CHECK_INT(rill__process_u64(&process, (uint64_t)(uintptr_t)&word), 7);
    rill__process_close(&process);
}

/* ---- text ---- */

static int wait_long(void *arg)
{
    (void)arg;
    return rill_sleep(30);
}

TASK_TEST(names_cannot_speak_to_the_terminal)
{
    (void)arg;
    static const char name[] = "a\033[31m\n\x7f\xc2\x9b\xff\xc3\xa4";
    rill_task task = rill_spawn(wait_long, NULL, .name = name);
    rill_sleep(0);
    rill_cancel(task, .reason = "no\a");
    char *text = DUMP(0);
    CHECK_CONTAINS(text, "a\\x1b[31m\\x0a\\x7f\\xc2\\x9b\\xff\xc3\xa4 #1.1 (");
    CHECK_CONTAINS(text, "; cancelled: no\\x07");
    free(text);
    rill_join(task);
    return 0;
}

/* ---- files ---- */

TEST(something_else_in_the_place_of_a_file_does_not_keep_us)
{
    rill__process process;
    rill_frame frame = { .pc = (uint64_t)(uintptr_t)look, .exact = true };
    char fifo[64];
    snprintf(fifo, sizeof fifo, "/tmp/rill-other-%d", getpid());
    CHECK_INT(mkfifo(fifo, 0600), 0);
    CHECK_INT(rill__process_open(&process, getpid()), 0);
    rill__module *module = rill__module_at(&process, frame.pc);
    snprintf(module->path, sizeof module->path, "%s", fifo);
    alarm(10);
    rill__symbolize(&process, &frame);
    alarm(0);
    CHECK_STR(frame.function, "");
    rill__process_close(&process);
    unlink(fifo);
}

TEST(a_file_that_was_cut_short_has_no_names)
{
    rill__process process;
    rill_frame frame = { .pc = (uint64_t)(uintptr_t)look, .exact = true };
    char command[200], copy[64];
    snprintf(copy, sizeof copy, "/tmp/rill-other-%d", getpid());
    snprintf(command, sizeof command, "head -c 5000 /proc/%d/exe > %s", getpid(), copy);
    CHECK_INT(system(command), 0);
    CHECK_INT(rill__process_open(&process, getpid()), 0);
    rill__module *module = rill__module_at(&process, frame.pc);
    snprintf(module->path, sizeof module->path, "%s", copy);
    rill__symbolize(&process, &frame);
    CHECK_STR(frame.function, "");
    rill__process_close(&process);
    unlink(copy);
}

/* ---- looking at a thread ---- */

#define SIGNALS 1000

static int counter[2];

static void count_one(int number)
{
    (void)number;
    if (write(counter[1], "x", 1) < 0)
        _exit(1);
}

static void count_signals(void)
{
    signal(SIGRTMIN, count_one);
}

/* Such signals are queued, so that each counts. */
static pid_t send_signals(pid_t to)
{
    pid_t pid = fork();
    for (int i = 0; pid == 0 && i < SIGNALS; i++) {
        sigqueue(to, SIGRTMIN, (union sigval){ 0 });
        usleep(20);
    }
    if (pid == 0)
        _exit(0);
    return pid;
}

TEST(a_signal_that_comes_while_a_thread_is_looked_at_is_not_lost)
{
    rill__process process;
    char bytes[SIGNALS + 1];
    CHECK_INT(pipe(counter), 0);
    pid_t pid = start(count_signals);
    const uint64_t bounds[] = { 0, UINT64_MAX };
    CHECK_INT(rill__process_open(&process, pid), 0);
    pid_t sender = send_signals(pid);
    while (waitpid(sender, NULL, WNOHANG) == 0) {
        rill_frame frames[2];
        rill__frames_of_thread(&process, pid, bounds, frames, 2);
    }
    usleep(50000);
    CHECK_INT(read(counter[0], bytes, sizeof bytes), SIGNALS);
    rill__process_close(&process);
    stop(pid);
    close(counter[0]);
    close(counter[1]);
}

TEST(a_thread_of_another_process_is_not_touched)
{
    rill__process process;
    rill_frame frames[2];
    const uint64_t bounds[] = { 0, UINT64_MAX };
    pid_t pid = start(count_signals), other = start(count_signals);
    CHECK_INT(rill__process_open(&process, pid), 0);
    CHECK_INT(rill__frames_of_thread(&process, other, bounds, frames, 2), 0);
    rill__process_close(&process);
    stop(pid);
    stop(other);
}

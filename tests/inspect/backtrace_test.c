/* Backtraces of tasks, by what the programs say of their frames: on both processors. */
#include "seen.h"

__attribute__((noinline)) static int third_call(int n)
{
    int rc = rill_sleep(30);
    __asm__ volatile("" ::"r"(n));
    return rc;
}

__attribute__((noinline)) static int second_call(int n)
{
    volatile char room[300];
    room[n] = 1;
    return third_call(n + room[n]) + room[n] - 1;
}

static int first_call(void *arg)
{
    return second_call(*(int *)arg) + 0 * *(int *)arg;
}

/* Where a function stands among the frames, or -1. */
static ptrdiff_t frame_of(const rill_frame *frames, ptrdiff_t count, const char *function)
{
    for (ptrdiff_t i = 0; i < count; i++)
        if (strncmp(frames[i].function, function, strlen(function)) == 0)
            return i;
    return -1;
}

TASK_TEST(a_sleeping_task_tells_its_calls)
{
    (void)arg;
    rill_frame frames[32];
    rill_task task = rill_spawn(first_call, &(int){ 3 });
    ptrdiff_t count = rill_task_backtrace(task, frames, 32);
    CHECK(count <= 1); /* it has not begun */
    rill_sleep(0);
    count = rill_task_backtrace(task, frames, 32);
    ptrdiff_t third = frame_of(frames, count, "third_call");
    CHECK(third > 0);
    CHECK(frame_of(frames, count, "rill_sleep") == third - 1);
    CHECK(frame_of(frames, count, "second_call") == third + 1);
    CHECK_CONTAINS(frames[third].module, "backtrace");
    CHECK(frames[third].offset > 0 && frames[third].offset < 4096);
    CHECK_INT(rill_task_backtrace(task, frames, 2), 2);
    char *text = DUMP(.task = "task"), line[512];
    CHECK_CONTAINS(text, "waits: sleep");
    CHECK_CONTAINS(line_with(text, "third_call", line), "backtrace)");
    CHECK(!strstr(text, "main #"));
    free(text);
    rill_cancel(task);
    rill_join(task);
    CHECK_INT(rill_task_backtrace(task, frames, 32), RILL_ESTALE);
    CHECK_INT(rill_task_backtrace((rill_task){ 0 }, frames, 32), RILL_ESTALE);
    return 0;
}

__attribute__((noinline)) static ptrdiff_t look_at_myself(rill_frame *frames)
{
    ptrdiff_t count = rill_task_backtrace(rill_self(), frames, 32);
    __asm__ volatile("" ::: "memory");
    return count;
}

TASK_TEST(the_calling_task_tells_its_own)
{
    (void)arg;
    rill_frame frames[32];
    ptrdiff_t count = look_at_myself(frames);
    CHECK(count >= 2);
    CHECK_INT(frame_of(frames, count, "look_at_myself"), 0);
    CHECK_INT(frame_of(frames, count, "body_"), 1);
    return 0;
}

/* What the runtime tells of tasks unasked: failures nobody joined, deadlocks, tasks that stay. */
#include "runtime/runtime_internal.h"

#include <rill/log.h>
#include <stdio.h>

/* So many tasks are listed by name. */
#define LISTED_MAX 10

const char *rill__place_words(char text[RILL__PLACE_SIZE], const char *file, int line)
{
    text[0] = '\0';
    if (file)
        snprintf(text, RILL__PLACE_SIZE, " (%s:%d)", file, line);
    return text;
}

/* The same of a task. */
static const char *place_of(const rill__task *task, char text[RILL__PLACE_SIZE])
{
    return rill__place_words(text, task->file, task->line);
}

void rill__report_unjoined(const rill__task *task)
{
    if (task->result >= 0 || task->result == RILL_ECANCELED)
        return;
    const char *message = task->error ? task->error->message : rill_code_text(task->result);
    char place[RILL__PLACE_SIZE];
    rill_log(RILL_LOG_ERROR, "task", "'%s'%s failed and nobody joined it: %s", task->name,
             place_of(task, place), message);
}

void rill__report_holding(const rill__task *task)
{
    unsigned count = task->locks + task->held_count;
    char place[RILL__PLACE_SIZE];
    rill_log(RILL_LOG_ERROR, "task", "'%s'%s exited holding %u %s: nobody else can unlock %s",
             task->name, place_of(task, place), count, count == 1 ? "lock" : "locks",
             count == 1 ? "it" : "them");
}

void rill__report_ignored(const rill__task *task, const char *what, unsigned times)
{
    char calls[1500] = "", place[RILL__PLACE_SIZE];
    if (rill__inspector_of_all)
        rill__inspector_of_all->word_calls(calls, sizeof calls);
    rill_log(RILL_LOG_WARN, "task", "'%s'%s ignores that it is cancelled: %s tried %u times%s",
             task->name, place_of(task, place), what, times, calls);
}

void rill__report_left(const rill__loop *loop)
{
    if (!loop->watches_births)
        return;
    rill__list_each(node, &loop->background) {
        const rill__task *task = rill__container(node, rill__task, sibling);
        char place[RILL__PLACE_SIZE];
        rill_log(RILL_LOG_WARN, "leak", "task '%s'%s still ran when the first one ended",
                 task->name, place_of(task, place));
    }
}

/* Whom the task waits for, in its own words: " 'fetch'"; "" when that is no task. */
static void word_subject(const rill__task *task, char text[48])
{
    const rill__task *other = NULL;
    text[0] = '\0';
    if (task->subject_kind == RILL__SUBJECT_TASK)
        other = task->subject;
    else if (task->subject_kind == RILL__SUBJECT_OWNER)
        other = rill__task_find((rill_task){ *(const uint64_t *)task->subject });
    if (other)
        snprintf(text, 48, " %s'%s'", task->subject_kind == RILL__SUBJECT_OWNER ? "of " : "",
                 other->name);
}

/* Writes who waits for what: "'main' for join 'fetch', 'fetch' (a.c:7) for recv and 12 more". */
static void list_tasks(const rill__loop *loop, char *text, size_t size)
{
    size_t used = 0, listed = 0, parked = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < loop->slot_count; i++) {
        const rill__task *task = loop->slots[i].task;
        if (!task || task->state != RILL__PARKED || ++parked > LISTED_MAX)
            continue;
        char subject[48], place[RILL__PLACE_SIZE];
        word_subject(task, subject);
        int len = snprintf(text + used, size - used, "%s'%s'%s for %s%s", used ? ", " : "",
                           task->name, place_of(task, place), task->what, subject);
        if (len < 0 || (size_t)len >= size - used)
            break;
        used += (size_t)len;
        listed++;
    }
    if (parked > listed)
        snprintf(text + used, size - used, " and %zu more", parked - listed);
}

static void show_tasks(void)
{
    if (rill__inspector_of_all)
        rill__inspector_of_all->show_tasks();
}

void rill__report_survivors(const rill__loop *loop)
{
    char text[1500];
    list_tasks(loop, text, sizeof text);
    rill_log(RILL_LOG_WARN, "loop", "it has ended, and tasks of it still wait: %s", text);
    show_tasks();
}

/* Whether a task sleeps with no end: then a signal is what it waits for. */
static bool somebody_sleeps(const rill__loop *loop)
{
    for (uint32_t i = 0; i < loop->slot_count; i++) {
        const rill__task *task = loop->slots[i].task;
        if (task && task->state == RILL__PARKED && strcmp(task->what, "sleep") == 0)
            return true;
    }
    return false;
}

void rill__tell_deadlock(rill__loop *loop)
{
    if (loop->deadlock_told)
        return;
    loop->deadlock_told = true;
    char text[1500];
    list_tasks(loop, text, sizeof text);
    rill_log(RILL_LOG_ERROR, "loop",
             "deadlock: no timer is set, no I/O under way, and all wait: %s", text);
    show_tasks();
}

void rill__report_deadlock(rill__loop *loop)
{
    if (loop->deadlock_told || loop->driver->pending > 0)
        return;
    if (rill__others_may_call(loop) || somebody_sleeps(loop))
        return;
    rill__tell_deadlock(loop);
}

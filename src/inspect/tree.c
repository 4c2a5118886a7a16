/* The tree of tasks as text: lines for people, or JSON. */
#include "inspect/inspect_internal.h"

#include <inttypes.h>

#define FRAMES_MAX 64

/* ---- text of the process's ---- */

/* How many bytes of valid UTF-8 beyond ASCII begin here, or 0. */
static int utf8_length(const unsigned char *at)
{
    int more = at[0] >= 0xc2 && at[0] < 0xe0   ? 1
               : at[0] >= 0xe0 && at[0] < 0xf0 ? 2
               : at[0] >= 0xf0 && at[0] < 0xf5 ? 3
                                               : 0;
    for (int i = 1; i <= more; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool outside = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return more == 0 || overlong || outside ? 0 : more + 1;
}

/* Writes it such that it cannot speak to the terminal: control characters, and what is no text, by
 * their numbers. */
static void put_text(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        int len = utf8_length(at);
        bool control = at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
        if (control || (at[0] >= 0x80 && len == 0))
            fprintf(out, "\\x%02x", *at++);
        else if (len == 0)
            fputc(*at++, out);
        else
            for (; len > 0; len--)
                fputc(*at++, out);
    }
}

/* ---- lines ---- */

static void print_frames(FILE *out, const rill_frame *frames, size_t count, int indent)
{
    for (size_t i = 0; i < count; i++) {
        const rill_frame *frame = &frames[i];
        fprintf(out, "%*s", indent, "");
        put_text(out, frame->function[0] ? frame->function : frame->module);
        if (frame->module[0])
            fprintf(out, "+0x%" PRIx64, frame->offset);
        else
            fprintf(out, "0x%" PRIx64, frame->pc);
        if (frame->function[0]) {
            fputs(" (", out);
            put_text(out, frame->module);
            fputc(')', out);
        }
        fputc('\n', out);
    }
}

void rill_frames_print(FILE *out, const rill_frame *frames, size_t count)
{
    print_frames(out, frames, count, 4);
}

static void print_site(FILE *out, const rill__seen_task *task)
{
    char id[24];
    rill__task_id_text(task->id, id);
    put_text(out, task->name);
    fprintf(out, " #%s", id);
    if (task->file[0]) {
        fputs(" (", out);
        put_text(out, task->file);
        fprintf(out, ":%d%s)", task->line, task->group ? ", in a group" : "");
    } else if (task->group)
        fputs(" (in a group)", out);
}

static void print_state(FILE *out, const rill__seen_task *task)
{
    static const char *const words[] = { ", ready", ", running",
                                         ", waits: ", ", ended, not joined" };
    fputs(words[task->state], out);
    if (task->state != RILL_DEBUG_WAITING)
        return;
    put_text(out, task->what);
    fputs(task->subject_text[0] ? " " : "", out);
    put_text(out, task->subject_text);
    if (task->waiting >= 0)
        fprintf(out, ", %.1f s", task->waiting);
}

static void print_task(FILE *out, const rill__seen_task *task)
{
    print_site(out, task);
    print_state(out, task);
    if (task->has_deadline)
        fprintf(out, "; deadline in %.1f s", task->deadline);
    if (task->cancelled[0]) {
        fputs("; cancelled: ", out);
        put_text(out, task->cancelled);
    }
    if (task->cpu >= 0)
        fprintf(out, "; cpu %.1f ms", task->cpu * 1e3);
    if (task->stack_used >= 0)
        fprintf(out, "; stack %" PRId64 " of %" PRIu64 " KiB", task->stack_used >> 10,
                (task->stack_top - task->stack_bottom + 1023) >> 10);
    fputc('\n', out);
}

/* ---- JSON ---- */

static void json_text(FILE *out, const char *key, const char *text)
{
    fprintf(out, "\"%s\":\"", key);
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        int len = utf8_length(at);
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < 0x20)
            fprintf(out, "\\u%04x", *at);
        else if (*at < 0x80)
            fputc(*at, out);
        else if (len > 0)
            fwrite(at, 1, (size_t)len, out);
        else
            fputs("\\ufffd", out);
        at += len > 0 ? len : 1;
    }
    fputc('"', out);
}

static void json_seconds(FILE *out, const char *key, bool known, double seconds)
{
    if (known)
        fprintf(out, ",\"%s\":%.6f", key, seconds);
    else
        fprintf(out, ",\"%s\":null", key);
}

static void json_frames(FILE *out, const rill_frame *frames, size_t count)
{
    fputs(",\"backtrace\":[", out);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ",{" : "{", out);
        json_text(out, "function", frames[i].function);
        fputc(',', out);
        json_text(out, "module", frames[i].module);
        fprintf(out, ",\"offset\":%" PRIu64 ",\"pc\":\"0x%" PRIx64 "\"}", frames[i].offset,
                frames[i].pc);
    }
    fputc(']', out);
}

static void json_task(FILE *out, const rill__seen_loop *loop, const rill__seen_task *task)
{
    static const char *const states[] = { "ready", "running", "waiting", "ended" };
    char id[24];
    rill__task_id_text(task->id, id);
    json_text(out, "id", id);
    fputc(',', out);
    json_text(out, "name", task->name);
    if (task->above != RILL__NOBODY) {
        rill__task_id_text(loop->tasks[task->above].id, id);
        fprintf(out, ",\"parent\":\"%s\"", id);
    } else {
        fputs(",\"parent\":null", out);
    }
    fprintf(out, ",\"group\":%s,\"background\":%s,", task->group ? "true" : "false",
            task->detached ? "true" : "false");
    json_text(out, "file", task->file);
    fprintf(out, ",\"line\":%d,\"state\":\"%s\",", task->line, states[task->state]);
    json_text(out, "what", task->what);
    fputc(',', out);
    json_text(out, "subject", task->subject_text);
    json_seconds(out, "waiting_s", task->waiting >= 0, task->waiting);
    json_seconds(out, "deadline_s", task->has_deadline, task->deadline);
    fputc(',', out);
    json_text(out, "cancelled", task->cancelled);
    json_seconds(out, "cpu_s", task->cpu >= 0, task->cpu);
    fprintf(out, ",\"stack_used\":%" PRId64 ",\"stack_size\":%" PRIu64, task->stack_used,
            task->stack_top - task->stack_bottom);
}

/* ---- a loop ---- */

static size_t frames_of(const rill__printer *printer, const rill__seen_loop *loop,
                        const rill__seen_task *task, rill_frame *frames)
{
    if (task->state == RILL_DEBUG_RUNNING)
        return rill__running_frames(printer, loop, task, frames, FRAMES_MAX);
    if (task->state == RILL_DEBUG_ENDED)
        return 0;
    return rill__task_frames(printer->process, printer->layout, task, frames, FRAMES_MAX);
}

static bool is_wanted(const rill__printer *printer, const rill__seen_task *task)
{
    char id[24];
    if (!printer->only)
        return true;
    rill__task_id_text(task->id, id);
    return strcmp(printer->only, task->name) == 0 ||
           strcmp(printer->only + (printer->only[0] == '#'), id) == 0;
}

static void print_one(rill__printer *printer, const rill__seen_loop *loop,
                      const rill__seen_task *task, int depth)
{
    rill_frame frames[FRAMES_MAX];
    bool calls = printer->backtraces || printer->only;
    if (!is_wanted(printer, task))
        return;
    size_t count = calls ? frames_of(printer, loop, task, frames) : 0;
    if (printer->json) {
        fputs(printer->printed ? ",{" : "{", printer->out);
        json_task(printer->out, loop, task);
        if (calls)
            json_frames(printer->out, frames, count);
        fputc('}', printer->out);
    } else {
        int indent = printer->only ? 0 : depth * 2;
        fprintf(printer->out, "%*s", indent, "");
        print_task(printer->out, task);
        print_frames(printer->out, frames, count, indent + 4);
    }
    printer->printed++;
}

/* A task and all that belong to it, owners first. No recursion: the tree is as deep as it is. */
static void print_below(rill__printer *printer, const rill__seen_loop *loop, uint32_t top,
                        int depth)
{
    uint32_t at = top;
    int level = depth;
    for (;;) {
        const rill__seen_task *task = &loop->tasks[at];
        print_one(printer, loop, task, level < 40 ? level : 40);
        if (task->first_below != RILL__NOBODY) {
            at = task->first_below;
            level++;
            continue;
        }
        while (at != top && loop->tasks[at].next == RILL__NOBODY) {
            at = loop->tasks[at].above;
            level--;
        }
        if (at == top)
            return;
        at = loop->tasks[at].next;
    }
}

static void print_head(const rill__printer *printer, const rill__seen_loop *loop)
{
    if (printer->json) {
        fprintf(printer->out, "{\"thread\":%d,", loop->thread_id);
        json_text(printer->out, "driver", loop->driver);
        fprintf(printer->out,
                ",\"polling\":%s,\"turns\":%" PRIu64 ",\"task_count\":%" PRIu64 ",\"tasks\":[",
                loop->polling ? "true" : "false", loop->turns, loop->task_count);
        return;
    }
    if (printer->only)
        return;
    fprintf(printer->out, "loop of thread %d (", loop->thread_id);
    put_text(printer->out, loop->driver);
    fprintf(printer->out, "), %s: %" PRIu64 " task%s%s\n", loop->polling ? "waits for I/O" : "runs",
            loop->task_count, loop->task_count == 1 ? "" : "s",
            loop->measured ? "" : " (CPU time: from the first SIGUSR1 on, or with RILL_DEBUG=1)");
}

void rill__print_loop(rill__printer *printer, const rill__seen_loop *loop)
{
    size_t before = printer->printed;
    bool headed = false;
    print_head(printer, loop);
    printer->printed = 0;
    for (int background = 0; background < 2; background++)
        for (uint32_t i = 0; i < loop->count; i++) {
            const rill__seen_task *task = &loop->tasks[i];
            if (task->above != RILL__NOBODY || task->detached != background)
                continue;
            if (background && !headed && !printer->json && !printer->only)
                fputs("  background:\n", printer->out);
            headed = background;
            print_below(printer, loop, i, 1 + background);
        }
    if (printer->json)
        fputs("]}", printer->out);
    else if (loop->count < loop->task_count && !printer->only)
        fprintf(printer->out, "  and %" PRIu64 " more\n", loop->task_count - loop->count);
    printer->printed += before;
}

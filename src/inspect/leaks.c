/* With RILL_DEBUG=1: what a loop has made and nobody has freed, told as the loop ends. */
#include "inspect/observer.h"

#include "runtime/runtime.h"

#include <rill/log.h>
#include <unistd.h>

/* So many are told one by one. */
#define TOLD_MAX 20

struct telling {
    rill__process process;
    bool opened;
    size_t count;
};

/* Where it was made: the line, or else the function. */
static void word_site(struct telling *telling, const rill__birth *birth, char text[256])
{
    rill_frame frame = { .pc = (uint64_t)(uintptr_t)birth->pc };
    if (birth->file) {
        snprintf(text, 256, "%s:%d", birth->file, birth->line);
        return;
    }
    if (telling->opened)
        rill__symbolize(&telling->process, &frame);
    if (frame.function[0])
        snprintf(text, 256, "%s+0x%llx (%s)", frame.function, (unsigned long long)frame.offset,
                 frame.module);
    else
        snprintf(text, 256, "0x%llx", (unsigned long long)frame.pc);
}

static void tell(const rill__birth *birth, void *arg)
{
    struct telling *telling = arg;
    char site[256];
    if (telling->count == 0)
        telling->opened = rill__process_open(&telling->process, getpid()) == 0;
    if (++telling->count > TOLD_MAX)
        return;
    word_site(telling, birth, site);
    bool named = birth->name && birth->name[0];
    rill_log(RILL_LOG_WARN, "leak", "%s%s%s, made at %s, is still open as the loop ends",
             birth->kind, named ? " " : "", named ? birth->name : "", site);
}

void rill__leaks_tell(void)
{
    struct telling telling = { .count = 0 };
    rill__each_birth(tell, &telling);
    if (telling.count == 0)
        return;
    rill__process_close(&telling.process);
    if (telling.count > TOLD_MAX)
        rill_log(RILL_LOG_WARN, "leak", "and %zu more are still open", telling.count - TOLD_MAX);
}

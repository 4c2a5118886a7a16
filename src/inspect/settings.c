/* What is to be watched, from the program and from the environment; and where inspect hangs itself
 * into the runtime. */
#include "inspect/observer.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime.h"

#include <rill/log.h>
#include <rill/metrics.h>
#include <stdio.h>
#include <stdlib.h>

#define STALL_DEFAULT 0.1
#define FRAMES_MAX 24

static rill_inspect_opts given_opts;

int rill_inspect_with(const rill_inspect_opts *opts)
{
    rill_inspect_opts read;
    rill__opts_read(read, opts);
    if (read.stall < 0 && read.stall != RILL_FOREVER)
        return rill__fail(RILL_EINVAL, "inspect: a stall of %g s", read.stall);
    given_opts = read;
    return 0;
}

static bool is_off(const char *value)
{
    return strcmp(value, "0") == 0 || strcmp(value, "off") == 0 || strcmp(value, "no") == 0;
}

/* The environment is the operator's: it goes before what the program says. */
rill__settings rill__settings_now(void)
{
    const char *debug = getenv("RILL_DEBUG"), *dump = getenv("RILL_DUMP");
    const char *stall = getenv("RILL_STALL");
    double seconds = given_opts.stall == 0 ? STALL_DEFAULT : given_opts.stall;
    if (stall && *stall)
        seconds = is_off(stall) ? RILL_FOREVER : strtod(stall, NULL);
    return (rill__settings){
        .debug = debug && *debug ? !is_off(debug) : given_opts.debug,
        .dumps = dump && *dump ? !is_off(dump) : !given_opts.no_signal,
        .stall = seconds > 0 ? rill__seconds_ns(seconds) : RILL__NEVER,
    };
}

/* ---- hanging in ---- */

static void loop_began(void)
{
    rill__settings settings = rill__settings_now();
    if (settings.debug) {
        rill_measure(true);
        rill__watch_births();
    }
    rill__observer_begin(&settings);
}

static void loop_ends(void)
{
    rill__observer_end();
    rill__leaks_tell();
}

static void word_calls(char *text, size_t size)
{
    rill_frame frames[FRAMES_MAX];
    ptrdiff_t count = rill_task_backtrace(rill_self(), frames, FRAMES_MAX);
    text[size - 1] = '\0';
    FILE *out = count > 0 ? fmemopen(text, size - 1, "w") : NULL;
    if (!out)
        return;
    size_t kept = rill__drop_frames(frames, (size_t)count, "word_calls");
    fputs(", in\n", out);
    rill_frames_print(out, frames, kept);
    fclose(out);
    size_t len = strlen(text);
    if (len > 0) /* without the last line's end */
        text[len - 1] = '\0';
}

static void show_tasks(void)
{
    if (rill__settings_now().debug)
        rill_dump(.backtraces = true);
}

static const rill__inspector inspector = {
    .loop_began = loop_began,
    .loop_ends = loop_ends,
    .poke = rill__observer_poke,
    .word_calls = word_calls,
    .show_tasks = show_tasks,
};

__attribute__((constructor)) static void hang_in(void)
{
    rill__inspector_of_all = &inspector;
}

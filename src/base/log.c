/* The process's log: one sink, stderr unless the user gives another. */
#include <rill/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static rill_log_fn *sink;
static void *sink_arg;
static rill_log_level lowest = RILL_LOG_INFO;

void rill_log_to(rill_log_fn *fn, void *arg)
{
    sink = fn;
    sink_arg = arg;
}

void rill_log_level_set(rill_log_level level)
{
    lowest = level;
}

/* What is told may come from others, a peer perhaps, and must not speak to the terminal. */
static void drop_controls(char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < 0x20 && *text != '\n' && *text != '\t') || *text == 0x7f)
            *text = '?';
}

/* One write(2) a line, so that lines of several processes do not mix. */
static void to_stderr(const char *subsystem, const char *message)
{
    char line[2048];
    int len = snprintf(line, sizeof line, "rill %s: %s\n", subsystem, message);
    if (len >= (int)sizeof line) {
        len = (int)sizeof line - 1;
        line[len - 1] = '\n';
    }
    drop_controls(line);
    if (len > 0 && write(STDERR_FILENO, line, (size_t)len) < 0)
        return; /* nowhere left to say it */
}

void rill_log(rill_log_level level, const char *subsystem, const char *format, ...)
{
    if (level < lowest)
        return;
    char message[1900];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (sink)
        sink(sink_arg, level, subsystem, message);
    else
        to_stderr(subsystem, message);
}

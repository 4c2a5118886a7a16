/* rill ps: the tasks of a process that runs rill, from outside. */
#include "commands.h"
#include "options.h"

#include <rill/error.h>
#include <rill/inspect.h>
#include <stdlib.h>

/* The exit status when the process or the task is not there, or may not be read. */
#define EXIT_UNSEEN 3

static int show(const struct option_list *arguments, rill_dump_opts *opts)
{
    if (arguments->count != 1) {
        fputs("rill ps: it needs the number of a process\n", stderr);
        return EXIT_USAGE;
    }
    char *end = NULL;
    long pid = strtol(arguments->items[0], &end, 10);
    if (*end || pid <= 0 || pid > INT32_MAX) {
        fprintf(stderr, "rill ps: \"%s\" is not the number of a process\n", arguments->items[0]);
        return EXIT_USAGE;
    }
    opts->pid = (int)pid;
    if (rill_dump_with(opts) >= 0)
        return 0;
    fflush(stdout);
    fprintf(stderr, "rill ps: %s\n", rill_last_error()->message);
    return EXIT_UNSEEN;
}

int command_ps(int argc, char **argv)
{
    rill_dump_opts opts = { .size = sizeof opts, .out = stdout };
    long limit = 10000;
    const struct option_spec options[] = {
        { "where",
          'w',
          OPTION_TEXT,
          { .text = &opts.task },
          "TASK",
          "one task alone, by name or id, and the calls that it is in",
          0,
          0 },
        { "backtraces",
          'b',
          OPTION_FLAG,
          { .flag = &opts.backtraces },
          NULL,
          "the calls of every task as well",
          0,
          0 },
        { "json",
          'j',
          OPTION_FLAG,
          { .flag = &opts.json },
          NULL,
          "one JSON object instead of lines",
          0,
          0 },
        { "limit",
          'l',
          OPTION_INTEGER,
          { .integer = &limit },
          "N",
          "lists at most so many tasks of a loop",
          1,
          100000000 },
    };
    const struct command_spec command = {
        .name = "rill ps",
        .arguments = "PID",
        .summary = "shows the tasks of a running process, also when its loop is stuck",
        .notes = "The process must be one's own, or one must be root.\n"
                 "Exit status: 0, or 2 for a wrong command line, or 3 when it cannot be seen.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .arguments_max = 1,
    };
    struct option_list arguments = { 0 };
    int status = options_parse(&command, argc, argv, &arguments);
    opts.limit = (size_t)limit;
    if (status < 0)
        status = show(&arguments, &opts);
    option_list_free(&arguments);
    return status;
}

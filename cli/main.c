/* rill: the command. Its first word says which. */
#include "commands.h"
#include "options.h"

#include <rill/base.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    { "get", command_get, "fetches many URLs at once and says how each went" },
    { "ps", command_ps, "shows the tasks of a running process, even a stuck one" },
    { "watch", command_watch, "checks URLs on a schedule and serves a live page of them" },
};
#define COUNT (sizeof commands / sizeof commands[0])

static void print_help(FILE *out)
{
    fputs("usage: rill COMMAND [OPTION...] [ARGUMENT...]\n\ncommands:\n", out);
    for (size_t i = 0; i < COUNT; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\n  rill COMMAND --help says more of each; rill --version says which rill this is.\n",
          out);
}

static int unknown(const char *word)
{
    const char *names[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        names[i] = commands[i].name;
    const char *near = options_nearest(word, names, COUNT);
    fprintf(stderr, "rill: there is no command \"%s\"", word);
    if (near)
        fprintf(stderr, " (did you mean %s?)", near);
    fputs("; try rill --help\n", stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(word, "--version") == 0) {
        printf("rill %s\n", rill_version());
        return 0;
    }
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (*word)
        return unknown(word);
    print_help(stderr);
    return EXIT_USAGE;
}

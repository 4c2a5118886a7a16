/*
 * The command line, declared as a table: what each option is called, what it takes, where it goes.
 *
 *     const char *db = NULL;
 *     double every = 5;
 *     const struct option_spec options[] = {
 *         { "every", 'e', OPTION_DURATION, { .seconds = &every }, "TIME", "time between checks",
 *           .min = 0.1, .max = 86400 },
 *         { "db", 0, OPTION_TEXT, { .text = &db }, "PATH", "where the history is kept" },
 *     };
 *
 * Understood are --name VALUE, --name=VALUE, -n VALUE, -nVALUE, -abc for flags, and -- before
 * arguments that begin with a dash; options and arguments may be mixed, "-" is an argument. The
 * last of a repeated option counts, a list keeps them all. --help and -h come with every command;
 * the help shows as defaults what the variables held before.
 *
 * What is wrong is told in one line that names the option, the value and the way out:
 *     rill watch: --every: "5x" is not a duration (try 5s, 500ms, 2m)
 */
#ifndef RILL_CLI_OPTIONS_H
#define RILL_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The exit status after a wrong command line. */
#define EXIT_USAGE 2

enum option_kind {
    OPTION_FLAG,     /* takes no value */
    OPTION_TEXT,     /* any text but the empty one */
    OPTION_LIST,     /* the same, kept in order each time it is given */
    OPTION_INTEGER,  /* a whole number */
    OPTION_DURATION, /* "500ms", "5s", "1m30s", "2h", "1d"; a bare number is seconds */
    OPTION_ADDRESS,  /* "127.0.0.1:8080", "localhost:80", "[::1]:8080", ":8080" */
};

/* Views of argv; free it with option_list_free(). A zeroed list is empty. */
struct option_list {
    const char **items;
    size_t count;
};

struct option_address {
    char host[254]; /* a name or an address without brackets; "" for ":8080", every interface */
    int port;       /* 0 to 65535 */
};

struct option_spec {
    const char *name; /* without the dashes */
    char letter;      /* the short form, or 0 */
    enum option_kind kind;
    union { /* where the value goes; the member that the kind asks for */
        bool *flag;
        const char **text;
        struct option_list *list;
        long *integer;
        double *seconds;
        struct option_address *address;
    } to;
    const char *hint; /* what the help calls the value: "TIME"; NULL for a flag */
    const char *help;
    double min, max; /* bounds of an integer or a duration, both included; max 0: no upper one */
};

struct command_spec {
    const char *name;      /* "rill watch" */
    const char *arguments; /* what the help shows after the options: "[URL]..." */
    const char *summary;   /* one line */
    const char *notes;     /* printed at the end of the help, or NULL */
    const struct option_spec *options;
    size_t option_count;
    size_t arguments_max; /* 0: the command takes none */
};

enum options_outcome {
    OPTIONS_OK,
    OPTIONS_HELP,  /* the help was asked for */
    OPTIONS_WRONG, /* the message says what */
};

/* Room for any message, its NUL included. */
#define OPTIONS_MESSAGE 256

/* Reads argv[1] and on (argv[0] is the command's own word) into the variables of the table and the
 * arguments into the list. Stops at the first mistake and puts its sentence into `message`. The
 * texts it hands out are views of argv. The lists are to be freed whatever the outcome. */
enum options_outcome options_read(const struct command_spec *command, int argc, char **argv,
                                  struct option_list *ret_arguments, char message[OPTIONS_MESSAGE]);

/* The same for a program: prints the help or the message. Returns -1 to go on, else the status to
 * exit with. */
int options_parse(const struct command_spec *command, int argc, char **argv,
                  struct option_list *ret_arguments);

void options_print_help(const struct command_spec *command, FILE *out);

/* The word among `words` that was probably meant, or NULL when none is near. */
const char *options_nearest(const char *word, const char *const *words, size_t count);

void option_list_free(struct option_list *list);

#endif

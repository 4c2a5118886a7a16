/* Reads a command line by the table of its options; the first mistake ends it with a sentence. */
#include "options.h"

#include "values.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Longer words than any option get no suggestion. */
#define WORD_MAX 40

struct reader {
    const struct command_spec *command;
    int argc;
    char **argv;
    int at; /* the next word of argv */
    struct option_list *arguments;
    char *message;
};

static enum options_outcome wrong(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum options_outcome wrong(struct reader *reader, const char *format, ...)
{
    int used = snprintf(reader->message, OPTIONS_MESSAGE, "%s: ", reader->command->name);
    if (used < 0 || used >= OPTIONS_MESSAGE)
        return OPTIONS_WRONG;
    va_list args;
    va_start(args, format);
    vsnprintf(reader->message + used, (size_t)(OPTIONS_MESSAGE - used), format, args);
    va_end(args);
    return OPTIONS_WRONG;
}

static bool list_add(struct option_list *list, const char *item)
{
    const char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items)
        return false;
    items[list->count++] = item;
    list->items = items;
    return true;
}

void option_list_free(struct option_list *list)
{
    free(list->items);
    *list = (struct option_list){ 0 };
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters must be put in, taken out, changed or swapped with the next to get from a to b.
 */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++)
        last[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            row[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]), least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[width];
}

const char *options_nearest(const char *word, const char *const *words, size_t count)
{
    size_t len = strlen(word), best = SIZE_MAX;
    const char *nearest = NULL;
    if (len < 2 || len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) > WORD_MAX)
            continue;
        /* A beginning of the word counts as one mistake, however much is missing. */
        size_t far = strncmp(word, words[i], len) == 0 ? 1 : distance(word, words[i]);
        if (far < best && far <= (len < 5 ? 1 : len / 3)) {
            best = far;
            nearest = words[i];
        }
    }
    return nearest;
}

static const struct option_spec *find_long(const struct command_spec *command, const char *name,
                                           size_t len)
{
    for (size_t i = 0; i < command->option_count; i++) {
        const struct option_spec *option = &command->options[i];
        if (strlen(option->name) == len && memcmp(option->name, name, len) == 0)
            return option;
    }
    return NULL;
}

static const struct option_spec *find_short(const struct command_spec *command, char letter)
{
    for (size_t i = 0; i < command->option_count; i++)
        if (command->options[i].letter && command->options[i].letter == letter)
            return &command->options[i];
    return NULL;
}

/* Whether a word that stands where a value should be is an option itself. */
static bool names_option(const struct command_spec *command, const char *word)
{
    if (word[0] != '-' || word[1] == '\0')
        return false;
    if (word[1] != '-')
        return word[2] == '\0' && (find_short(command, word[1]) || word[1] == 'h');
    size_t len = strcspn(word + 2, "=");
    return len == 0 || find_long(command, word + 2, len) || strcmp(word, "--help") == 0;
}

/* Says what may be given instead of a number or a duration that is out of its bounds. */
static enum options_outcome out_of_bounds(struct reader *reader, const char *shown,
                                          const struct option_spec *option, const char *value)
{
    char min[VALUE_TEXT], max[VALUE_TEXT], quoted[VALUE_TEXT];
    if (option->kind == OPTION_DURATION) {
        duration_text(option->min, min);
        duration_text(option->max, max);
    } else {
        snprintf(min, sizeof min, "%.0f", option->min);
        snprintf(max, sizeof max, "%.0f", option->max);
    }
    value_quoted(value, quoted);
    if (option->max == 0)
        return wrong(reader, "%s: %s is too little (at least %s)", shown, quoted, min);
    return wrong(reader, "%s: %s is out of range (%s to %s)", shown, quoted, min, max);
}

static bool in_bounds(const struct option_spec *option, double value)
{
    return value >= option->min && (option->max == 0 || value <= option->max);
}

/* `shown` is the option as it was written: "--every" or "-e". */
static enum options_outcome take_value(struct reader *reader, const char *shown,
                                       const struct option_spec *option, const char *value)
{
    char quoted[VALUE_TEXT];
    if (*value == '\0')
        return wrong(reader, "%s: the value is empty", shown);
    long number;
    double seconds;
    const char *why;
    switch (option->kind) {
    case OPTION_FLAG:
        return wrong(reader, "%s: takes no value, but got %s", shown, value_quoted(value, quoted));
    case OPTION_TEXT:
        *option->to.text = value;
        return OPTIONS_OK;
    case OPTION_LIST:
        return list_add(option->to.list, value) ? OPTIONS_OK
                                                : wrong(reader, "%s: out of memory", shown);
    case OPTION_INTEGER:
        if (!integer_read(value, &number))
            return wrong(reader, "%s: %s is not a whole number", shown,
                         value_quoted(value, quoted));
        if (!in_bounds(option, (double)number))
            return out_of_bounds(reader, shown, option, value);
        *option->to.integer = number;
        return OPTIONS_OK;
    case OPTION_DURATION:
        if (!duration_read(value, &seconds))
            return wrong(reader, "%s: %s is not a duration (try 5s, 500ms, 2m)", shown,
                         value_quoted(value, quoted));
        if (!in_bounds(option, seconds))
            return out_of_bounds(reader, shown, option, value);
        *option->to.seconds = seconds;
        return OPTIONS_OK;
    case OPTION_ADDRESS:
        why = address_read(value, option->to.address);
        if (why)
            return wrong(reader, "%s: %s is not an address: %s", shown, value_quoted(value, quoted),
                         why);
        return OPTIONS_OK;
    }
    return OPTIONS_OK;
}

/* The value in the next word, for an option that was written without "=". */
static enum options_outcome take_next(struct reader *reader, const char *shown,
                                      const struct option_spec *option)
{
    if (reader->at >= reader->argc || names_option(reader->command, reader->argv[reader->at]))
        return wrong(reader, "%s: needs a value, %s", shown, option->hint ? option->hint : "VALUE");
    return take_value(reader, shown, option, reader->argv[reader->at++]);
}

static enum options_outcome unknown_long(struct reader *reader, const char *word, size_t len)
{
    const struct command_spec *command = reader->command;
    char name[WORD_MAX + 2], quoted[VALUE_TEXT];
    snprintf(name, sizeof name, "%.*s", (int)least(len, WORD_MAX + 1), word + 2);
    const char *nearest = options_nearest(name, (const char *const[]){ "help" }, 1);
    for (size_t i = 0; i < command->option_count; i++) {
        const char *pair[] = { command->options[i].name, nearest };
        nearest = options_nearest(name, pair, nearest ? 2 : 1);
    }
    if (nearest)
        return wrong(reader, "--%s: no such option (did you mean --%s?)", name, nearest);
    value_quoted(word, quoted);
    return wrong(reader, "%s: no such option (see %s --help)", quoted, command->name);
}

static enum options_outcome read_long(struct reader *reader, const char *word)
{
    size_t len = strcspn(word + 2, "=");
    if (len == 4 && memcmp(word + 2, "help", 4) == 0)
        return OPTIONS_HELP;
    const struct option_spec *option = find_long(reader->command, word + 2, len);
    if (!option)
        return unknown_long(reader, word, len);
    char shown[WORD_MAX + 3];
    snprintf(shown, sizeof shown, "--%s", option->name);
    if (word[2 + len] == '=') {
        if (option->kind == OPTION_FLAG)
            return wrong(reader, "%s: takes no value", shown);
        return take_value(reader, shown, option, word + len + 3);
    }
    if (option->kind != OPTION_FLAG)
        return take_next(reader, shown, option);
    *option->to.flag = true;
    return OPTIONS_OK;
}

static enum options_outcome read_letters(struct reader *reader, const char *word)
{
    for (const char *letter = word + 1; *letter; letter++) {
        const struct option_spec *option = find_short(reader->command, *letter);
        const char shown[] = { '-', *letter, '\0' };
        if (!option && *letter == 'h')
            return OPTIONS_HELP;
        if (!option) {
            char quoted[VALUE_TEXT];
            return wrong(reader, "%s: no such option (see %s --help)", value_quoted(shown, quoted),
                         reader->command->name);
        }
        if (option->kind != OPTION_FLAG)
            return letter[1] ? take_value(reader, shown, option, letter + 1)
                             : take_next(reader, shown, option);
        *option->to.flag = true;
    }
    return OPTIONS_OK;
}

static enum options_outcome read_argument(struct reader *reader, const char *word)
{
    char quoted[VALUE_TEXT];
    if (reader->arguments->count >= reader->command->arguments_max)
        return wrong(reader, "%s: one argument too many (see %s --help)",
                     value_quoted(word, quoted), reader->command->name);
    return list_add(reader->arguments, word) ? OPTIONS_OK : wrong(reader, "out of memory");
}

enum options_outcome options_read(const struct command_spec *command, int argc, char **argv,
                                  struct option_list *ret_arguments, char message[OPTIONS_MESSAGE])
{
    *ret_arguments = (struct option_list){ 0 };
    struct reader reader = { command, argc, argv, 1, ret_arguments, message };
    enum options_outcome outcome = OPTIONS_OK;
    bool only_arguments = false;
    while (outcome == OPTIONS_OK && reader.at < argc) {
        const char *word = argv[reader.at++];
        if (only_arguments || word[0] != '-' || word[1] == '\0')
            outcome = read_argument(&reader, word);
        else if (word[1] != '-')
            outcome = read_letters(&reader, word);
        else if (word[2] == '\0')
            only_arguments = true;
        else
            outcome = read_long(&reader, word);
    }
    return outcome;
}

int options_parse(const struct command_spec *command, int argc, char **argv,
                  struct option_list *ret_arguments)
{
    char message[OPTIONS_MESSAGE];
    switch (options_read(command, argc, argv, ret_arguments, message)) {
    case OPTIONS_OK:
        return -1;
    case OPTIONS_HELP:
        options_print_help(command, stdout);
        return 0;
    case OPTIONS_WRONG:
        fprintf(stderr, "%s\n", message);
        return EXIT_USAGE;
    }
    return EXIT_USAGE;
}

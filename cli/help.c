/* The help of a command, made from the table of its options. */
#include "options.h"
#include "values.h"

#include <string.h>

#define LINE_WIDTH 80
/* The widest left column: an option that is longer has its text start on the next line. */
#define LEFT_MAX 30

/* Breaks the text at spaces; every line but the first is indented to `column`. */
static void print_wrapped(FILE *out, const char *text, size_t column)
{
    size_t at = column;
    for (bool first = true; *text; first = false) {
        text += strspn(text, " ");
        size_t len = strcspn(text, " ");
        if (!first && at + 1 + len > LINE_WIDTH) {
            fprintf(out, "\n%*s", (int)column, "");
            at = column;
        } else if (!first) {
            fputc(' ', out);
            at++;
        }
        fwrite(text, 1, len, out);
        at += len;
        text += len;
    }
    fputc('\n', out);
}

/* What the option is unless it is given, or "" when that goes without saying. */
static const char *default_text(const struct option_spec *option, char out[VALUE_TEXT])
{
    out[0] = '\0';
    switch (option->kind) {
    case OPTION_FLAG:
    case OPTION_LIST:
        break;
    case OPTION_TEXT:
        if (*option->to.text)
            snprintf(out, VALUE_TEXT, "%s", *option->to.text);
        break;
    case OPTION_INTEGER:
        if (*option->to.integer)
            snprintf(out, VALUE_TEXT, "%ld", *option->to.integer);
        break;
    case OPTION_DURATION:
        if (*option->to.seconds > 0)
            duration_text(*option->to.seconds, out);
        break;
    case OPTION_ADDRESS:
        if (option->to.address->port)
            address_text(option->to.address, out);
        break;
    }
    return out;
}

static size_t left_text(const struct option_spec *option, char *out, size_t size)
{
    char letter[] = { '-', option->letter, ',', '\0' };
    int len = snprintf(out, size, "  %-3s --%s%s%s", option->letter ? letter : "", option->name,
                       option->hint ? " " : "", option->hint ? option->hint : "");
    return len < 0 ? 0 : (size_t)len;
}

static void print_option(FILE *out, const struct option_spec *option, size_t column)
{
    char left[128], value[VALUE_TEXT], text[512];
    size_t len = left_text(option, left, sizeof left);
    default_text(option, value);
    snprintf(text, sizeof text, *value ? "%s (default %s)" : "%s", option->help, value);
    fputs(left, out);
    fprintf(out, len + 2 > column ? "\n%*s" : "%*s",
            (int)(len + 2 > column ? column : column - len), "");
    print_wrapped(out, text, column);
}

void options_print_help(const struct command_spec *command, FILE *out)
{
    static const struct option_spec help = { "help",   'h',  OPTION_FLAG,
                                             { NULL }, NULL, "show this help",
                                             0,        0 };
    char left[128];
    size_t column = left_text(&help, left, sizeof left) + 2;
    for (size_t i = 0; i < command->option_count; i++) {
        size_t len = left_text(&command->options[i], left, sizeof left) + 2;
        if (len > column && len <= LEFT_MAX)
            column = len;
    }
    fprintf(out, "%s: %s\n\nUsage: %s [OPTION]...%s%s\n\n", command->name, command->summary,
            command->name, command->arguments ? " " : "",
            command->arguments ? command->arguments : "");
    for (size_t i = 0; i < command->option_count; i++)
        print_option(out, &command->options[i], column);
    print_option(out, &help, column);
    if (command->notes)
        fprintf(out, "\n%s\n", command->notes);
}

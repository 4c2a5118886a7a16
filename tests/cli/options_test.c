/* The command line: each kind of value, each way to write it, and each mistake with its sentence.
 */
#include "cli/options.h"
#include "cli/values.h"

#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

/* A command with an option of each kind, and what was read into it. */
static struct {
    bool json, quiet;
    const char *db;
    struct option_list headers;
    long limit;
    double every;
    struct option_address listen;
} got;
static struct option_list arguments;
static char message[OPTIONS_MESSAGE];

static const struct option_spec options[] = {
    { "json", 'j', OPTION_FLAG, { .flag = &got.json }, NULL, "print JSON Lines", 0, 0 },
    { "quiet", 'q', OPTION_FLAG, { .flag = &got.quiet }, NULL, "print no progress", 0, 0 },
    { "db", 'd', OPTION_TEXT, { .text = &got.db }, "PATH", "keep the history here", 0, 0 },
    { "header", 'H', OPTION_LIST, { .list = &got.headers }, "LINE", "send this header", 0, 0 },
    { "limit", 0, OPTION_INTEGER, { .integer = &got.limit }, "N", "at most N at once", 1, 1000 },
    { "every",
      'e',
      OPTION_DURATION,
      { .seconds = &got.every },
      "TIME",
      "how long to wait from the begin of one check of an endpoint to that of the next",
      0.1,
      0 },
    { "listen",
      0,
      OPTION_ADDRESS,
      { .address = &got.listen },
      "ADDRESS",
      "serve the page here",
      0,
      0 },
};
static const struct command_spec command = {
    .name = "rill watch",
    .arguments = "[URL]...",
    .summary = "check URLs on a schedule",
    .notes = "Exit status: 0 stopped, 2 wrong usage.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .arguments_max = 3,
};

/* Reads the words up to NULL. */
#define READ(...) read_words((char *[]){ "watch", __VA_ARGS__, NULL })

static enum options_outcome read_words(char **argv)
{
    option_list_free(&got.headers);
    option_list_free(&arguments);
    memset(&got, 0, sizeof got);
    message[0] = '\0';
    int argc = 0;
    while (argv[argc])
        argc++;
    return options_read(&command, argc, argv, &arguments, message);
}

static void done(void)
{
    option_list_free(&got.headers);
    option_list_free(&arguments);
}

#define CHECK_WRONG(sentence, ...)                                                                 \
    do {                                                                                           \
        CHECK_INT(READ(__VA_ARGS__), OPTIONS_WRONG);                                               \
        CHECK_STR(message, "rill watch: " sentence);                                               \
    } while (0)

TEST(options_of_every_kind_are_read)
{
    CHECK_INT(READ("--json", "--db", "a.db", "--limit=7", "--every", "500ms", "--listen", ":80"),
              OPTIONS_OK);
    CHECK(got.json && !got.quiet);
    CHECK_STR(got.db, "a.db");
    CHECK_INT(got.limit, 7);
    CHECK(fabs(got.every - 0.5) < 1e-9);
    CHECK_STR(got.listen.host, "");
    CHECK_INT(got.listen.port, 80);
    CHECK_INT(arguments.count, 0);
    done();
}

TEST(short_options_are_read_apart_together_and_with_their_value)
{
    CHECK_INT(READ("-jq", "-dx.db", "-e", "2m"), OPTIONS_OK);
    CHECK(got.json && got.quiet);
    CHECK_STR(got.db, "x.db");
    CHECK(fabs(got.every - 120) < 1e-9);
    CHECK_INT(READ("-jde.db"), OPTIONS_OK);
    CHECK(got.json);
    CHECK_STR(got.db, "e.db");
    done();
}

TEST(arguments_and_options_mix)
{
    CHECK_INT(READ("a", "-j", "-", "--", "--json"), OPTIONS_OK);
    REQUIRE(arguments.count == 3);
    CHECK_STR(arguments.items[0], "a");
    CHECK_STR(arguments.items[1], "-");
    CHECK_STR(arguments.items[2], "--json");
    done();
}

TEST(lists_keep_all_and_others_the_last)
{
    CHECK_INT(READ("-H", "A: 1", "--header=B: 2", "--limit", "1", "--limit", "2"), OPTIONS_OK);
    REQUIRE(got.headers.count == 2);
    CHECK_STR(got.headers.items[0], "A: 1");
    CHECK_STR(got.headers.items[1], "B: 2");
    CHECK_INT(got.limit, 2);
    done();
}

TEST(values_may_begin_with_a_dash_unless_they_are_options)
{
    CHECK_INT(READ("--db", "-x"), OPTIONS_OK);
    CHECK_STR(got.db, "-x");
    CHECK_INT(READ("--db=--json"), OPTIONS_OK);
    CHECK_STR(got.db, "--json");
    CHECK_WRONG("--db: needs a value, PATH", "--db", "--json");
    CHECK_WRONG("--db: needs a value, PATH", "--db", "--limit=3");
    CHECK_WRONG("-d: needs a value, PATH", "-d", "-j");
    CHECK_WRONG("--db: needs a value, PATH", "--db", "--");
    CHECK_WRONG("--db: needs a value, PATH", "--db");
    done();
}

TEST(unknown_options_are_named_with_the_nearest)
{
    CHECK_WRONG("--evry: no such option (did you mean --every?)", "--evry", "5s");
    CHECK_WRONG("--evrey: no such option (did you mean --every?)", "--evrey=5s");
    CHECK_WRONG("--lim: no such option (did you mean --limit?)", "--lim");
    CHECK_WRONG("--hepl: no such option (did you mean --help?)", "--hepl");
    CHECK_WRONG("\"--zzzzzz\": no such option (see rill watch --help)", "--zzzzzz");
    CHECK_WRONG("\"-z\": no such option (see rill watch --help)", "-jz");
    CHECK_WRONG("\"-\\x1b\": no such option (see rill watch --help)", "-\x1b[2J");
    done();
}

TEST(wrong_values_are_named)
{
    CHECK_WRONG("--every: \"5x\" is not a duration (try 5s, 500ms, 2m)", "--every", "5x");
    CHECK_WRONG("-e: \"now\" is not a duration (try 5s, 500ms, 2m)", "-enow");
    CHECK_WRONG("--every: \"1ms\" is too little (at least 100ms)", "--every=1ms");
    CHECK_WRONG("--limit: \"0\" is out of range (1 to 1000)", "--limit", "0");
    CHECK_WRONG("--limit: \"-5\" is out of range (1 to 1000)", "--limit", "-5");
    CHECK_WRONG("--limit: \"ten\" is not a whole number", "--limit", "ten");
    CHECK_WRONG("--limit: \"99999999999999999999\" is not a whole number",
                "--limit=99999999999999999999");
    CHECK_WRONG("--json: takes no value", "--json=yes");
    CHECK_WRONG("--db: the value is empty", "--db=");
    CHECK_WRONG("--db: the value is empty", "--db", "");
    CHECK_WRONG("\"d\": one argument too many (see rill watch --help)", "a", "b", "c", "d");
    CHECK_WRONG("--listen: \"8080\" is not an address: the port is missing "
                "(try 127.0.0.1:8080, :8080)",
                "--listen", "8080");
    done();
}

TEST(long_words_are_cut_and_never_overflow)
{
    static char word[5000];
    memset(word, 'a', sizeof word - 1);
    word[0] = word[1] = '-';
    CHECK_INT(READ(word), OPTIONS_WRONG);
    CHECK_CONTAINS(message, "aaa...\": no such option");
    CHECK_INT(READ("--limit", word), OPTIONS_WRONG);
    CHECK_CONTAINS(message, "aaa...\" is not a whole number");
    CHECK_INT(READ("--listen", word + 2), OPTIONS_WRONG);
    word[sizeof word - 5] = ':';
    CHECK_INT(READ("--listen", word + 2), OPTIONS_WRONG);
    CHECK_CONTAINS(message, "the host is too long");
    done();
}

TEST(durations)
{
    static const struct {
        const char *text;
        double seconds; /* negative: refused */
    } cases[] = {
        { "5s", 5 },      { "500ms", 0.5 },
        { "2m", 120 },    { "1h", 3600 },
        { "1d", 86400 },  { "1m30s", 90 },
        { "1.5h", 5400 }, { ".5s", 0.5 },
        { "0", 0 },       { "7", 7 },
        { "0.25", 0.25 }, { "", -1 },
        { "s", -1 },      { "5x", -1 },
        { "5 s", -1 },    { "-5s", -1 },
        { "+5s", -1 },    { "inf", -1 },
        { "nan", -1 },    { "0x10s", -1 },
        { "1e3s", -1 },   { "5s5", -1 },
        { "5.s", -1 },    { "1.2.3s", -1 },
        { "5S", -1 },     { "99999999999999999999d", -1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double seconds = -1;
        bool ok = duration_read(cases[i].text, &seconds);
        if (ok != (cases[i].seconds >= 0) || fabs(seconds - cases[i].seconds) > 1e-9)
            test_fail(__FILE__, __LINE__, "\"%s\" gives %g", cases[i].text, seconds);
    }
}

TEST(durations_are_told_as_they_are_written)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = { { 5, "5s" },    { 0.5, "500ms" }, { 120, "2m" },   { 90, "90s" },
                  { 7200, "2h" }, { 86400, "1d" },  { 1.5, "1.5s" }, { 0, "0s" } };
    char text[VALUE_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(duration_text(cases[i].seconds, text), cases[i].text);
}

TEST(addresses)
{
    static const struct {
        const char *text, *host; /* NULL: refused */
        int port;
    } cases[] = {
        { "127.0.0.1:8080", "127.0.0.1", 8080 },
        { ":8080", "", 8080 },
        { "localhost:0", "localhost", 0 },
        { "[::1]:80", "::1", 80 },
        { "[::]:65535", "::", 65535 },
        { "my-host_1.example:1", "my-host_1.example", 1 },
        { "::1:80", NULL, 0 },
        { "[::1]", NULL, 0 },
        { "[::1:80", NULL, 0 },
        { "[]:80", NULL, 0 },
        { "[127.0.0.1]:80", NULL, 0 },
        { "[::1]x:80", NULL, 0 },
        { "localhost", NULL, 0 },
        { "localhost:", NULL, 0 },
        { "localhost:65536", NULL, 0 },
        { "localhost:-1", NULL, 0 },
        { "localhost:80x", NULL, 0 },
        { "http://localhost:80", NULL, 0 },
        { "a b:80", NULL, 0 },
        { "", NULL, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct option_address address = { "untouched", -1 };
        const char *why = address_read(cases[i].text, &address);
        if (cases[i].host) {
            CHECK(why == NULL);
            CHECK_STR(address.host, cases[i].host);
            CHECK_INT(address.port, cases[i].port);
        } else if (!why || address.port != -1) {
            test_fail(__FILE__, __LINE__, "\"%s\" was taken", cases[i].text);
        }
    }
}

TEST(addresses_are_told_as_they_are_written)
{
    char text[VALUE_TEXT];
    CHECK_STR(address_text(&(struct option_address){ "::1", 80 }, text), "[::1]:80");
    CHECK_STR(address_text(&(struct option_address){ "", 80 }, text), ":80");
    CHECK_STR(address_text(&(struct option_address){ "localhost", 8080 }, text), "localhost:8080");
}

TEST(the_nearest_word)
{
    static const char *const words[] = { "get", "watch", "serve", "bench" };
    CHECK_STR(options_nearest("wacth", words, 4), "watch");
    CHECK_STR(options_nearest("got", words, 4), "get");
    CHECK_STR(options_nearest("be", words, 4), "bench");
    CHECK(options_nearest("x", words, 4) == NULL);
    CHECK(options_nearest("elephant", words, 4) == NULL);
    CHECK(options_nearest("", words, 4) == NULL);
}

TEST(the_help_shows_options_defaults_and_notes)
{
    memset(&got, 0, sizeof got);
    got.every = 5;
    got.limit = 100;
    got.listen = (struct option_address){ "127.0.0.1", 8080 };
    char *help = NULL;
    size_t len;
    FILE *out = open_memstream(&help, &len);
    options_print_help(&command, out);
    fclose(out);
    CHECK_STR(help, "rill watch: check URLs on a schedule\n"
                    "\n"
                    "Usage: rill watch [OPTION]... [URL]...\n"
                    "\n"
                    "  -j, --json            print JSON Lines\n"
                    "  -q, --quiet           print no progress\n"
                    "  -d, --db PATH         keep the history here\n"
                    "  -H, --header LINE     send this header\n"
                    "      --limit N         at most N at once (default 100)\n"
                    "  -e, --every TIME      how long to wait from the begin of one check of an\n"
                    "                        endpoint to that of the next (default 5s)\n"
                    "      --listen ADDRESS  serve the page here (default 127.0.0.1:8080)\n"
                    "  -h, --help            show this help\n"
                    "\n"
                    "Exit status: 0 stopped, 2 wrong usage.\n");
    free(help);
}

TEST(help_is_asked_for_in_three_ways)
{
    CHECK_INT(READ("--help"), OPTIONS_HELP);
    CHECK_INT(READ("-jh"), OPTIONS_HELP);
    CHECK_INT(READ("url", "-h"), OPTIONS_HELP);
    done();
}

TEST(a_program_exits_with_two_after_a_mistake)
{
    char *words[] = { "watch", "--every", "5x", NULL };
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    int before = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    int status = options_parse(&command, 3, words, &arguments);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    char line[300] = "";
    CHECK(read(ends[0], line, sizeof line - 1) > 0);
    CHECK_INT(status, EXIT_USAGE);
    CHECK_STR(line, "rill watch: --every: \"5x\" is not a duration (try 5s, 500ms, 2m)\n");
    words[2] = "5s";
    CHECK_INT(options_parse(&command, 3, words, &arguments), -1);
    close(ends[0]);
    close(ends[1]);
    close(before);
    done();
}

/* URLs from arguments, files and standard input. */
#include "cli/urls.h"

#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct urls urls;
static char message[512];

/* Adds the lines of a file with this content. */
static int add_text(const char *text, size_t len)
{
    char path[] = "/tmp/rill-urls-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, text, len) != (ssize_t)len || close(fd) < 0)
        return -2;
    int rc = urls_add_file(&urls, path, message, sizeof message);
    unlink(path);
    return rc;
}

TEST(a_scheme_is_put_in_front)
{
    CHECK_INT(urls_add(&urls, "example.com/x", message, sizeof message), 0);
    CHECK_INT(urls_add(&urls, "https://example.com", message, sizeof message), 0);
    CHECK_INT(urls_add(&urls, "ftp://example.com", message, sizeof message), 0);
    CHECK_INT(urls_add(&urls, "localhost:8080", message, sizeof message), 0);
    CHECK_INT(urls.count, 4);
    CHECK_STR(urls.items[0], "http://example.com/x");
    CHECK_STR(urls.items[1], "https://example.com");
    CHECK_STR(urls.items[2], "ftp://example.com");
    CHECK_STR(urls.items[3], "http://localhost:8080");
    urls_finish(&urls);
    CHECK_INT(urls.count, 0);
}

TEST(a_slash_in_the_query_is_no_scheme)
{
    CHECK_INT(urls_add(&urls, "h/login?next=http://i/", message, sizeof message), 0);
    CHECK_STR(urls.items[0], "http://h/login?next=http://i/");
    urls_finish(&urls);
}

TEST(lines_comments_and_blanks)
{
    const char text[] = "# a comment\n"
                        "http://a/\n"
                        "\n"
                        "  \t http://b/x y \t\r\n"
                        "   # another\n"
                        "http://c/#top\r\n"
                        "d";
    CHECK_INT(add_text(text, sizeof text - 1), 0);
    REQUIRE(urls.count == 4);
    CHECK_STR(urls.items[0], "http://a/");
    CHECK_STR(urls.items[1], "http://b/x y");
    CHECK_STR(urls.items[2], "http://c/#top");
    CHECK_STR(urls.items[3], "http://d");
    urls_finish(&urls);
}

TEST(a_byte_order_mark_is_no_part_of_a_url)
{
    const char text[] = "\xef\xbb\xbfhttp://a/\nhttp://b/\n";
    CHECK_INT(add_text(text, sizeof text - 1), 0);
    REQUIRE(urls.count == 2);
    CHECK_STR(urls.items[0], "http://a/");
    urls_finish(&urls);
}

TEST(nul_bytes_are_refused_with_their_line)
{
    const char text[] = "http://a/\nhttp://b/\0evil\n";
    CHECK_INT(add_text(text, sizeof text - 1), -1);
    CHECK_CONTAINS(message, "line 2");
    urls_finish(&urls);
}

TEST(lines_that_are_too_long_are_refused_with_their_number)
{
    size_t len = (1u << 20) + 2;
    char *text = malloc(len);
    REQUIRE(text);
    memset(text, 'a', len);
    text[0] = '\n';
    CHECK_INT(add_text(text, len), -1);
    CHECK_CONTAINS(message, "line 2");
    free(text);
    urls_finish(&urls);
}

TEST(a_missing_file_is_named)
{
    CHECK_INT(urls_add_file(&urls, "/nowhere/list", message, sizeof message), -1);
    CHECK_STR(message, "/nowhere/list: No such file or directory");
    CHECK_INT(urls_add_file(&urls, "/tmp", message, sizeof message), -1);
    CHECK_STR(message, "/tmp: Is a directory");
    urls_finish(&urls);
}

TEST(standard_input)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    REQUIRE(write(ends[1], "a\nb\n", 4) == 4);
    close(ends[1]);
    int saved = dup(STDIN_FILENO);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    CHECK_INT(urls_add_file(&urls, "-", message, sizeof message), 0);
    if (saved >= 0) {
        dup2(saved, STDIN_FILENO);
        close(saved);
    }
    REQUIRE(urls.count == 2);
    CHECK_STR(urls.items[1], "http://b");
    urls_finish(&urls);
}

TEST(there_is_a_limit)
{
    int rc = 0;
    size_t added = 0;
    for (; rc == 0 && added <= URLS_MAX; added++)
        rc = urls_add(&urls, "a", message, sizeof message);
    CHECK_INT(rc, -1);
    CHECK_INT(urls.count, URLS_MAX);
    CHECK_STR(message, "more than 1000000 URLs");
    urls_finish(&urls);
}

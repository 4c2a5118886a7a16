/* Redis URLs: what is accepted, what is refused, and that no refusal tells a secret. */
#include "base/alloc.h"
#include "base/fail.h"
#include "harness.h"
#include "redis/redis_url.h"

#include <stdlib.h>

static const struct good {
    const char *text, *host, *user, *password;
    int port, database;
    bool tls;
} good[] = {
    { "redis://h", "h", NULL, NULL, 6379, 0, false },
    { "REDIS://h/", "h", NULL, NULL, 6379, 0, false },
    { "redis://127.0.0.1:7000/15", "127.0.0.1", NULL, NULL, 7000, 15, false },
    { "rediss://h:1", "h", NULL, NULL, 1, 0, true },
    { "redis://[::1]", "::1", NULL, NULL, 6379, 0, false },
    { "redis://[fe80::1]:65535/2", "fe80::1", NULL, NULL, 65535, 2, false },
    { "redis://:pw@h", "h", NULL, "pw", 6379, 0, false },
    { "redis://me:pw@h:1/3", "h", "me", "pw", 1, 3, false },
    { "redis://m%65:p%40%2f%3a%00@h", "h", "me", "p@/:", 6379, 0, false },
    { "redis://me:a:b@c@h", "h", "me", "a:b@c", 6379, 0, false },
    { "unix:///run/redis.sock", "unix:/run/redis.sock", NULL, NULL, 6379, 0, false },
    { "unix:///a%20b?db=4", "unix:/a b", NULL, NULL, 6379, 4, false },
    { "unix://me:pw@/s", "unix:/s", "me", "pw", 6379, 0, false },
};

static void check_text(const char *text, const char *what, rill_str actual, const char *expected)
{
    bool same = expected ? actual.ptr && strcmp(actual.ptr, expected) == 0 : !actual.ptr;
    if (!same)
        test_fail(__FILE__, __LINE__, "%s: the %s is '%s'", text, what,
                  actual.ptr ? actual.ptr : "(none)");
}

TEST(good_urls)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const struct good *row = &good[i];
        rill__redis_url url;
        int rc = rill__redis_url_parse(&url, row->text);
        if (rc < 0)
            test_fail(__FILE__, __LINE__, "%s: %s", row->text, rill_last_error()->message);
        check_text(row->text, "host", rill_str_of(url.host), row->host);
        check_text(row->text, "user", url.user, row->user);
        check_text(row->text, "password", url.password, row->password);
        CHECK_INT(url.port, row->port);
        CHECK_INT(url.database, row->database);
        CHECK_INT(url.tls, row->tls);
        rill__redis_url_free(&url);
    }
}

TEST(a_password_may_hold_nul)
{
    rill__redis_url url;
    CHECK_INT(rill__redis_url_parse(&url, "redis://:a%00b@h"), 0);
    CHECK_INT(url.password.len, 3);
    CHECK(memcmp(url.password.ptr, "a\0b", 4) == 0);
    rill__redis_url_free(&url);
}

static const struct refused {
    const char *text, *why;
} refused[] = {
    { NULL, "it is missing" },
    { "", "it is missing" },
    { "127.0.0.1:6379", "it begins with none of" },
    { "http://h", "it begins with none of" },
    { "redis:/h", "it begins with none of" },
    { "redisss://h", "it begins with none of" },
    { "redis://", "the host is missing" },
    { "redis:///0", "the host is missing" },
    { "redis://:secret@", "the host is missing" },
    { "redis://:secret@:1", "the host is missing" },
    { "redis://secret@h", "a user without a password" },
    { "redis://secret:@h", "a user without a password" },
    { "redis://@h", "a user without a password" },
    { "redis://:sec%4@h", "begins no escape" },
    { "redis://:secret%@h", "begins no escape" },
    { "redis://%zz:secret@h", "begins no escape" },
    { "redis://:sec ret@h", "need an escape" },
    { "redis://:secret#@h", "need an escape" },
    { "redis://:sec\nret@h", "need an escape" },
    { "redis://:secret?@h", "takes no query" },
    { "redis://h?db=1", "takes no query" },
    { "redis://:secret/x@h", "the host is missing" },
    { "redis://me:secret/x@h", "the port is not a number" },
    { "redis://:secret@h:", "the port is not a number" },
    { "redis://:secret@h:0", "the port is not a number" },
    { "redis://:secret@h:65536", "the port is not a number" },
    { "redis://:secret@h:+1", "the port is not a number" },
    { "redis://:secret@h:99999999999999999999", "the port is not a number" },
    { "redis://:secret@::1", "the host is missing" },
    { "redis://:secret@h:1:2", "the port is not a number" },
    { "redis://:secret@[::1", "no IPv6 address" },
    { "redis://:secret@[h]", "no IPv6 address" },
    { "redis://:secret@[::1]x", "the host is not valid" },
    { "redis://:secret@h%41", "the host is not valid" },
    { "redis://:secret@h/x", "the database is not a number" },
    { "redis://:secret@h/1/2", "the database is not a number" },
    { "redis://:secret@h/-1", "the database is not a number" },
    { "redis://:secret@h/65536", "the database is not a number" },
    { "unix://", "the path of the socket is missing" },
    { "unix:///", "the path of the socket is missing" },
    { "unix://secret", "the path of the socket is missing" },
    { "unix://secret/s", "takes no host" },
    { "unix:///s?x=1", "the query may only be" },
    { "unix:///s?db=", "the database is not a number" },
    { "unix:///s%00", "the path of the socket is not valid" },
    { "unix:///s%4", "the path of the socket is not valid" },
    { "unix://secret@/s", "a user without a password" },
};

TEST(refused_urls_say_why_and_tell_no_secret)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        rill__redis_url url;
        int rc = rill__redis_url_parse(&url, refused[i].text);
        const char *message = rill_last_error()->message;
        if (rc != RILL_EURL || !strstr(message, refused[i].why))
            test_fail(__FILE__, __LINE__, "%s: %d, %s", refused[i].text, rc, rc < 0 ? message : "");
        CHECK(!strstr(message, "sec"));
        rill__redis_url_free(&url);
    }
}

TEST(a_url_without_end_is_refused)
{
    char text[5000];
    memset(text, 'a', sizeof text);
    memcpy(text, "redis://", 8);
    text[sizeof text - 1] = '\0';
    rill__redis_url url;
    CHECK_INT(rill__redis_url_parse(&url, text), RILL_EURL);
    CHECK_CONTAINS(rill_last_error()->message, "longer than 4096 bytes");
    rill__redis_url_free(&url);
}

TEST(every_allocation_may_fail)
{
    static const char *const texts[] = { "redis://me:pw@h:1/2", "unix://:pw@/s?db=1" };
    for (size_t i = 0; i < 2; i++) {
        int rc = -1;
        for (unsigned long nth = 1; rc != 0 && nth < 20; nth++) {
            rill__redis_url url;
            rill__alloc_fail_at = rill__alloc_count + nth;
            rc = rill__redis_url_parse(&url, texts[i]);
            rill__alloc_fail_at = 0;
            CHECK(rc == 0 || rc == RILL_ENOMEM);
            rill__redis_url_free(&url);
        }
        CHECK_INT(rc, 0);
    }
}

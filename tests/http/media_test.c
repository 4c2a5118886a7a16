/* Media types and parameters. */
#include "base/buf.h"
#include "harness.h"
#include "http/media.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

/* The value of a parameter of the type, or NULL. */
static const char *param(const char *text, const char *name)
{
    static char value[64];
    rill__media media;
    rill_str found;
    if (!rill__media_parse(rill_str_of(text), &media) ||
        !rill__param_find(media.params, name, value, sizeof value, &found))
        return NULL;
    CHECK_INT(strlen(value), found.len);
    return value;
}

TEST(a_type_is_split)
{
    rill__media media;
    REQUIRE(rill__media_parse(RILL_STR(" Text/Html ; charset=utf-8"), &media));
    CHECK(rill_str_eq(media.whole, RILL_STR("Text/Html")));
    CHECK(rill_str_eq(media.type, RILL_STR("Text")));
    CHECK(rill_str_caseeq(media.subtype, RILL_STR("html")));
    CHECK_STR(param("text/html; charset=utf-8", "charset"), "utf-8");
    CHECK(rill__media_parse(RILL_STR("application/vnd.api+json"), &media));
    CHECK(rill_str_eq(media.subtype, RILL_STR("vnd.api+json")));
    CHECK(rill__media_parse(RILL_STR("*/*"), &media));

    static const char *const bad[] = { "",           "text",        "text/",       "/html",
                                       "text /html", "text/ html",  "text/html x", "text/html, a/b",
                                       "te\xc3xt/a", "text/<html>", "; charset=a", "text/html/x" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (rill__media_parse(rill_str_of(bad[i]), &media))
            test_fail(__FILE__, __LINE__, "\"%s\" is taken for a media type", bad[i]);
    CHECK(rill_str_eq(media.whole, RILL_STR("*/*"))); /* a failure leaves it alone */
}

TEST(a_parameter_is_found)
{
    CHECK_STR(param("a/b;CharSet=x", "charset"), "x");
    CHECK_STR(param("a/b ;\t; ; charset = \"x y\" ;", "charset"), "x y");
    CHECK_STR(param("a/b; x=1; charset=a; charset=b", "charset"), "a"); /* the first counts */
    CHECK_STR(param("a/b; charset=\"\"", "charset"), "");
    CHECK_STR(param("a/b; q=\"a\\\"b\\\\c\\d\"", "q"), "a\"b\\cd");
    CHECK_STR(param("a/b; x=\";charset=no\"; charset=yes", "charset"), "yes");
    CHECK_STR(param("multipart/form-data; boundary=\"a;b=c\"", "boundary"), "a;b=c");
    CHECK(param("a/b", "charset") == NULL);
    CHECK(param("a/b;;", "charset") == NULL);
    CHECK(param("a/b; xcharset=1; charsetx=2", "charset") == NULL);
}

TEST(what_is_no_parameter_is_passed_over)
{
    CHECK_STR(param("a/b; nonsense; charset=x", "charset"), "x");
    CHECK_STR(param("a/b; =1; charset=x", "charset"), "x");
    CHECK_STR(param("a/b; y=\"1\" 2; charset=x", "charset"), "x");
    CHECK_STR(param("a/b; y=\xc3\xa4; charset=x", "charset"), "x");
    CHECK_STR(param("a/b; y=\"\x01\"; charset=x", "charset"), "x");
    CHECK(param("a/b; charset=\"\x01\"", "charset") == NULL);
    CHECK(param("a/b; charset=", "charset") == NULL);
    CHECK(param("a/b; charset=\"x", "charset") == NULL);
    CHECK(param("a/b; charset=\"x\\\"", "charset") == NULL);
    CHECK(param("a/b; charset=\"x\\", "charset") == NULL);
    CHECK(param("a/b; y=\"; charset=x", "charset") == NULL); /* inside a quote that never ends */
    rill__param none;
    rill_str text = RILL_STR("charset=x"); /* without the ";" in front */
    CHECK_INT(rill__param_next(&text, &none), -1);
    CHECK_INT(rill__param_next(&text, &none), 0);
}

TEST(a_value_fits_or_is_not_given)
{
    rill_str found, params = RILL_STR("; a=\"\\1\\2\\3\"");
    char value[4];
    CHECK(rill__param_find(params, "a", value, 4, &found));
    CHECK_STR(value, "123");
    CHECK(!rill__param_find(params, "a", value, 3, &found));
    CHECK(!rill__param_find(params, "a", value, 0, &found));
    params = RILL_STR("; a=\"\"");
    CHECK(rill__param_find(params, "a", value, 1, &found));
    CHECK_INT(found.len, 0);
    CHECK(!rill__param_find(params, "a", value, 0, &found));
}

TEST(a_look_up_is_linear)
{
    rill__buf text = rill__buf_make(16 << 20);
    rill__buf_puts(&text, "a/b");
    for (int i = 0; i < 300000; i++)
        rill__buf_puts(&text, "; x=\"\\\";\";;y; =");
    rill__buf_puts(&text, "; charset=z");
    clock_t start = clock();
    CHECK_STR(param(text.ptr, "charset"), "z");
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 2);
    rill__buf_free(&text);
}

/* Rows of the table that are read otherwise, or not, here. */
static const struct {
    const char *field, *why;
} exceptions[] = {
    { "foo; key=val1; key=the-key-appears-again-which-is-bogus", "the first of two counts" },
    { "attachment; filename=\"foo.html\"; filename=\"bar.html\"", "the first of two counts" },
    { "attachment; ;filename=foo", "RFC 9110 5.6.6 allows an empty parameter" },
    { "attachment; filename=\"f\\oo.html\"", "a backslash quotes any character, as in RFC 9110" },
    { "attachment; filename=\"foo-%\\41.html\"", "a backslash quotes any character" },
    { "form-data; name=\"file\"; filename=\"C:\\dev\\go\\robots.txt\"",
      "a backslash quotes any character" },
    { "form-data; name=\"file\"; "
      "filename=\"C:\\\xe6\x96\xb0\xe5\xbb\xba\xe6\x96\x87\xe4\xbb\xb6\xe5\xa4\xb9\\"
      "\xe4\xb8\xad\xe6\x96\x87\xe7\xac\xac\xe4\xba\x8c\xe6\xac\xa1\xe6\xb5\x8b\xe8\xaf\x95.mp4\"",
      "a backslash quotes any character" },
};

static bool is_exception(const char *field)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (strcmp(field, exceptions[i].field) == 0)
            return true;
    return false;
}

/* Reads a row as a media type: its type alone is no media type, so "x/" is put in front. What is
 * left in `*ret` are the parameters as an object; false when anything is malformed. */
static bool read_row(const char *field, json_t *params, rill__buf *type)
{
    rill__buf text = rill__buf_make(10000);
    const char *slash = strchr(field, '/'), *end = strpbrk(field, ";\"");
    bool has_type = slash && (!end || slash < end);
    rill__buf_printf(&text, "%s%s", has_type ? "" : "x/", field + strspn(field, " "));
    rill__media media;
    bool good = rill__media_parse(rill__buf_str(&text), &media);
    rill__buf_append(type, has_type ? media.whole.ptr : media.subtype.ptr,
                     !good      ? 0
                     : has_type ? media.whole.len
                                : media.subtype.len);
    rill__param param;
    int rc = 0;
    while (good && (rc = rill__param_next(&media.params, &param)) > 0) {
        char value[1000], name[100];
        rill_str ret;
        CHECK(rill__param_value(&param, value, sizeof value, &ret));
        snprintf(name, sizeof name, RILL_STR_FMT, RILL_STR_ARG(param.name));
        for (char *c = name; *c; c++)
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
        json_object_set_new(params, name, json_string(value));
    }
    rill__buf_free(&text);
    return good && rc == 0;
}

static void check_row(json_t *row, bool bad)
{
    const char *field = json_string_value(json_object_get(row, "in"));
    const char *type = json_string_value(json_object_get(row, "t"));
    bool refused = bad || !type || !*type;
    rill__buf read = rill__buf_make(1000);
    json_t *params = json_object();
    bool good = read_row(field, params, &read);
    if (good == refused)
        test_fail(__FILE__, __LINE__, "%s is %s", field, good ? "taken" : "refused");
    if (good && !refused) {
        CHECK(rill_str_caseeq(rill__buf_str(&read), rill_str_of(type)));
        if (!json_equal(params, json_object_get(row, "p")))
            test_fail(__FILE__, __LINE__, "%s has other parameters", field);
    }
    json_decref(params);
    rill__buf_free(&read);
}

TEST(table_of_go)
{
    const char *dir = test_data_dir();
    char *text = dir ? test_read_file(dir, "go-mime.json", NULL) : NULL;
    if (!text) {
        test_skip("no test data");
        return;
    }
    json_t *root = json_loads(text, JSON_ALLOW_NUL, NULL), *row;
    size_t i, read = 0, excepted = 0, extended = 0;
    static const char *const tables[] = { "bad", "parseMediaType" };
    for (size_t table = 0; table < 2; table++) {
        json_array_foreach(json_object_get(root, tables[table]), i, row)
        {
            const char *field = json_string_value(json_object_get(row, "in"));
            REQUIRE(field);
            if (is_exception(field)) {
                excepted++;
            } else if (strchr(field, '*')) { /* RFC 2231 and 5987: not of media types */
                extended++;
            } else {
                check_row(row, table == 0);
                read++;
            }
        }
    }
    CHECK_INT(excepted, sizeof exceptions / sizeof *exceptions);
    CHECK_INT(extended, 25);
    CHECK_INT(read + excepted + extended, 93);
    json_decref(root);
    free(text);
}

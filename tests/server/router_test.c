/* The router by itself: which route a path leads to, what its parameters are, what is refused. */
#include "harness.h"
#include "server/router.h"

#include <stdlib.h>

static int handler(rill_request *request)
{
    (void)request;
    return 0;
}

struct table {
    rill__arena arena;
    rill__router router;
};

static int add(struct table *table, const char *method, const char *path)
{
    rill_route_opts opts = { .size = sizeof opts, .handler = handler };
    table->router.arena = &table->arena;
    return rill__router_add(&table->router, method, path, &opts);
}

/* "GET /a/{x}" and the parameters, as "GET /a/{x} x=1"; "404" or "405". */
static const char *find(struct table *table, const char *method, const char *path)
{
    static char text[400];
    rill_str params[RILL__ROUTE_PARAMS_MAX];
    bool known;
    const rill__route *route =
        rill__router_find(&table->router, rill_str_of(method), rill_str_of(path), params, &known);
    if (!route)
        return known ? "405" : "404";
    int len = snprintf(text, sizeof text, "%s", route->name);
    for (size_t i = 0; i < route->param_count; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, " " RILL_STR_FMT "=" RILL_STR_FMT,
                        RILL_STR_ARG(route->params[i]), RILL_STR_ARG(params[i]));
    return text;
}

TEST(literals_and_parameters)
{
    struct table table = { 0 };
    static const char *const paths[] = { "/",      "/a",         "/a/",        "/a/{x}",
                                         "/a/b",   "/a/{x}/c",   "/{y}/d",     "/f/{r*}",
                                         "/f/one", "/g/{x}/{y}", "/caf%C3%A9", "/g/{x}/z" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        CHECK_INT(add(&table, "GET", paths[i]), 0);
    static const struct {
        const char *path, *found;
    } rows[] = {
        { "/", "GET /" },
        { "/a", "GET /a" },
        { "/a/", "GET /a/" },
        { "/a//", "404" },
        { "//a", "404" },
        { "/a/1", "GET /a/{x} x=1" },
        { "/a/b", "GET /a/b" },
        { "/a/%62", "GET /a/b" },
        { "/a/b/c", "GET /a/{x}/c x=b" }, /* the literal leads nowhere: the parameter does */
        { "/a/d", "GET /a/{x} x=d" },
        { "/q/d", "GET /{y}/d y=q" },
        { "/q/e", "404" },
        { "/a/x%2Fy", "GET /a/{x} x=x%2Fy" },
        { "/a/x%252F", "GET /a/{x} x=x%252F" },
        { "/f", "404" },
        { "/f/", "GET /f/{r*} r=" },
        { "/f/x/y/", "GET /f/{r*} r=x/y/" },
        { "/f/one", "GET /f/one" },
        { "/f/one/", "GET /f/{r*} r=one/" },
        { "/g/1/2", "GET /g/{x}/{y} x=1 y=2" },
        { "/g/1/z", "GET /g/{x}/z x=1" },
        { "/g//2", "404" },
        { "/caf%c3%a9", "GET /caf%C3%A9" },
        { "*", "404" },
        { "", "404" },
        { "/%", "404" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_STR(find(&table, "GET", rows[i].path), rows[i].found);
    rill__arena_free(&table.arena);
}

TEST(methods)
{
    struct table table = { 0 };
    CHECK_INT(add(&table, "GET", "/a"), 0);
    CHECK_INT(add(&table, "POST", "/a"), 0);
    CHECK_INT(add(&table, "PUT", "/{x}"), 0);
    CHECK_INT(add(&table, "*", "/any"), 0);
    CHECK_INT(add(&table, "HEAD", "/h"), 0);
    CHECK_INT(add(&table, "GET", "/h"), 0);
    CHECK_STR(find(&table, "GET", "/a"), "GET /a");
    CHECK_STR(find(&table, "HEAD", "/a"), "GET /a");
    CHECK_STR(find(&table, "HEAD", "/h"), "HEAD /h");
    CHECK_STR(find(&table, "POST", "/a"), "POST /a");
    CHECK_STR(find(&table, "PUT", "/a"), "PUT /{x} x=a"); /* the same path by another way */
    CHECK_STR(find(&table, "DELETE", "/a"), "405");
    CHECK_STR(find(&table, "get", "/a"), "405");
    CHECK_STR(find(&table, "BREW", "/any"), "* /any");
    const char *allow;
    rill_str path = RILL_STR("/a");
    rill__router_allow(&table.router, &path, &table.arena, &allow);
    CHECK_STR(allow, "GET, HEAD, POST, PUT");
    rill__router_allow(&table.router, NULL, &table.arena, &allow);
    CHECK_CONTAINS(allow, "PUT");
    path = RILL_STR("/a/b/c");
    rill__router_allow(&table.router, &path, &table.arena, &allow);
    CHECK_STR(allow, "");
    rill__arena_free(&table.arena);
}

TEST(bad_routes)
{
    struct table table = { 0 };
    CHECK_INT(add(&table, "GET", "/{a}/x"), 0);
    static const struct {
        const char *method, *path, *why;
    } rows[] = {
        { "GET", "a", "route GET a: the path does not begin with a slash" },
        { "GET", "", "route GET : the path does not begin with a slash" },
        { "GET", "/{a}/x", "route GET /{a}/x: there is such a route already" },
        { "GET", "/{b}/x", "route GET /{b}/x: there is such a route already" },
        { "GET", "/{}", "route GET /{}: a parameter has no name" },
        { "GET", "/{*}", "route GET /{*}: a parameter has no name" },
        { "GET", "/{a}/{a}", "route GET /{a}/{a}: two parameters have the same name" },
        { "GET", "/x{a}", "route GET /x{a}: a parameter is a whole segment, {name} or {name*}" },
        { "GET", "/{a", "route GET /{a: a parameter is a whole segment, {name} or {name*}" },
        { "GET", "/{a*}/b", "route GET /{a*}/b: {name*} takes the rest: nothing can follow it" },
        { "G T", "/b", "route G T /b: the method is not a token" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_INT(add(&table, rows[i].method, rows[i].path), RILL_EINVAL);
        CHECK_STR(rill_last_error()->message, rows[i].why);
    }
    char deep[200] = "";
    for (int i = 0; i < 32; i++)
        strcat(deep, "/s");
    CHECK_INT(add(&table, "GET", deep), 0);
    CHECK_STR(find(&table, "HEAD", deep) + 4, deep);
    strcat(deep, "/s");
    CHECK_INT(add(&table, "GET", deep), RILL_EINVAL);
    CHECK_STR(find(&table, "GET", deep), "404");
    rill__arena_free(&table.arena);
}

TEST(many_routes)
{
    struct table table = { 0 };
    char path[40], found[60];
    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof path, "/r/%d/{x}", (i * 7919) % 2000);
        CHECK_INT(add(&table, "GET", path), 0);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof path, "/r/%d/v", i);
        snprintf(found, sizeof found, "GET /r/%d/{x} x=v", i);
        CHECK_STR(find(&table, "GET", path), found);
    }
    CHECK_STR(find(&table, "GET", "/r/2000/v"), "404");
    rill__arena_free(&table.arena);
}

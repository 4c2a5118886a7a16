/*
 * The router: a tree of path segments.
 *
 * A path is cut at its slashes before escapes are resolved, so that %2F stays inside its segment.
 * At each segment a literal is tried first, then a parameter, then the rest; where one way leads
 * nowhere the next is taken. What is remembered on the way is bounded by the longest route.
 */
#ifndef RILL_SRC_SERVER_ROUTER_H
#define RILL_SRC_SERVER_ROUTER_H

#include "base/arena.h"

#include <rill/server.h>

#define RILL__ROUTE_SEGMENTS_MAX 32
#define RILL__ROUTE_PARAMS_MAX 16

typedef struct rill__route {
    struct rill__route *next; /* of the same path */
    rill_str method;          /* "*": any */
    const char *name;         /* "GET /hello/{name}" */
    rill_str params[RILL__ROUTE_PARAMS_MAX];
    size_t param_count;
    rill_route_opts opts;
} rill__route;

typedef struct rill__route_node {
    rill_str literal;
    struct rill__route_node **literals; /* sorted */
    uint32_t literal_count, literal_cap;
    struct rill__route_node *param; /* one segment that is not empty */
    struct rill__route_node *rest;  /* all that is left */
    rill__route *routes;            /* those that end here */
} rill__route_node;

typedef struct rill__router {
    rill__arena *arena;
    rill__route_node *root;
} rill__router;

/* Adds a route. Returns 0, or RILL_EINVAL with a sentence that names it, or RILL_ENOMEM. */
int rill__router_add(rill__router *router, const char *method, const char *path,
                     const rill_route_opts *opts);

/* Finds the route of a path as it was sent, without its query, or NULL: then *ret_path_known says
 * whether there are other methods. params gets what the route's parameters matched, as sent. */
const rill__route *rill__router_find(const rill__router *router, rill_str method, rill_str path,
                                     rill_str params[RILL__ROUTE_PARAMS_MAX], bool *ret_path_known);

/* The methods that a path has, as "GET, HEAD, POST"; of all paths for NULL. */
void rill__router_allow(const rill__router *router, const rill_str *path, rill__arena *arena,
                        const char **ret_allow);

#endif

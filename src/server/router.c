/* The router: adding routes to the tree, and finding them; see router.h. */
#include "server/router.h"

#include "base/fail.h"
#include "http/percent.h"
#include "http/token.h"

/* ---- the tree ---- */

static int compare(rill_str a, rill_str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

/* Where the literal stands among the children, or would. */
static uint32_t literal_place(const rill__route_node *node, rill_str literal)
{
    uint32_t low = 0, high = node->literal_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (compare(node->literals[middle]->literal, literal) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static rill__route_node *find_literal(const rill__route_node *node, rill_str literal)
{
    uint32_t at = literal_place(node, literal);
    if (at == node->literal_count || compare(node->literals[at]->literal, literal) != 0)
        return NULL;
    return node->literals[at];
}

static bool grow_literals(rill__arena *arena, rill__route_node *node)
{
    if (node->literal_count < node->literal_cap)
        return true;
    uint32_t cap = node->literal_cap ? node->literal_cap * 2 : 4;
    rill__route_node **grown = rill__arena_alloc(arena, cap * sizeof(*grown));
    if (!grown)
        return false;
    if (node->literal_count > 0)
        memcpy(grown, node->literals, node->literal_count * sizeof(*grown));
    node->literals = grown;
    node->literal_cap = cap;
    return true;
}

static rill__route_node *add_literal(rill__arena *arena, rill__route_node *node, rill_str text)
{
    rill_str literal = rill__percent_decode_dup(arena, text);
    if (!literal.ptr)
        return NULL;
    rill__route_node *child = find_literal(node, literal);
    if (child)
        return child;
    child = rill__arena_zalloc(arena, sizeof *child);
    if (!child || !grow_literals(arena, node))
        return NULL;
    child->literal = literal;
    uint32_t at = literal_place(node, literal);
    memmove(&node->literals[at + 1], &node->literals[at],
            (node->literal_count - at) * sizeof(node->literals[0]));
    node->literals[at] = child;
    node->literal_count++;
    return child;
}

static rill__route_node *add_child(rill__arena *arena, rill__route_node **child)
{
    if (!*child)
        *child = rill__arena_zalloc(arena, sizeof **child);
    return *child;
}

/* ---- adding ---- */

/* Takes the next segment off the path: what stands before the next slash. */
static rill_str cut_segment(rill_str *path)
{
    const char *slash = memchr(path->ptr, '/', path->len);
    rill_str segment = { path->ptr, slash ? (size_t)(slash - path->ptr) : path->len };
    size_t taken = segment.len + (slash != NULL);
    *path = (rill_str){ path->ptr + taken, path->len - taken };
    return segment;
}

static int bad(const rill__route *route, const char *why)
{
    return rill__fail(RILL_EINVAL, "route %s: %s", route->name, why);
}

/* Reads "{name}" or "{name*}"; *ret_rest says which. */
static int read_param(rill__route *route, rill_str segment, bool *ret_rest)
{
    rill_str name = { segment.ptr + 1, segment.len - 2 };
    *ret_rest = name.len > 0 && name.ptr[name.len - 1] == '*';
    name.len -= *ret_rest;
    if (name.len == 0)
        return bad(route, "a parameter has no name");
    if (memchr(name.ptr, '{', name.len) || memchr(name.ptr, '}', name.len) ||
        memchr(name.ptr, '*', name.len))
        return bad(route, "a parameter is a whole segment, {name} or {name*}");
    for (size_t i = 0; i < route->param_count; i++)
        if (rill_str_eq(route->params[i], name))
            return bad(route, "two parameters have the same name");
    if (route->param_count == RILL__ROUTE_PARAMS_MAX)
        return bad(route, "it has more than 16 parameters");
    route->params[route->param_count++] = name;
    return 0;
}

/* Goes one segment down. *ret_rest: no segment may follow. */
static int descend(rill__router *router, rill__route *route, rill_str segment,
                   rill__route_node **node, bool *ret_rest)
{
    *ret_rest = false;
    if (segment.len >= 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}') {
        RILL__TRY(read_param(route, segment, ret_rest));
        *node = add_child(router->arena, *ret_rest ? &(*node)->rest : &(*node)->param);
    } else if (memchr(segment.ptr, '{', segment.len) || memchr(segment.ptr, '}', segment.len)) {
        return bad(route, "a parameter is a whole segment, {name} or {name*}");
    } else {
        *node = add_literal(router->arena, *node, segment);
    }
    return *node ? 0 : rill__fail_nomem();
}

static int add_to_tree(rill__router *router, rill__route *route, rill_str path)
{
    rill__route_node *node = add_child(router->arena, &router->root);
    if (!node)
        return rill__fail_nomem();
    if (path.len == 0 || path.ptr[0] != '/')
        return bad(route, "the path does not begin with a slash");
    bool more = true, rest = false;
    path = (rill_str){ path.ptr + 1, path.len - 1 };
    for (int depth = 0; more; depth++) {
        if (rest)
            return bad(route, "{name*} takes the rest: nothing can follow it");
        if (depth == RILL__ROUTE_SEGMENTS_MAX)
            return bad(route, "it has more than 32 segments");
        more = memchr(path.ptr, '/', path.len) != NULL;
        RILL__TRY(descend(router, route, cut_segment(&path), &node, &rest));
    }
    rill__route **place = &node->routes;
    for (; *place; place = &(*place)->next)
        if (rill_str_eq((*place)->method, route->method))
            return bad(route, "there is such a route already");
    *place = route;
    return 0;
}

int rill__router_add(rill__router *router, const char *method, const char *path,
                     const rill_route_opts *opts)
{
    if (!method || !path)
        return rill__fail(RILL_EINVAL, "route: the %s is missing", method ? "path" : "method");
    rill__route *route = rill__arena_zalloc(router->arena, sizeof *route);
    char *name = rill__arena_printf(router->arena, "%s %s", method, path);
    if (!route || !name)
        return rill__fail_nomem();
    route->name = name;
    route->method = (rill_str){ name, strlen(method) };
    route->opts = *opts;
    if (!opts->handler)
        return bad(route, "it has no handler");
    if (route->method.len == 0 || rill__token_bad(route->method) != route->method.len)
        return bad(route, "the method is not a token");
    return add_to_tree(router, route, rill_str_of(name + route->method.len + 1));
}

/* ---- finding ---- */

/* One segment on the way down: the node it is looked up in, and which ways are still to be tried.
 */
struct step {
    const rill__route_node *node;
    rill_str left; /* of the path, this segment first */
    uint8_t way;   /* 0: the literal, 1: the parameter, 2: the rest, 3: none */
    uint8_t params;
};

static const rill__route *route_of(const rill__route_node *node, rill_str method)
{
    const rill__route *any = NULL, *get = NULL;
    bool head = rill_str_eq(method, RILL_STR("HEAD"));
    for (const rill__route *route = node->routes; route; route = route->next) {
        if (rill_str_eq(route->method, method))
            return route;
        if (head && rill_str_eq(route->method, RILL_STR("GET")))
            get = route;
        if (rill_str_eq(route->method, RILL_STR("*")))
            any = route;
    }
    return get ? get : any;
}

static const rill__route_node *literal_child(const rill__route_node *node, rill_str segment)
{
    char decoded[256];
    if (node->literal_count == 0)
        return NULL;
    if (memchr(segment.ptr, '%', segment.len)) {
        if (segment.len > sizeof decoded)
            return NULL;
        segment = (rill_str){ decoded, rill__percent_decode(decoded, segment) };
    }
    return find_literal(node, segment);
}

/* Tries the step's next way. Returns the node it leads to, or NULL. */
static const rill__route_node *take_way(struct step *step, rill_str *params, rill_str *left,
                                        bool *ret_end)
{
    rill_str rest = step->left;
    rill_str segment = cut_segment(&rest);
    *ret_end = segment.len == step->left.len;
    *left = rest;
    switch (step->way++) {
    case 0:
        return literal_child(step->node, segment);
    case 1:
        if (segment.len == 0 || !step->node->param)
            return NULL;
        params[step->params] = segment;
        return step->node->param;
    default:
        if (!step->node->rest)
            return NULL;
        params[step->params] = step->left;
        *ret_end = true;
        return step->node->rest;
    }
}

/* Called with every node that the path leads to; true ends the search. */
typedef bool visit_fn(void *arg, const rill__route_node *node);

static void search(const rill__route_node *root, rill_str path, rill_str *params, visit_fn *visit,
                   void *arg)
{
    struct step steps[RILL__ROUTE_SEGMENTS_MAX];
    int depth = 0;
    steps[0] = (struct step){ .node = root, .left = { path.ptr + 1, path.len - 1 } };
    while (depth >= 0) {
        struct step *step = &steps[depth];
        if (step->way > 2) {
            depth--;
            continue;
        }
        rill_str left;
        bool end;
        uint8_t way = step->way;
        const rill__route_node *node = take_way(step, params, &left, &end);
        if (!node)
            continue;
        if (end) {
            if (visit(arg, node))
                return;
        } else if (depth + 1 < RILL__ROUTE_SEGMENTS_MAX) {
            steps[++depth] = (struct step){ .node = node,
                                            .left = left,
                                            .params = (uint8_t)(step->params + (way == 1)) };
        }
    }
}

struct lookup {
    rill_str method;
    const rill__route *route;
    bool path_known;
};

static bool try_node(void *arg, const rill__route_node *node)
{
    struct lookup *lookup = arg;
    if (!node->routes)
        return false;
    lookup->path_known = true;
    lookup->route = route_of(node, lookup->method);
    return lookup->route != NULL;
}

const rill__route *rill__router_find(const rill__router *router, rill_str method, rill_str path,
                                     rill_str params[RILL__ROUTE_PARAMS_MAX], bool *ret_path_known)
{
    struct lookup lookup = { .method = method };
    if (router->root && path.len > 0 && path.ptr[0] == '/')
        search(router->root, path, params, try_node, &lookup);
    *ret_path_known = lookup.path_known;
    return lookup.route;
}

/* ---- what a path allows ---- */

struct allowed {
    rill__arena *arena;
    const char *text;
};

static void allow(struct allowed *allowed, rill_str method)
{
    rill_str have = rill_str_of(allowed->text);
    for (size_t at = 0; at + method.len <= have.len; at++) {
        bool begins = at == 0 || have.ptr[at - 1] == ' ';
        bool ends = at + method.len == have.len || have.ptr[at + method.len] == ',';
        if (begins && ends && memcmp(have.ptr + at, method.ptr, method.len) == 0)
            return;
    }
    allowed->text =
        rill__arena_printf(allowed->arena, "%s%s" RILL_STR_FMT, have.len ? have.ptr : "",
                           have.len ? ", " : "", RILL_STR_ARG(method));
}

static bool allow_node(void *arg, const rill__route_node *node)
{
    for (const rill__route *route = node->routes; route; route = route->next) {
        if (rill_str_eq(route->method, RILL_STR("*")))
            continue;
        allow(arg, route->method);
        if (rill_str_eq(route->method, RILL_STR("GET")))
            allow(arg, RILL_STR("HEAD"));
    }
    return false;
}

/* All nodes below one, in no order; as deep as the longest route. */
static void allow_all(struct allowed *allowed, const rill__route_node *root)
{
    struct {
        const rill__route_node *node;
        uint32_t at;
    } steps[RILL__ROUTE_SEGMENTS_MAX + 1];
    int depth = 0;
    steps[0].node = root;
    steps[0].at = 0;
    while (depth >= 0) {
        const rill__route_node *node = steps[depth].node;
        uint32_t at = steps[depth].at++;
        const rill__route_node *child = NULL;
        if (at == 0)
            allow_node(allowed, node);
        if (at < node->literal_count)
            child = node->literals[at];
        else if (at == node->literal_count)
            child = node->param;
        else if (at == node->literal_count + 1)
            child = node->rest;
        else
            depth--;
        if (child) {
            steps[++depth].node = child;
            steps[depth].at = 0;
        }
    }
}

void rill__router_allow(const rill__router *router, const rill_str *path, rill__arena *arena,
                        const char **ret_allow)
{
    struct allowed allowed = { .arena = arena };
    rill_str params[RILL__ROUTE_PARAMS_MAX];
    if (router->root && !path)
        allow_all(&allowed, router->root);
    else if (router->root && path->len > 0 && path->ptr[0] == '/')
        search(router->root, *path, params, allow_node, &allowed);
    *ret_allow = allowed.text ? allowed.text : "";
}

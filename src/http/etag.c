/* Entity tags, and what a server does with a conditional request. */
#include "http/etag.h"

#include "http/date.h"
#include "http/token.h"

/* The verdict on one list of tags. */
enum match {
    MATCH_NONE,
    MATCH_SOME,
    MATCH_BROKEN, /* no tag matched before a fault */
};

/* A byte between the quotes: all but controls, space and the quote itself. */
static bool is_etagc(char c)
{
    return (unsigned char)c > ' ' && c != '"' && c != 0x7f;
}

/* Takes a tag off the front. */
static bool take_tag(rill_str *text, rill__etag *ret_etag)
{
    bool weak = text->len >= 2 && text->ptr[0] == 'W' && text->ptr[1] == '/';
    size_t start = weak ? 2 : 0;
    if (start == text->len || text->ptr[start] != '"')
        return false;
    size_t end = ++start;
    while (end < text->len && is_etagc(text->ptr[end]))
        end++;
    if (end == text->len || text->ptr[end] != '"')
        return false;
    *ret_etag = (rill__etag){ { text->ptr + start, end - start }, weak };
    *text = (rill_str){ text->ptr + end + 1, text->len - end - 1 };
    return true;
}

bool rill__etag_parse(rill_str text, rill__etag *ret_etag)
{
    rill__etag etag;
    text = rill__trim(text);
    if (!take_tag(&text, &etag) || text.len > 0)
        return false;
    *ret_etag = etag;
    return true;
}

int rill__etag_next(rill_str *list, rill__etag *ret_etag)
{
    size_t at = 0;
    while (at < list->len && (rill__is_ows(list->ptr[at]) || list->ptr[at] == ','))
        at++;
    *list = (rill_str){ list->ptr + at, list->len - at };
    if (list->len == 0)
        return 0;
    if (!take_tag(list, ret_etag))
        return -1;
    at = 0;
    while (at < list->len && rill__is_ows(list->ptr[at]))
        at++;
    return at == list->len || list->ptr[at] == ',' ? 1 : -1;
}

bool rill__etag_weak_eq(const rill__etag *a, const rill__etag *b)
{
    return rill_str_eq(a->opaque, b->opaque);
}

bool rill__etag_strong_eq(const rill__etag *a, const rill__etag *b)
{
    return !a->weak && !b->weak && rill_str_eq(a->opaque, b->opaque);
}

static enum match match_list(rill_str list, const rill__validators *current,
                             bool (*equal)(const rill__etag *, const rill__etag *))
{
    if (rill_str_eq(rill__trim(list), RILL_STR("*")))
        return current->missing ? MATCH_NONE : MATCH_SOME;
    rill__etag etag;
    int rc;
    while ((rc = rill__etag_next(&list, &etag)) > 0)
        if (current->etag && equal(&etag, current->etag))
            return MATCH_SOME;
    return rc < 0 ? MATCH_BROKEN : MATCH_NONE;
}

/* Whether the resource changed after the date in the field; `otherwise` when that cannot be told.
 */
static bool changed_since(rill_str field, const rill__validators *current, int64_t now,
                          bool otherwise)
{
    int64_t date;
    if (!current->has_modified || !rill__date_parse(field, now, &date))
        return otherwise;
    return current->modified > date;
}

static bool is_one_of(rill_str method, const char *a, const char *b, const char *c)
{
    return rill_str_eq(method, rill_str_of(a)) || rill_str_eq(method, rill_str_of(b)) ||
           rill_str_eq(method, rill_str_of(c));
}

int rill__preconditions(const rill__conditions *conditions, const rill__validators *validators,
                        int64_t now)
{
    /* 13.2.1: methods that select no representation know no conditions. */
    if (is_one_of(conditions->method, "CONNECT", "OPTIONS", "TRACE"))
        return 0;
    if (conditions->if_match.ptr) {
        if (match_list(conditions->if_match, validators, rill__etag_strong_eq) != MATCH_SOME)
            return 412;
    } else if (conditions->if_unmodified_since.ptr &&
               changed_since(conditions->if_unmodified_since, validators, now, false)) {
        return 412;
    }
    bool reads = is_one_of(conditions->method, "GET", "HEAD", "HEAD");
    if (conditions->if_none_match.ptr) {
        enum match match = match_list(conditions->if_none_match, validators, rill__etag_weak_eq);
        if (match == MATCH_SOME)
            return reads ? 304 : 412;
        return match == MATCH_BROKEN && !reads ? 412 : 0;
    }
    if (reads && conditions->if_modified_since.ptr &&
        !changed_since(conditions->if_modified_since, validators, now, true))
        return 304;
    return 0;
}

bool rill__if_range(rill_str value, const rill__validators *validators, int64_t now)
{
    rill__etag etag;
    if (rill__etag_parse(value, &etag))
        return validators->etag && rill__etag_strong_eq(&etag, validators->etag);
    int64_t date;
    return validators->has_modified && rill__date_parse(value, now, &date) &&
           date == validators->modified && validators->modified < now;
}

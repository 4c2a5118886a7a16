/*
 * The header table: an array of entries in the order of their coming, searched from the front.
 *
 * Real messages have some ten to thirty fields, so a scan that compares lengths first beats any
 * hashing, and the bound on the count keeps the worst case small.
 */
#include "http/headers.h"

#include "base/alloc.h"
#include "base/fail.h"
#include "http/h1.h"
#include "http/token.h"

/* How much of a name goes into an error's sentence. */
#define SHOWN 64

static int shown(size_t len)
{
    return (int)(len < SHOWN ? len : SHOWN);
}

int rill__header_check(rill_str name, rill_str value)
{
    if (name.len == 0)
        return rill__fail(RILL_EINVAL, "header: the name is empty");
    size_t bad = rill__token_bad(name);
    if (bad < name.len)
        return rill__fail(RILL_EINVAL, "header name \"%.*s\": byte 0x%02x at %zu is not allowed",
                          shown(bad), name.ptr, (uint8_t)name.ptr[bad], bad);
    bad = rill__value_bad(value);
    if (bad < value.len)
        return rill__fail(RILL_EINVAL,
                          "header %.*s: byte 0x%02x at %zu of the value is not allowed",
                          shown(name.len), name.ptr, (uint8_t)value.ptr[bad], bad);
    return 0;
}

static int check_room(const rill_headers *headers, rill_str name, rill_str value, size_t replaced)
{
    if (headers->count >= RILL_HEADERS_MAX_COUNT && replaced == 0)
        return rill__fail(RILL_ELIMIT, "header %.*s: the table holds %d fields already",
                          shown(name.len), name.ptr, RILL_HEADERS_MAX_COUNT);
    size_t used = headers->bytes - replaced;
    if (name.len > RILL_HEADERS_MAX_BYTES - used ||
        value.len > RILL_HEADERS_MAX_BYTES - used - name.len)
        return rill__fail(RILL_ELIMIT, "header %.*s: the table would hold more than %d bytes",
                          shown(name.len), name.ptr, RILL_HEADERS_MAX_BYTES);
    return 0;
}

/* Makes the array hold at least `cap` entries. */
static int reserve(rill_headers *headers, uint32_t cap)
{
    if (cap <= headers->cap)
        return 0;
    size_t size = cap * sizeof headers->entries[0];
    struct rill__header_entry *entries = headers->arena ? rill__arena_alloc(headers->arena, size)
                                                        : rill__realloc(headers->entries, size);
    if (!entries)
        return rill__fail_nomem();
    if (headers->arena && headers->count > 0)
        memcpy(entries, headers->entries, headers->count * sizeof entries[0]);
    headers->entries = entries;
    headers->cap = cap;
    return 0;
}

static char *put(char *to, rill_str text)
{
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return to + text.len + 1;
}

static int make_entry(const rill_headers *headers, rill_str name, rill_str value,
                      struct rill__header_entry *ret_entry)
{
    size_t size = name.len + value.len + 2;
    char *text = headers->arena ? rill__arena_alloc(headers->arena, size) : rill__alloc(size);
    if (!text)
        return rill__fail_nomem();
    char *value_at = put(text, name);
    put(value_at, value);
    *ret_entry = (struct rill__header_entry){ .name = text,
                                              .value = value_at,
                                              .name_len = (uint32_t)name.len,
                                              .value_len = (uint32_t)value.len };
    return 0;
}

static size_t entry_bytes(const struct rill__header_entry *entry)
{
    return (size_t)entry->name_len + entry->value_len;
}

static void drop_entry(rill_headers *headers, struct rill__header_entry *entry)
{
    headers->bytes -= entry_bytes(entry);
    if (!headers->arena)
        rill__free((char *)(uintptr_t)entry->name);
}

static bool is_named(const struct rill__header_entry *entry, rill_str name)
{
    return entry->name_len == name.len &&
           rill_str_caseeq((rill_str){ entry->name, entry->name_len }, name);
}

/* Drops the entries of the name from `from` on and closes the gaps; returns how many there were.
 * The name may be the text of one of them, so all are found before any is freed. */
static size_t remove_from(rill_headers *headers, size_t from, rill_str name)
{
    for (size_t i = from; i < headers->count; i++)
        if (is_named(&headers->entries[i], name))
            headers->entries[i].value = NULL;
    size_t kept = from;
    for (size_t i = from; i < headers->count; i++) {
        if (headers->entries[i].value)
            headers->entries[kept++] = headers->entries[i];
        else
            drop_entry(headers, &headers->entries[i]);
    }
    size_t removed = headers->count - kept;
    headers->count = (uint32_t)kept;
    return removed;
}

void rill__headers_finish(rill_headers *headers)
{
    if (!headers->arena) {
        for (size_t i = 0; i < headers->count; i++)
            drop_entry(headers, &headers->entries[i]);
        rill__free(headers->entries);
    }
    rill__headers_init(headers, headers->arena);
}

int rill__headers_view(rill_headers *headers, rill__arena *arena, char *text,
                       const struct rill__h1_head *head)
{
    rill__headers_init(headers, arena);
    if (head->field_count == 0)
        return 0;
    RILL__TRY(reserve(headers, head->field_count));
    for (uint32_t i = 0; i < head->field_count; i++) {
        const struct rill__h1_field *field = &head->fields[i];
        char *name = text + field->name.off, *value = text + field->value.off;
        name[field->name.len] = value[field->value.len] = '\0';
        headers->entries[i] = (struct rill__header_entry){
            .name = name, .value = value, .name_len = field->name.len, .value_len = field->value.len
        };
        headers->bytes += (size_t)field->name.len + field->value.len;
    }
    headers->count = head->field_count;
    return 0;
}

int rill__headers_add(rill_headers *headers, rill_str name, rill_str value)
{
    RILL__TRY(rill__header_check(name, value));
    value = rill__trim(value);
    RILL__TRY(check_room(headers, name, value, 0));
    if (headers->count == headers->cap)
        RILL__TRY(reserve(headers, headers->cap ? headers->cap * 2 : 8));
    struct rill__header_entry entry;
    RILL__TRY(make_entry(headers, name, value, &entry));
    headers->entries[headers->count++] = entry;
    headers->bytes += name.len + value.len;
    return 0;
}

int rill__headers_set(rill_headers *headers, rill_str name, rill_str value)
{
    size_t at = 0;
    if (!rill__headers_find(headers, name, &at))
        return rill__headers_add(headers, name, value);
    RILL__TRY(rill__header_check(name, value));
    value = rill__trim(value);
    struct rill__header_entry *first = &headers->entries[at - 1], entry;
    RILL__TRY(check_room(headers, name, value, entry_bytes(first)));
    RILL__TRY(make_entry(headers, name, value, &entry));
    remove_from(headers, at, name);
    drop_entry(headers, first);
    *first = entry;
    headers->bytes += name.len + value.len;
    return 0;
}

const struct rill__header_entry *rill__headers_find(const rill_headers *headers, rill_str name,
                                                    size_t *at)
{
    for (size_t i = *at; i < headers->count; i++) {
        if (is_named(&headers->entries[i], name)) {
            *at = i + 1;
            return &headers->entries[i];
        }
    }
    *at = headers->count;
    return NULL;
}

rill_headers *rill_headers_new(void)
{
    rill_headers *headers = rill__zalloc(sizeof *headers);
    if (!headers)
        rill__fail_nomem();
    return headers;
}

void rill_headers_free(rill_headers *headers)
{
    if (!headers)
        return;
    rill__headers_finish(headers);
    rill__free(headers);
}

static int need_value(const char *name, const char *value)
{
    if (value)
        return 0;
    RILL__TRY(rill__header_check(rill_str_of(name), RILL_STR("")));
    return rill__fail(RILL_EINVAL, "header %.*s: the value is NULL", SHOWN, name);
}

int rill_headers_add(rill_headers *headers, const char *name, const char *value)
{
    RILL__TRY(need_value(name, value));
    return rill__headers_add(headers, rill_str_of(name), rill_str_of(value));
}

int rill_headers_add_all(rill_headers *headers, const rill_header *list)
{
    uint32_t before = headers->count;
    for (; list && list->name; list++) {
        int rc = rill_headers_add(headers, list->name, list->value);
        if (rc < 0) {
            while (headers->count > before)
                drop_entry(headers, &headers->entries[--headers->count]);
            return rc;
        }
    }
    return 0;
}

int rill_headers_set(rill_headers *headers, const char *name, const char *value)
{
    RILL__TRY(need_value(name, value));
    return rill__headers_set(headers, rill_str_of(name), rill_str_of(value));
}

size_t rill_headers_remove(rill_headers *headers, const char *name)
{
    return remove_from(headers, 0, rill_str_of(name));
}

const char *rill_headers_get(const rill_headers *headers, const char *name)
{
    size_t at = 0;
    return rill_headers_next(headers, name, &at);
}

const char *rill_headers_next(const rill_headers *headers, const char *name, size_t *at)
{
    const struct rill__header_entry *entry = rill__headers_find(headers, rill_str_of(name), at);
    return entry ? entry->value : NULL;
}

size_t rill_headers_count(const rill_headers *headers)
{
    return headers->count;
}

rill_header rill_headers_at(const rill_headers *headers, size_t i)
{
    rill_header none = { NULL, NULL };
    if (i >= headers->count)
        return none;
    return (rill_header){ headers->entries[i].name, headers->entries[i].value };
}

bool rill_headers_has_token(const rill_headers *headers, const char *name, const char *token)
{
    const struct rill__header_entry *entry;
    for (size_t at = 0; (entry = rill__headers_find(headers, rill_str_of(name), &at));)
        if (rill__list_has_token((rill_str){ entry->value, entry->value_len }, rill_str_of(token)))
            return true;
    return false;
}

/*
 * Fuzzes the header table: the input is lines "+name:value" (add), "=name:value" (set), "-name"
 * (remove), done to a table of its own memory and to one in an arena.
 *
 * What must hold: both tables are the same, and as a plain list says that they should be; what is
 * refused changes nothing; no byte gets in that could end a line.
 */
#include "http/headers.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The list to compare with: fields in order, as they were accepted. */
#define MAX_FIELDS 256
struct model {
    rill_str names[MAX_FIELDS], values[MAX_FIELDS];
    size_t count;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static rill_str trimmed(rill_str text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = (rill_str){ text.ptr + 1, text.len - 1 };
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static void model_drop(struct model *model, size_t at)
{
    model->count--;
    for (; at < model->count; at++) {
        model->names[at] = model->names[at + 1];
        model->values[at] = model->values[at + 1];
    }
}

/* Removes the fields of the name, but not the first `keep` of them; returns the first one's place.
 */
static size_t model_remove(struct model *model, rill_str name, size_t keep)
{
    size_t first = model->count;
    for (size_t i = 0; i < model->count;) {
        bool same = rill_str_caseeq(model->names[i], name);
        if (same && first == model->count)
            first = i;
        if (same && keep == 0) {
            model_drop(model, i);
        } else {
            keep -= same && keep > 0;
            i++;
        }
    }
    return first;
}

static void model_put(struct model *model, char op, rill_str name, rill_str value)
{
    size_t at = model->count;
    if (op == '=') {
        size_t before = model->count;
        at = model_remove(model, name, 1);
        at = at == before ? model->count : at;
    }
    if (at == model->count)
        model->count++;
    model->names[at] = name;
    model->values[at] = trimmed(value);
}

static void compare(const rill_headers *headers, const struct model *model)
{
    require(rill_headers_count(headers) == model->count);
    size_t bytes = 0;
    for (size_t i = 0; i < model->count; i++) {
        const struct rill__header_entry *entry = &headers->entries[i];
        require(rill_str_eq((rill_str){ entry->name, entry->name_len }, model->names[i]));
        require(rill_str_eq((rill_str){ entry->value, entry->value_len }, model->values[i]));
        require(entry->name[entry->name_len] == '\0' && strlen(entry->name) == entry->name_len);
        require(strlen(entry->value) == entry->value_len && !strpbrk(entry->value, "\r\n"));
        require(rill_headers_get(headers, entry->name) != NULL);
        bytes += (size_t)entry->name_len + entry->value_len;
    }
    require(bytes == headers->bytes);
}

static int apply(rill_headers *headers, char op, rill_str name, rill_str value)
{
    return op == '+' ? rill__headers_add(headers, name, value)
                     : rill__headers_set(headers, name, value);
}

static void do_line(rill_headers *tables[2], struct model *model, rill_str line)
{
    char op = line.ptr[0];
    const char *colon = memchr(line.ptr, ':', line.len);
    rill_str name = { line.ptr + 1, (colon ? (size_t)(colon - line.ptr) : line.len) - 1 };
    rill_str value = colon ? (rill_str){ colon + 1, line.len - name.len - 2 } : RILL_STR("");
    if (op == '-') {
        char text[64];
        name.len = name.len < sizeof text ? name.len : sizeof text - 1;
        memcpy(text, name.ptr, name.len);
        text[name.len] = '\0';
        name.len = strlen(text);
        size_t removed = rill_headers_remove(tables[0], text);
        require(rill_headers_remove(tables[1], text) == removed);
        model_remove(model, name, 0);
    } else if (op == '+' || op == '=') {
        int rc = apply(tables[0], op, name, value);
        require(apply(tables[1], op, name, value) == rc);
        if (rc == 0)
            model_put(model, op, name, value);
    }
    compare(tables[0], model);
    compare(tables[1], model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model;
    rill_str rest = { (const char *)data, size };
    rill__arena arena = { 0 };
    rill_headers owned = { 0 }, in_arena;
    rill__headers_init(&in_arena, &arena);
    rill_headers *tables[2] = { &owned, &in_arena };
    model.count = 0;
    while (rest.len > 0 && model.count < MAX_FIELDS - 1) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
        if (len > 0)
            do_line(tables, &model, (rill_str){ rest.ptr, len });
        rest.ptr += end ? len + 1 : len;
        rest.len -= end ? len + 1 : len;
    }
    rill__headers_finish(&owned);
    rill__arena_free(&arena);
    return 0;
}

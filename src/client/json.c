/* JSON both ways, by jansson. */
#include "client/json.h"

#include "base/fail.h"
#include "http/media.h"

#include <jansson.h>

static int append(const char *text, size_t len, void *arg)
{
    rill__buf *out = arg;
    rill__buf_append(out, text, len);
    return out->failed ? -1 : 0;
}

int rill__client_json_write(rill__buf *out, const struct json_t *value)
{
    if (json_dump_callback(value, append, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
        return 0;
    if (out->failed)
        return rill__fail_nomem();
    return rill__fail(RILL_EJSON, "the value cannot be written as JSON");
}

struct json_t *rill__client_json_parse(rill_str text)
{
    json_error_t error;
    json_t *value = json_loadb(text.ptr, text.len, JSON_DECODE_ANY, &error);
    if (value)
        return value;
    if (json_error_code(&error) == json_error_out_of_memory)
        rill__fail_nomem();
    else
        rill__fail(RILL_EJSON, "line %d, column %d: %s", error.line, error.column, error.text);
    return NULL;
}

bool rill__client_json_is_type(const char *content_type)
{
    rill__media media;
    if (!rill__media_parse(rill_str_of(content_type), &media))
        return false;
    static const rill_str suffix = { "+json", 5 };
    rill_str end = media.subtype;
    if (rill_str_caseeq(end, RILL_STR("json")))
        return true;
    if (end.len <= suffix.len)
        return false;
    end = (rill_str){ end.ptr + end.len - suffix.len, suffix.len };
    return rill_str_caseeq(end, suffix);
}

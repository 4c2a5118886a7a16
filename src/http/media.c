/* Media types and parameters. */
#include "http/media.h"

#include "http/token.h"

static void skip(rill_str *text, size_t len)
{
    *text = (rill_str){ text->ptr + len, text->len - len };
}

static void skip_ows(rill_str *text)
{
    while (text->len > 0 && rill__is_ows(text->ptr[0]))
        skip(text, 1);
}

static bool take_char(rill_str *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c)
        return false;
    skip(text, 1);
    return true;
}

static bool take_token(rill_str *text, rill_str *ret_token)
{
    size_t len = rill__token_bad(*text);
    *ret_token = (rill_str){ text->ptr, len };
    skip(text, len);
    return len > 0;
}

/* Behind the opening quote. When there is no closing one, all is taken, and false. */
static bool take_quoted(rill_str *text, rill_str *ret_inside)
{
    bool good = true;
    size_t at = 0;
    while (at < text->len && text->ptr[at] != '"') {
        if (text->ptr[at] == '\\' && at + 1 < text->len)
            at++;
        if (!rill__char_is(text->ptr[at], RILL__CHAR_VALUE))
            good = false;
        at++;
    }
    bool closed = at < text->len;
    *ret_inside = (rill_str){ text->ptr, at };
    skip(text, closed ? at + 1 : at);
    return closed && good;
}

bool rill__media_parse(rill_str field, rill__media *ret_media)
{
    rill__media media;
    rill_str rest = rill__trim(field);
    const char *start = rest.ptr;
    if (!take_token(&rest, &media.type) || !take_char(&rest, '/') ||
        !take_token(&rest, &media.subtype))
        return false;
    media.whole = (rill_str){ start, (size_t)(rest.ptr - start) };
    skip_ows(&rest);
    if (rest.len > 0 && rest.ptr[0] != ';')
        return false;
    media.params = rest;
    *ret_media = media;
    return true;
}

/* Takes name and value; what follows must be the end or a ";". */
static bool take_param(rill_str *params, rill__param *param)
{
    if (!take_token(params, &param->name))
        return false;
    skip_ows(params);
    if (!take_char(params, '='))
        return false;
    skip_ows(params);
    param->quoted = take_char(params, '"');
    bool taken =
        param->quoted ? take_quoted(params, &param->value) : take_token(params, &param->value);
    skip_ows(params);
    return taken && (params->len == 0 || params->ptr[0] == ';');
}

int rill__param_next(rill_str *params, rill__param *ret_param)
{
    bool separated = false;
    skip_ows(params);
    while (take_char(params, ';')) {
        separated = true;
        skip_ows(params);
    }
    if (params->len == 0)
        return 0;
    rill__param param;
    if (separated && take_param(params, &param)) {
        *ret_param = param;
        return 1;
    }
    const char *next = memchr(params->ptr, ';', params->len);
    skip(params, next ? (size_t)(next - params->ptr) : params->len);
    return -1;
}

bool rill__param_value(const rill__param *param, char *out, size_t room, rill_str *ret_value)
{
    size_t len = 0;
    for (size_t i = 0; i < param->value.len; i++) {
        if (param->quoted && param->value.ptr[i] == '\\')
            i++;
        if (len == room)
            return false;
        out[len++] = param->value.ptr[i];
    }
    if (len == room)
        return false;
    out[len] = '\0';
    *ret_value = (rill_str){ out, len };
    return true;
}

bool rill__param_find(rill_str params, const char *name, char *out, size_t room,
                      rill_str *ret_value)
{
    rill__param param;
    int rc;
    while ((rc = rill__param_next(&params, &param)) != 0)
        if (rc > 0 && rill_str_caseeq(param.name, rill_str_of(name)))
            return rill__param_value(&param, out, room, ret_value);
    return false;
}

/* Checks UTF-8 by the table of RFC 3629 section 4. */
#include "utf8.h"

/* How many bytes the character takes, or 0 when none begins here. The text ends with NUL, which no
 * range below holds, so a look ahead stops there. */
static size_t character_len(const unsigned char *at)
{
    static const struct {
        unsigned char first, last, second_min, second_max, len;
    } forms[] = {
        { 0x20, 0x7e, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*at < forms[i].first || *at > forms[i].last)
            continue;
        if (forms[i].len > 1 && (at[1] < forms[i].second_min || at[1] > forms[i].second_max))
            return 0;
        for (size_t k = 2; k < forms[i].len; k++)
            if (at[k] < 0x80 || at[k] > 0xbf)
                return 0;
        /* U+0080 to U+009F are control characters too. */
        return at[0] == 0xc2 && at[1] < 0xa0 ? 0 : forms[i].len;
    }
    return 0;
}

void utf8_clean(char *text)
{
    while (*text) {
        size_t len = character_len((const unsigned char *)text);
        if (len == 0)
            *text = '?';
        text += len ? len : 1;
    }
}

/* Text views, ASCII only: what the library compares by case is ASCII by its grammar. */
#include <rill/base.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool rill_str_caseeq(rill_str a, rill_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

const char *rill_version(void)
{
    return RILL_VERSION;
}

/* The names of refusals, and the statuses' own phrases. */
#include "http/h1.h"

static const struct {
    int status;
    const char *text;
} reasons[] = {
#define REASON(name, status, text) { status, text },
    RILL__H1_REASONS(REASON)
#undef REASON
};

const char *rill__h1_reason_text(enum rill__h1_reason reason)
{
    return reasons[reason].text;
}

int rill__h1_reason_status(enum rill__h1_reason reason)
{
    return reasons[reason].status;
}

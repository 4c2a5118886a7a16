/* Conditional requests and ranges of whole replies (RFC 9110 13 and 14). */
#include "server/server_internal.h"

int rill__reply_conditional(rill_request *request, int *status, rill_str *body)
{
    (void)request;
    (void)status;
    (void)body;
    return 0;
}

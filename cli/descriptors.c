/* File descriptors: see descriptors.h. */
#include "descriptors.h"

#include <sys/resource.h>

/* Standard streams, the loop, name servers, the listener, the database and its journal. */
#define RESERVE 40
#define MOST 1000000

int descriptors_for_use(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1;
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        limit.rlim_cur = soft;
    if (limit.rlim_cur > MOST)
        return MOST;
    return limit.rlim_cur > RESERVE ? (int)limit.rlim_cur - RESERVE : 1;
}

/* Chance: see chance.h. */
#include "chance.h"

#include <stdint.h>
#include <sys/random.h>

double chance(void)
{
    uint32_t bits = 0;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits)
        return 0.5; /* early at boot: no jitter is better than no start */
    return (double)bits / 4294967296.0;
}

/* Chance, for jitter and the demo: from the kernel, so that it needs no seed and keeps no state. */
#ifndef RILL_CLI_CHANCE_H
#define RILL_CLI_CHANCE_H

/* A number in [0, 1). */
double chance(void);

#endif

/* The link of a public options struct, as the simulated driver wants it. */
#ifndef RILL_SRC_TESTING_WORLD_H
#define RILL_SRC_TESTING_WORLD_H

#include "io/sim.h"

#include <rill/test.h>

void rill__test_link_read(const rill_test_link_opts *opts, rill__sim_link *ret_link);

#endif

/* All of rill, in reading order. */
#ifndef RILL_RILL_H
#define RILL_RILL_H

#include <rill/base.h>
#include <rill/error.h>
#include <rill/log.h>
#include <rill/headers.h>
#include <rill/url.h>
#include <rill/task.h>

#endif

/* All of rill. To begin with: error.h, task.h, client.h, server.h. */
#ifndef RILL_RILL_H
#define RILL_RILL_H

#include <rill/base.h>
#include <rill/channel.h>
#include <rill/client.h>
#include <rill/debug.h>
#include <rill/error.h>
#include <rill/file.h>
#include <rill/headers.h>
#include <rill/inspect.h>
#include <rill/join.h>
#include <rill/local.h>
#include <rill/log.h>
#include <rill/loop.h>
#include <rill/metrics.h>
#include <rill/net.h>
#include <rill/pipe.h>
#include <rill/process.h>
#include <rill/queue.h>
#include <rill/redis.h>
#include <rill/schedule.h>
#include <rill/select.h>
#include <rill/server.h>
#include <rill/signal.h>
#include <rill/sync.h>
#include <rill/task.h>
#include <rill/test.h>
#include <rill/udp.h>
#include <rill/url.h>

#endif

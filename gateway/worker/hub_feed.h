/* The feed of the hub, carried out over Redis: an upstream brings what is published and said on the live channel, a logscript
 * makes the feed's calls, and a timer of the loop runs what is due. Owned by the hub's thread. */
#ifndef GATEWAY_WORKER_HUB_FEED_H
#define GATEWAY_WORKER_HUB_FEED_H

#include "common/base/err.h"
#include "gateway/config/config.h"
#include "gateway/http/disconnect.h"
#include "gateway/metrics/node.h"
#include "gateway/worker/hub.h"

struct event_base;
struct hub_feed;

/* Connects as soon as the loop runs. config and node are borrowed for life. ERR_...: ret_why says what is wrong. */
enum err hub_feed_new(struct event_base *base, const struct config *config, struct node *node, struct hub_sink sink,
		      struct hub_feed **ret_feed, char ret_why[256]) MUST_USE;
void hub_feed_free(struct hub_feed *feed); /* NULL is fine */

/* Tells the other nodes of an order. False: there is no connection to Redis. */
bool hub_feed_tell(struct hub_feed *feed, const struct disconnect *order);
void hub_feed_retire(struct hub_feed *feed);             /* see feed_retire() */
void hub_feed_end(struct hub_feed *feed);                /* the last of all: disconnects; what came is delivered */

#endif

/* The hub thread: the feed from Redis and the admin port, on one libevent loop. It receives what publishers PUBLISH, takes its
 * part in recording it (gateway/feed decides, this thread carries out), and gives records on in batches. */
#ifndef GATEWAY_WORKER_HUB_H
#define GATEWAY_WORKER_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/protocol/record.h"
#include "gateway/config/config.h"
#include "gateway/feed/feed.h"
#include "gateway/http/admin.h"
#include "gateway/metrics/node.h"

struct disconnection;
struct hub;

/* All on the hub's thread. */
struct hub_sink {
	void (*batch)(void *context, struct record_batch *batch);            /* borrowed */
	void (*feed_state)(void *context, const struct feed_state *state);   /* each change; before the batches that it is about */
	void (*memory)(void *context, bool is_over);                         /* at each look while over limits.memory, and once when below again */
	void (*redis_state)(void *context, bool is_up);                      /* each change, proved by the heartbeat */
	/* Ends what the order is about on this node; the outcome is written into it. */
	void (*disconnect)(void *context, struct disconnection *disconnection);
	void *context;
};

/* Binds the admin port and starts the thread. ERR_IO: ret_why says what and names the address. config, node and admin are
 * borrowed for the hub's life. */
enum err hub_start(const struct config *config, struct node *node, const struct admin *admin, struct hub_sink sink,
		   struct hub **ret_hub, char ret_why[256]) MUST_USE;
uint16_t hub_admin_port(const struct hub *hub); /* 0: no admin port */
void hub_stop(struct hub *hub);                 /* gives the recorder's lease up, joins the thread, frees */

#endif

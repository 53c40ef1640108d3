/* Heartbeats find clients that vanished: each is pinged every interval (half of it rest, half of it waiting
 * for the answer), and one that gave no sign of life by then is stale. All heartbeats of an exchange wait equally long, so two lists in the order of time are
 * enough: O(1) whatever the number of clients. */
#ifndef GATEWAY_SESSION_HEARTBEAT_H
#define GATEWAY_SESSION_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"

struct heartbeat {
	struct list link;
	uint64_t due_ns;
	bool is_pinged, is_alive;
	uint64_t acked_bytes; /* what the peer had acknowledged at the ping */
};

struct heartbeats {
	struct list resting, pinged; /* by due_ns */
	uint64_t interval_ns;
};

void heartbeats_init(struct heartbeats *heartbeats, uint64_t interval_ns);
uint64_t heartbeats_next_ns(const struct heartbeats *heartbeats);                  /* UINT64_MAX: none */
struct heartbeat *heartbeats_due(struct heartbeats *heartbeats, uint64_t now_ns); /* one that is due; NULL: none */

void heartbeat_rest(struct heartbeats *heartbeats, struct heartbeat *heartbeat, uint64_t now_ns);   /* until its next ping */
void heartbeat_pinged(struct heartbeats *heartbeats, struct heartbeat *heartbeat, uint64_t now_ns); /* now wait for a sign of life */
void heartbeat_stop(struct heartbeat *heartbeat);

#endif

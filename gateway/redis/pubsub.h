/* The subscription on a link of its own: SUBSCRIBE to the node's heartbeat channel and to the live channel, PSUBSCRIBE to each configured pattern by
 * itself, so that a refusal names what was refused. Messages are passed up as they are parsed, without a copy of the payload.
 * Redis sends a message once for each pattern that matches; it is passed up once, for the first one.
 * What comes on the live channel and on the control channel is passed up apart, in order with the messages.
 * Owned by one loop. It turns its link into a stream, and is called back by it until link_close.
 * After a callback of the owner it touches nothing of its own in that turn, so any callback may end it. */
#ifndef GATEWAY_REDIS_PUBSUB_H
#define GATEWAY_REDIS_PUBSUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

struct link;
struct pubsub;

#define PUBSUB_CONTROL_BYTES_MAX 16384

struct pubsub_owner {
	/* All slices are borrowed for the call. Not for heartbeat channels of whatever node, nor for the live channel. */
	void (*on_message)(void *context, struct slice pattern, struct slice channel, struct slice payload);
	void (*on_live)(void *context, struct slice payload); /* may be NULL where there is no live channel */
	void (*on_control)(void *context, struct slice payload); /* may be NULL where there is no control channel */
	void (*on_read_end)(void *context); /* what one read of the socket gave was passed up */
	void (*on_heartbeat)(void *context, struct slice payload);
	void (*on_ready)(void *context);    /* every pattern is subscribed */
	/* The server refused something, or sent an error of its own accord: the link is of no use. */
	void (*on_refused)(void *context, const char *why);
	/* One refusal, before on_refused: for the log. Must not end anything. */
	void (*on_denied)(void *context, struct slice name, const char *why);
	void *context;
};

struct pubsub_settings {
	struct slice heartbeat_channel;
	struct slice heartbeat_prefix; /* channels that begin with it are heartbeats of some node and never passed up */
	struct slice live_channel;     /* empty: none */
	struct slice control_channel;  /* empty: none; a longer payload than PUBSUB_CONTROL_BYTES_MAX is dropped */
	const struct slice *patterns;
	size_t pattern_count;
	uint64_t payload_bytes_max;    /* a longer payload is dropped and counted; not of live messages */
};

/* settings and what they point to are borrowed for life. The link must be up; when this fails, close
 * it. */
enum err pubsub_start(struct link *link, const struct pubsub_settings *settings, struct pubsub_owner owner,
		      struct pubsub **ret_pubsub) MUST_USE;
void pubsub_free(struct pubsub *pubsub); /* after link_close; also in a callback; NULL is fine */

#endif

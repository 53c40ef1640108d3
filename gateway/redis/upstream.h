/* The node's connection to Redis as it lasts over losses: finds the server (through the sentinels where the url names some),
 * opens a command link and a pub/sub link to it, subscribes, and proves the receiving path by a heartbeat that it publishes to
 * itself. Whatever fails, both links are closed and all begins anew after a backoff; the cause is logged once.
 * It is up only while its heartbeats come back. Without patterns and a live channel it is a command link alone, proved by PING.
 * Owned by one loop, whose base was made after evthread_use_pthreads().
 *
 * Life of a pair of links: on_linked -> upstream_subscribe() -> messages -> on_state(true) -> ... -> on_state(false). */
#ifndef GATEWAY_REDIS_UPSTREAM_H
#define GATEWAY_REDIS_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "gateway/redis/url.h"

struct event_base;
struct link;
struct upstream;

struct upstream_settings {
	const struct url *url;
	const char *prefix;    /* of the gateway's own keys and channels */
	const char *node_name;
	const struct slice *patterns;
	size_t pattern_count;
	const char *live_channel; /* what the log says; NULL: none */
	const char *control_channel; /* what nodes tell one another; NULL: none */
	uint64_t connect_timeout_ns, backoff_min_ns, backoff_max_ns;
	uint64_t heartbeat_ns; /* three times this without a heartbeat and the links are broken */
	uint64_t payload_bytes_max;
};

struct upstream_owner {
	void (*on_message)(void *context, struct slice channel, struct slice payload); /* borrowed for the call */
	void (*on_live)(void *context, struct slice payload); /* on the live channel, in order with the messages; NULL where there is none */
	void (*on_control)(void *context, struct slice payload); /* on the control channel; NULL where there is none */
	void (*on_read_end)(void *context);            /* after the messages of one read of the socket */
	/* Commands go from now on, nothing is subscribed yet: the owner calls upstream_subscribe(), now or within
	 * connect_timeout_ns. NULL: it subscribes by itself. */
	void (*on_linked)(void *context);
	/* Each change. False comes too when the links end after on_linked and before they were up; then, as always with
	 * false, the command link may still take a last request (upstream_commands()), and is not to be used afterwards. */
	void (*on_state)(void *context, bool is_up);
	void *context;
};

/* Begins the first attempt. settings and what they point to are borrowed for life. None of the owner's callbacks may free
 * the upstream. ERR_NOMEM. */
enum err upstream_new(struct event_base *base, const struct upstream_settings *settings, struct upstream_owner owner,
		      struct upstream **ret_upstream) MUST_USE;
void upstream_free(struct upstream *upstream); /* NULL is fine; calls nobody back */

void upstream_subscribe(struct upstream *upstream); /* after on_linked, once; at any other time it does nothing */
bool upstream_is_up(const struct upstream *upstream);
struct link *upstream_commands(const struct upstream *upstream); /* from on_linked to on_state(false), that included; else NULL, as when it is the
								       * one that broke. Borrowed for the turn */

#endif

/* What a node knows of itself and any thread may ask: its name and state. Written by the one thread named at each field,
 * read by all. */
#ifndef GATEWAY_METRICS_NODE_H
#define GATEWAY_METRICS_NODE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TRACEGATE_VERSION "0.1.0"

struct node {
	char name[128];                  /* set before threads start */
	uint64_t started_mono_ms;
	_Atomic bool redis_up;           /* hub: the receiving path is proved by its heartbeat */
	_Atomic bool past_was_up;        /* historian: its link to Redis was there once */
	_Atomic bool draining;           /* main */
	_Atomic bool is_recorder;        /* hub */
	_Atomic bool is_recorded;        /* hub: events are delivered with ids */
	_Atomic uint64_t log_last_ms, log_last_seq; /* hub: the last id delivered; may be torn against each other */
	_Atomic uint64_t over_memory_since_ms; /* hub: monotonic; 0: it is not over limits.memory */
	_Atomic uint64_t hub_turned_ms;  /* hub: monotonic time of its last turn */
};

#endif

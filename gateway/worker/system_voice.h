/* What a node says of itself on the channel system:<node>: an event like any other, published, recorded and served to those who may
 * see it (docs/protocol.md). Silent where system.events is off. Owned by the hub's thread. */
#ifndef GATEWAY_WORKER_SYSTEM_VOICE_H
#define GATEWAY_WORKER_SYSTEM_VOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

struct link;

struct system_voice {
	const char *node;    /* borrowed; NULL: silent */
	struct link *link;   /* while it is up */
	uint64_t down_wall_ms; /* since when it is not; 0: it never was up */
	uint64_t up_hash;      /* of what it said when it came up */
};

void system_voice_init(struct system_voice *voice, const char *node); /* node NULL: silent */
/* The connection to Redis is up (what nobody could hear is said now) or down. */
void system_voice_up(struct system_voice *voice, struct link *link);
void system_voice_down(struct system_voice *voice);
/* more: further members, each with a comma in front; or "". Nothing is said, nor kept, while the connection is down. */
void system_voice_say(struct system_voice *voice, const char *type, const char *more);
/* Whether what was heard is another node that comes up by this node's name. */
bool system_voice_is_double(const struct system_voice *voice, struct slice channel, struct slice payload);

#endif

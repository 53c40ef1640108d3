/* Intake makes records of what publishers publish: it decides whether a payload is JSON, text or bytes, takes the keys
 * (session, agent, type) out of it and splices it into the event's JSON element; one pass, one allocation, one copy of
 * the payload where it is JSON. Pure; any thread. */
#ifndef GATEWAY_FEED_INTAKE_H
#define GATEWAY_FEED_INTAKE_H

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/codec/json.h"
#include "common/protocol/record.h"

/* A payload nested deeper counts as text: messages wrap it, and must stay within what a peer with our own reader takes. */
#define INTAKE_DEPTH_MAX (JSON_DEPTH_MAX - 8)

/* Which top-level payload fields give the keys, in order of preference: the first that is a number or a string that is not
 * empty wins. */
#define INTAKE_NAMES_MAX 8
struct intake_names {
	struct slice names[INTAKE_NAMES_MAX];
	size_t count;
};
struct intake_fields {
	struct intake_names session, agent, type;
};
extern const struct intake_fields intake_fields_default; /* sessionId session_id session; agentId agent_id agent; type event */

/* The caller owns one reference. A payload without a session takes the channel's part after the first colon as its
 * session. A channel that is not UTF-8 is shown with U+FFFD in the element; record->channel keeps its bytes.
 * NULL: no memory. */
struct record *intake_record(const struct intake_fields *fields, struct slice channel, struct slice payload, uint64_t ts_ms,
			     uint64_t received_ns) MUST_USE;

#endif

/* What a gateway says, taken apart: one JSON message into its parts, one event into its fields. Pure; the parts are views
 * into the text. Whatever a peer sends is either read or refused. */
#ifndef COMMON_CLIENT_MESSAGE_H
#define COMMON_CLIENT_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/client/tgclient.h"
#include "common/data/buf.h"

enum tgc_message_kind {
	TGC_MESSAGE_OTHER, /* known to a later version: to be ignored */
	TGC_MESSAGE_WELCOME,
	TGC_MESSAGE_EVENTS,
	TGC_MESSAGE_CHUNK,
	TGC_MESSAGE_GAP,
	TGC_MESSAGE_REPLAY_END,
	TGC_MESSAGE_NOTICE,
	TGC_MESSAGE_OK,
	TGC_MESSAGE_ERROR,
};

struct tgc_message {
	enum tgc_message_kind kind;
	struct slice json;
	uint64_t id; /* of the request that it belongs to; 0: none of ours */
	struct slice sub, cursor, after, before, reason, code; /* the insides of strings, still escaped */
	struct slice replay;            /* the inside of a string; of EVENTS, GAP and REPLAY_END of a replay */
	struct slice events;            /* an array, raw; empty: there is none */
	struct slice body;              /* of OK and ERROR: the object */
	int64_t dropped;                /* -1: not told */
	uint64_t heartbeat_ms;          /* of a welcome; 0: not told */
	uint64_t message_bytes;         /* of a welcome: the longest that the node takes; 0: not told */
	uint64_t reconnect_in_ms;       /* of a notice; 0: not told */
};

/* ERR_INVALID: no JSON object. */
enum err tgc_message_read(struct slice text, struct tgc_message *ret_message) MUST_USE;

/* Reads one element of an array of events; sub is left alone. channel backs the unescaped channel until it is touched
 * again. False: it is no event, or there is no memory. */
bool tgc_event_read(struct slice element, struct buf *channel, struct tgc_event *ret_event);

struct tgc_change { /* What stands in place of data in a subscription with deltas: the insides of strings, still escaped. */
	bool is_full, is_delta;
	struct slice full, delta;
};
/* The same for such an event. Where it has one of them its data is empty, else ret_change is. */
bool tgc_change_read(struct slice element, struct buf *channel, struct tgc_event *ret_event, struct tgc_change *ret_change);

/* "{"code","message",…}" as tgclient.h gives it. message backs the unescaped sentence. */
void tgc_error_read(struct slice error, struct buf *message, struct tgc_reply *ret_reply);

struct slice tgc_inside(struct slice raw);  /* of a raw JSON string, still escaped; none: it is no string */
uint64_t tgc_number(struct slice raw);      /* a non-negative integer of at most 18 digits; 0: it is none */

static inline struct tgc_text tgc_text_of(struct slice slice)
{
	return (struct tgc_text){slice.ptr, slice.len};
}

static inline struct slice tgc_slice_of(struct tgc_text text)
{
	return (struct slice){text.ptr, text.len};
}

#endif

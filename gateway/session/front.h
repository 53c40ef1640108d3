/* A front is what a client speaks: an encoding and how its messages are framed. It only translates. One per dialect,
 * encoding and compression; it is part of a cohort's key, so members of a cohort share finished frames. */
#ifndef GATEWAY_SESSION_FRONT_H
#define GATEWAY_SESSION_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "common/codec/codec.h"

#define FRONT_HEADROOM 16 /* bytes that every message keeps free in front for its frame header */

struct front {
	const char *name;        /* the WebSocket subprotocol: "tracegate.v1.json" */
	const struct codec *codec;
	/* Writes the header of a frame that holds a payload of len bytes and gives its size, at most FRONT_HEADROOM. */
	size_t (*frame_header)(uint8_t *ret_header, uint64_t payload_len);
	size_t (*ping)(uint8_t *ret_frame); /* a whole heartbeat frame, at most FRONT_HEADROOM bytes; 0: none is needed */
	/* Where each event is a message of its own: appends it. cursor: what resumes behind it; empty: nothing does. NULL: a batch is one
	 * message, made by the codec. */
	void (*event)(struct buf *out, const struct record *record, struct slice cursor);
	/* Appends a message that only moves the client's cursor. NULL: batches do. */
	void (*cursor)(struct buf *out, struct slice cursor);
	unsigned deflate_bits; /* the window of the messages that go compressed (permessage-deflate); 0: none does */
	bool is_one_way; /* the peer only listens: it answers no ping, and somebody else asks for it (port.h, answered) */
};

extern const struct front front_json;    /* tracegate.v1.json over WebSocket */
extern const struct front front_msgpack; /* tracegate.v1.msgpack over WebSocket */

/* The front of a subprotocol name; NULL: unknown. */
const struct front *front_find(struct slice subprotocol);

/* The same front with permessage-deflate and that window, DEFLATE_BITS_MIN to _MAX; 0: the front itself. For fronts of
 * WebSocket only. */
const struct front *front_deflated(const struct front *front, unsigned bits);

extern const struct front front_sse; /* Server-Sent Events, which are no subprotocol */

#endif

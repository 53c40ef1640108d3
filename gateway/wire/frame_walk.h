/* Walks over the bytes that a WebSocket client sends, from the head of one frame to the next, and stops at the first frame for which
 * RFC 6455 wants the connection closed and libwebsockets 4.1 does not: one that is not masked (section 5.1), or that has a reserved bit
 * where none may be (section 5.2). RSV1 alone may be, with permessage-deflate and in the first frame of a text or binary message
 * (RFC 7692 section 6): the library asks only whether some extension was agreed on. It looks at nothing else: the rest is the
 * library's to judge. Pure; embedded in its owner. */
#ifndef GATEWAY_WIRE_FRAME_WALK_H
#define GATEWAY_WIRE_FRAME_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame_walk {
	uint64_t ahead;       /* bytes of mask and payload before the next head */
	uint64_t length;      /* of the payload, while its long form is read */
	uint8_t head_bytes;   /* of the head that were read */
	uint8_t length_bytes; /* of the long form that are still to be read */
	bool is_deflated;     /* permessage-deflate was agreed on; its owner says so before the first byte */
	bool is_violated;     /* it stopped, and goes no further */
};

/* How many of the bytes are before the frame that must not be; all: there is none yet. */
size_t frame_walk_take(struct frame_walk *walk, const void *bytes, size_t len);

#endif

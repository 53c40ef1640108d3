/* WebSocket framing, RFC 6455 section 5: headers to put in front of payloads, and a strict reader of frames for either
 * side. Pure; knows no socket. */
#ifndef COMMON_CODEC_WSFRAME_H
#define COMMON_CODEC_WSFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

enum wsframe_op {
	WSFRAME_CONTINUATION = 0x0,
	WSFRAME_TEXT = 0x1,
	WSFRAME_BINARY = 0x2,
	WSFRAME_CLOSE = 0x8,
	WSFRAME_PING = 0x9,
	WSFRAME_PONG = 0xA,
};

#define WSFRAME_RSV1 0x40 /* in the first byte of a header: the message is compressed (RFC 7692 section 6) */
#define WSFRAME_HEADER_MAX 14 /* with a mask; 10 without */
#define WSFRAME_CONTROL_MAX 125
#define WSFRAME_REASON_MAX 123

/* Writes an unmasked (server's) final frame header, minimal length form, and gives its size (2, 4 or 10). */
size_t wsframe_header(uint8_t ret_header[WSFRAME_HEADER_MAX], enum wsframe_op op, uint64_t payload_len);
/* The same with a mask (client's): size 6, 8 or 14. wsframe_mask() then masks the payload in place. */
size_t wsframe_header_masked(uint8_t ret_header[WSFRAME_HEADER_MAX], enum wsframe_op op, uint64_t payload_len, const uint8_t mask[4]);
void wsframe_mask(uint8_t *payload, size_t len, const uint8_t mask[4]);

/* A whole unmasked close frame, its reason cut at a character's edge to WSFRAME_REASON_MAX. Gives its size. */
size_t wsframe_close(uint8_t ret_frame[2 + WSFRAME_CONTROL_MAX], uint16_t code, struct slice reason);

/* One frame's header as read. */
struct wsframe {
	enum wsframe_op op;
	bool final, masked;
	uint8_t rsv;         /* the three bits, RSV1 is 4 */
	uint8_t mask[4];
	size_t header_len;
	uint64_t payload_len;
};

/* Reads the header at the front of bytes. ERR_AGAIN: more bytes are needed. ERR_INVALID: reserved opcode, fragmented or
 * long control frame, length with its top bit set, or a longer length form than needed. */
enum err wsframe_read(struct slice bytes, struct wsframe *ret_frame) MUST_USE;
/* Whether a peer may send this close code (RFC 6455 section 7.4, and the registry's 1012 to 1014). */
bool wsframe_is_close_code(unsigned code);

#endif

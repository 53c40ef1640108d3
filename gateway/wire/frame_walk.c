#include "gateway/wire/frame_walk.h"

#define OPCODE_BITS 0x0F
#define OPCODE_TEXT 0x1
#define OPCODE_BINARY 0x2
#define RSV1 0x40
#define RSV_BITS 0x70
#define MASK_BYTES 4
#define MASK_BIT 0x80
#define LENGTH_BITS 0x7F
#define LENGTH_OF_2 126 /* the length follows in so many bytes (RFC 6455 section 5.2) */
#define LENGTH_OF_8 127

static void end_head(struct frame_walk *walk)
{
	walk->ahead = walk->length > UINT64_MAX - MASK_BYTES ? UINT64_MAX : walk->length + MASK_BYTES;
	walk->head_bytes = 0;
	walk->length = 0;
}

/* The byte with FIN, the reserved bits and the opcode. */
static void take_first(struct frame_walk *walk, uint8_t byte)
{
	uint8_t opcode = byte & OPCODE_BITS;
	bool may_be_compressed = walk->is_deflated && (opcode == OPCODE_TEXT || opcode == OPCODE_BINARY);
	walk->is_violated = byte & RSV_BITS & ~(may_be_compressed ? RSV1 : 0);
	walk->head_bytes = 1;
}

/* The byte with the mask bit and the short length. */
static void take_second(struct frame_walk *walk, uint8_t byte)
{
	uint8_t length = byte & LENGTH_BITS;
	walk->is_violated = !(byte & MASK_BIT);
	walk->length_bytes = length == LENGTH_OF_2 ? 2 : length == LENGTH_OF_8 ? 8 : 0;
	walk->length = walk->length_bytes ? 0 : length;
	walk->head_bytes = 2;
	if (!walk->length_bytes)
		end_head(walk);
}

static void take_head_byte(struct frame_walk *walk, uint8_t byte)
{
	if (walk->head_bytes == 0) {
		take_first(walk, byte);
	} else if (walk->head_bytes == 1) {
		take_second(walk, byte);
	} else {
		walk->length = walk->length << 8 | byte;
		if (--walk->length_bytes == 0)
			end_head(walk);
	}
}

size_t frame_walk_take(struct frame_walk *walk, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t taken = 0, frame = 0; /* where the head began that is being read */
	while (taken < len && !walk->is_violated) {
		if (walk->ahead) {
			size_t step = walk->ahead < len - taken ? (size_t)walk->ahead : len - taken;
			walk->ahead -= step;
			taken += step;
			frame = taken;
		} else {
			take_head_byte(walk, at[taken++]);
		}
	}
	return walk->is_violated ? frame : taken;
}

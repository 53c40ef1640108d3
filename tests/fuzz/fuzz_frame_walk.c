/* What a client sends, cut as the first byte says, with permessage-deflate or without: the walk comes as far as without cuts (but for
 * the byte before the mask bit, which is gone when it stands alone), takes nothing behind a frame that is not masked or has a reserved bit
 * where none may be, and finds each frame that wsframe_read() finds. */
#include <stdint.h>
#include <stdlib.h>

#include "common/codec/wsframe.h"
#include "gateway/wire/frame_walk.h"

#define RSV1 4 /* as wsframe_read() gives it */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool is_first_of_message(enum wsframe_op op)
{
	return op == WSFRAME_TEXT || op == WSFRAME_BINARY;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return 0;
	bool is_deflated = bytes[0] & 0x10;
	struct frame_walk whole = {.is_deflated = is_deflated}, cut = whole;
	size_t piece = 1 + bytes[0] % 16u, taken = 0;
	bytes++, len--;
	size_t good = frame_walk_take(&whole, bytes, len);
	check(good <= len && (whole.is_violated || good == len));
	for (size_t at = 0; at < len; at += piece)
		taken += frame_walk_take(&cut, bytes + at, len - at < piece ? len - at : piece);
	check(cut.is_violated == whole.is_violated && taken >= good && taken <= good + 1);
	struct wsframe frame;
	size_t at = 0;
	while (at < good && wsframe_read((struct slice){(const char *)bytes + at, len - at}, &frame) == OK) {
		check(frame.masked && (frame.rsv == 0 || (is_deflated && frame.rsv == RSV1 && is_first_of_message(frame.op))));
		at += frame.header_len;
		at += frame.payload_len < len - at ? (size_t)frame.payload_len : len - at;
	}
	check(at <= len);
	return 0;
}

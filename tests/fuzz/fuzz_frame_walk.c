/* What a client sends, cut as the first byte says: the walk comes as far as without cuts (but for the byte before the mask bit, which is
 * gone when it stands alone), takes nothing behind a frame without a mask, and finds each frame that wsframe_read() finds. */
#include <stdint.h>
#include <stdlib.h>

#include "common/codec/wsframe.h"
#include "gateway/wire/frame_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct frame_walk whole = {0}, cut = {0};
	if (len == 0)
		return 0;
	size_t piece = 1 + bytes[0] % 16u, taken = 0;
	bytes++, len--;
	size_t good = frame_walk_take(&whole, bytes, len);
	check(good <= len && (whole.is_unmasked || good == len));
	for (size_t at = 0; at < len; at += piece)
		taken += frame_walk_take(&cut, bytes + at, len - at < piece ? len - at : piece);
	check(cut.is_unmasked == whole.is_unmasked && taken >= good && taken <= good + 1);
	struct wsframe frame;
	size_t at = 0;
	while (at < good && wsframe_read((struct slice){(const char *)bytes + at, len - at}, &frame) == OK) {
		check(frame.masked);
		at += frame.header_len;
		at += frame.payload_len < len - at ? (size_t)frame.payload_len : len - at;
	}
	check(at <= len);
	return 0;
}

/* A stream of frames. A header that is read must be written again in the same bytes, and any cut of it asks for more.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/wsframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void judge(const uint8_t *bytes, const struct wsframe *frame)
{
	uint8_t header[WSFRAME_HEADER_MAX];
	struct wsframe cut;
	size_t size = frame->masked ? wsframe_header_masked(header, frame->op, frame->payload_len, frame->mask)
	                            : wsframe_header(header, frame->op, frame->payload_len);
	header[0] = (uint8_t)(frame->final << 7 | frame->rsv << 4 | frame->op);
	check(size == frame->header_len && memcmp(header, bytes, size) == 0);
	for (size_t len = 0; len < size; len++)
		check(wsframe_read((struct slice){(const char *)bytes, len}, &cut) == ERR_AGAIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct wsframe frame;
	size_t at = 0;
	while (at < len && wsframe_read((struct slice){(const char *)bytes + at, len - at}, &frame) == OK) {
		check(frame.header_len <= len - at && frame.payload_len <= INT64_MAX);
		judge(bytes + at, &frame);
		at += frame.header_len;
		at += frame.payload_len < len - at ? (size_t)frame.payload_len : len - at;
	}
	uint8_t close[2 + WSFRAME_CONTROL_MAX];
	size_t size = wsframe_close(close, 1000, (struct slice){(const char *)bytes, len});
	check(wsframe_read((struct slice){(const char *)close, size}, &frame) == OK &&
	      frame.header_len + frame.payload_len == size);
	return 0;
}

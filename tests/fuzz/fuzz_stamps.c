/* Whatever comes on the live channel is refused, or names entries whose ids go up and whose texts lie inside the
 * message. */
#include <stdint.h>
#include <stdlib.h>

#include "gateway/feed/stamps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct slice part, struct slice message)
{
	if (part.len && (part.ptr < message.ptr || part.ptr + part.len > message.ptr + message.len))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice message = {(const char *)data, size};
	struct stamps stamps;
	struct stamp stamp;
	enum err error;
	if (stamps_read(message, &stamps))
		return 0;
	check_inside(stamps.channel, message);
	check_inside(stamps.payload, message);
	check_inside(stamps.token, message);
	struct record_id last = stamps.before;
	for (; stamps_next(&stamps, &stamp, &error); last = stamp.id) {
		if (record_id_compare(stamp.id, last) <= 0)
			abort();
	}
	return 0;
}

#include "gateway/session/frame.h"

#include "common/codec/deflate.h"
#include "common/codec/wsframe.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"

/* Scratch that grew beyond this is given back to the system. */
#define PACKED_KEEP_BYTES ((size_t)512 * 1024)

/* Puts the compressed payload in its place and gives its length; 0: it stays as it is. */
static size_t compress(struct exchange *exchange, unsigned bits, char *payload, size_t len)
{
	struct buf *packed = &exchange->packed;
	if (!bits || len < exchange->settings.deflate_min_bytes)
		return 0;
	if (!exchange->deflater)
		exchange->deflater = deflater_new(exchange->settings.deflate_level);
	buf_shrink(packed, PACKED_KEEP_BYTES);
	if (!exchange->deflater || deflater_run(exchange->deflater, bits, (struct slice){payload, len}, len, packed) != OK)
		return 0;
	memcpy(payload, packed->bytes, packed->len);
	metric_add(METRIC_DEFLATE_BEFORE, len);
	metric_add(METRIC_DEFLATE_AFTER, packed->len);
	return packed->len;
}

struct slice frame_finish(struct exchange *exchange, const struct front *front, char *payload, size_t len)
{
	uint8_t header[FRONT_HEADROOM];
	size_t packed_len = compress(exchange, front->deflate_bits, payload, len);
	size_t sent_len = packed_len ? packed_len : len, header_len = front->frame_header(header, sent_len);
	if (packed_len)
		header[0] |= WSFRAME_RSV1;
	memcpy(payload - header_len, header, header_len);
	return (struct slice){payload - header_len, header_len + sent_len};
}

/* A chunked body whole and in two parts, cut where the first byte says: the same data and the same verdict. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/data/buf.h"
#include "gateway/http/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static enum body_step read_all(struct body *body, struct slice *rest, struct buf *data)
{
	struct slice piece;
	const char *why = NULL;
	enum body_step step;
	while ((step = body_next(body, rest, &piece, &why)) == BODY_DATA) {
		if (piece.len == 0 || piece.ptr != rest->ptr || piece.len > rest->len)
			abort();
		buf_append_slice(data, piece);
		body_take(body, rest, piece.len);
	}
	if (step == BODY_BAD && !why)
		abort();
	return step;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len < 1)
		return 0;
	struct slice all = {(const char *)bytes + 1, len - 1}, rest = all;
	size_t cut = bytes[0] < all.len ? bytes[0] : all.len;
	struct body once = {.state = BODY_CHUNK_SIZE, .is_chunked = true}, twice = once;
	struct buf data, parts;
	buf_init(&data);
	buf_init(&parts);
	enum body_step step = read_all(&once, &rest, &data);
	struct slice first = {all.ptr, cut};
	enum body_step early = read_all(&twice, &first, &parts);
	struct slice second = {first.ptr, all.len - (size_t)(first.ptr - all.ptr)};
	if (early == BODY_MORE)
		early = read_all(&twice, &second, &parts);
	if (early != step || !slice_equal(buf_slice(&data), buf_slice(&parts)))
		abort();
	buf_fini(&data);
	buf_fini(&parts);
	return 0;
}

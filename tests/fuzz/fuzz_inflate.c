/* A compressed message of any bytes is refused or read within its limit, and what was read is read again from what it compresses
 * to, with the window that the first byte says. */
#include <stdint.h>
#include <stdlib.h>

#include "common/codec/deflate.h"

#define LIMIT ((size_t)16384)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len < 1)
		return 0;
	unsigned bits = DEFLATE_BITS_MIN + bytes[0] % (DEFLATE_BITS_MAX - DEFLATE_BITS_MIN + 1);
	struct inflater *inflater = inflater_new();
	struct deflater *deflater = deflater_new(1);
	struct buf plain, packed, again;
	buf_init(&plain);
	buf_init(&packed);
	buf_init(&again);
	enum err error = inflater_run(inflater, (struct slice){(const char *)bytes + 1, len - 1}, LIMIT, &plain);
	check(error == ERR_LIMIT ? plain.len == LIMIT + 1 : plain.len <= LIMIT);
	if (error == OK) {
		check(deflater_run(deflater, bits, buf_slice(&plain), plain.len + 256, &packed) == OK);
		check(inflater_run(inflater, buf_slice(&packed), plain.len, &again) == OK);
		check(slice_equal(buf_slice(&plain), buf_slice(&again)));
	}
	buf_fini(&plain);
	buf_fini(&packed);
	buf_fini(&again);
	inflater_free(inflater);
	deflater_free(deflater);
	return 0;
}

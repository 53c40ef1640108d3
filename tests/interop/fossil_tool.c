/* Our encoder and decoder of Fossil deltas for a test in another language, pair by pair: on standard input each text is 4 bytes
 * of length, big endian, and its bytes; on standard output too, with length 2^32-1 where there is none.
 *   fossil_tool encode   base, target -> delta, of any bytes; none: it would not be smaller
 *   fossil_tool text     the same, cutting no UTF-8 character
 *   fossil_tool apply    base, delta -> target; none: it is refused */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/fossil_delta.h"

#define TEXT_BYTES_MAX ((size_t)64 << 20)

static bool take_text(struct buf *text)
{
	unsigned char len[4];
	buf_clear(text);
	if (fread(len, sizeof len, 1, stdin) != 1)
		return false;
	size_t bytes = (size_t)len[0] << 24 | (size_t)len[1] << 16 | (size_t)len[2] << 8 | len[3];
	char *place = bytes <= TEXT_BYTES_MAX ? buf_extend(text, bytes) : NULL;
	return place && fread(place, 1, bytes, stdin) == bytes;
}

static void give(struct slice text, bool is_there)
{
	uint32_t bytes = is_there ? (uint32_t)text.len : UINT32_MAX;
	unsigned char len[4] = {(unsigned char)(bytes >> 24), (unsigned char)(bytes >> 16), (unsigned char)(bytes >> 8),
				(unsigned char)bytes};
	fwrite(len, sizeof len, 1, stdout);
	if (is_there && text.len)
		fwrite(text.ptr, 1, text.len, stdout);
	fflush(stdout);
}

int main(int count, char **words)
{
	struct slice what = slice_of(count == 2 ? words[1] : "");
	struct fossil_encoder encoder;
	struct buf base, other, made;
	if (!slice_is(what, "encode") && !slice_is(what, "text") && !slice_is(what, "apply")) {
		fputs("usage: fossil_tool encode|text|apply\n", stderr);
		return EXIT_FAILURE;
	}
	fossil_encoder_init(&encoder);
	buf_init(&base);
	buf_init(&other);
	buf_init(&made);
	while (take_text(&base) && take_text(&other)) {
		buf_clear(&made);
		bool is_made = slice_is(what, "apply")
				       ? fossil_apply(buf_slice(&base), buf_slice(&other), TEXT_BYTES_MAX, &made) == OK
				       : fossil_encode(&encoder, buf_slice(&base), buf_slice(&other), slice_is(what, "text"), &made);
		give(buf_slice(&made), is_made);
	}
	fossil_encoder_fini(&encoder);
	buf_fini(&base);
	buf_fini(&other);
	buf_fini(&made);
	return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

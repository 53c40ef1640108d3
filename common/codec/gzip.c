#include "common/codec/gzip.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_FORMAT 16 /* added to the window bits (deflateInit2 in zlib's manual) */
#define WINDOW_BITS 14 /* with this and the memory level a stream takes 128 KiB */
#define MEMORY_LEVEL 7
#define STEP_BYTES ((size_t)16 * 1024)

struct gzip {
	z_stream stream;
};

struct gzip *gzip_new(int level)
{
	struct gzip *gzip = calloc(1, sizeof *gzip);
	if (!gzip)
		return NULL;
	if (deflateInit2(&gzip->stream, level, Z_DEFLATED, WINDOW_BITS + GZIP_FORMAT, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(gzip);
		return NULL;
	}
	return gzip;
}

void gzip_free(struct gzip *gzip)
{
	if (gzip)
		deflateEnd(&gzip->stream);
	free(gzip);
}

static void run(struct gzip *gzip, struct slice piece, int flush, struct buf *out)
{
	z_stream *stream = &gzip->stream;
	stream->next_in = (Bytef *)(uintptr_t)piece.ptr; /* only read */
	stream->avail_in = (uInt)piece.len;
	do {
		char *place = buf_extend(out, STEP_BYTES);
		if (!place)
			return;
		stream->next_out = (Bytef *)place;
		stream->avail_out = (uInt)STEP_BYTES;
		deflate(stream, flush);
		out->len -= stream->avail_out;
	} while (stream->avail_out == 0);
}

void gzip_write(struct gzip *gzip, struct slice piece, struct buf *out)
{
	while (piece.len) {
		size_t len = piece.len < INT_MAX ? piece.len : INT_MAX;
		piece = (struct slice){piece.ptr + len, piece.len - len};
		run(gzip, (struct slice){piece.ptr - len, len}, piece.len ? Z_NO_FLUSH : Z_SYNC_FLUSH, out);
	}
}

void gzip_finish(struct gzip *gzip, struct buf *out)
{
	run(gzip, SLICE_NONE, Z_FINISH, out);
}

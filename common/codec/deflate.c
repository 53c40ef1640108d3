#include "common/codec/deflate.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

/* zlib's default: hash tables of 128 KiB. Less compresses worse, more needs longer to clear for each message. */
#define MEMORY_LEVEL 8
/* What a flush ends with, and a message is sent without (RFC 7692 section 7.2.1). */
#define TAIL_BYTES 4
static const unsigned char tail[TAIL_BYTES] = {0x00, 0x00, 0xFF, 0xFF};
#define STEP_BYTES ((size_t)4096) /* inflated at first; then twice as much each time */

struct deflater {
	int level;
	z_stream *streams[DEFLATE_BITS_MAX + 1]; /* by window bits; made when first wanted */
};

struct deflater *deflater_new(int level)
{
	struct deflater *deflater = calloc(1, sizeof *deflater);
	if (deflater)
		deflater->level = level;
	return deflater;
}

void deflater_free(struct deflater *deflater)
{
	for (unsigned bits = 0; deflater && bits <= DEFLATE_BITS_MAX; bits++) {
		if (deflater->streams[bits])
			deflateEnd(deflater->streams[bits]);
		free(deflater->streams[bits]);
	}
	free(deflater);
}

/* The stream of that window, ready for a message. NULL: no memory. */
static z_stream *stream_for(struct deflater *deflater, unsigned bits)
{
	z_stream *stream = deflater->streams[bits];
	if (stream)
		return deflateReset(stream) == Z_OK ? stream : NULL;
	stream = calloc(1, sizeof *stream);
	if (!stream)
		return NULL;
	if (deflateInit2(stream, deflater->level, Z_DEFLATED, -(int)bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(stream);
		return NULL;
	}
	deflater->streams[bits] = stream;
	return stream;
}

enum err deflater_run(struct deflater *deflater, unsigned bits, struct slice message, size_t max, struct buf *out)
{
	if (max > UINT_MAX - TAIL_BYTES || message.len > UINT_MAX)
		return ERR_LIMIT;
	z_stream *stream = stream_for(deflater, bits);
	size_t before = out->len, room = max + TAIL_BYTES;
	char *place = stream ? buf_extend(out, room) : NULL;
	if (!place)
		return ERR_NOMEM;
	stream->next_in = (Bytef *)(uintptr_t)message.ptr; /* only read */
	stream->avail_in = (uInt)message.len;
	stream->next_out = (Bytef *)place;
	stream->avail_out = (uInt)room;
	/* A flush that leaves no room is not known to be whole. */
	bool is_whole = deflate(stream, Z_SYNC_FLUSH) == Z_OK && stream->avail_in == 0 && stream->avail_out > 0;
	out->len = is_whole ? before + room - stream->avail_out - TAIL_BYTES : before;
	return is_whole ? OK : ERR_LIMIT;
}

struct inflater {
	z_stream stream;
};

struct inflater *inflater_new(void)
{
	struct inflater *inflater = calloc(1, sizeof *inflater);
	if (inflater && inflateInit2(&inflater->stream, -DEFLATE_BITS_MAX) != Z_OK) {
		free(inflater);
		return NULL;
	}
	return inflater;
}

void inflater_free(struct inflater *inflater)
{
	if (inflater)
		inflateEnd(&inflater->stream);
	free(inflater);
}

/* Takes all of the input. *left is the room that the message has still, one byte more than the limit. */
static enum err feed(z_stream *stream, const unsigned char *bytes, size_t len, size_t *left, struct buf *out)
{
	size_t step = STEP_BYTES;
	stream->next_in = (Bytef *)(uintptr_t)bytes; /* only read */
	stream->avail_in = (uInt)len;
	for (;;) {
		size_t room = step < *left ? step : *left, before = out->len;
		char *place = buf_extend(out, room);
		if (!place)
			return ERR_NOMEM;
		stream->next_out = (Bytef *)place;
		stream->avail_out = (uInt)room;
		int result = inflate(stream, Z_SYNC_FLUSH);
		size_t made = room - stream->avail_out;
		out->len = before + made;
		*left -= made;
		if (*left == 0)
			return ERR_LIMIT;
		if (stream->avail_out == 0)
			step *= 2;
		if (result == Z_MEM_ERROR)
			return ERR_NOMEM;
		/* Nothing forbids a last block (RFC 7692 section 7.2.3.4); another begins behind it. */
		if (result == Z_STREAM_END && inflateReset(stream) != Z_OK)
			return ERR_INVALID;
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
			return ERR_INVALID;
		if (stream->avail_out > 0 && (stream->avail_in == 0 || result == Z_BUF_ERROR))
			return OK;
	}
}

/* Between two blocks (inflate() in zlib's manual). */
static bool is_at_edge(const z_stream *stream)
{
	return stream->data_type & 128;
}

enum err inflater_run(struct inflater *inflater, struct slice compressed, size_t limit, struct buf *out)
{
	z_stream *stream = &inflater->stream;
	size_t left = limit + 1;
	if (compressed.len > UINT_MAX || left > UINT_MAX)
		return ERR_LIMIT;
	if (compressed.len == 0)
		return OK;
	if (inflateReset(stream) != Z_OK)
		return ERR_INVALID;
	enum err error = feed(stream, (const unsigned char *)compressed.ptr, compressed.len, &left, out);
	/* A last block at the very end: the tail would be the middle of another. */
	if (error != OK || stream->total_in == 0)
		return error;
	error = feed(stream, tail, sizeof tail, &left, out);
	return error == OK && !is_at_edge(stream) ? ERR_INVALID : error;
}

/* Raw DEFLATE (RFC 1951) of single messages, as permessage-deflate (RFC 7692) carries them: each is compressed alone, flushed to
 * a byte and sent without the 00 00 FF FF at its end. One deflater and one inflater serve all messages of a thread, since
 * nothing is kept from one message to the next. Owned by one thread. */
#ifndef COMMON_CODEC_DEFLATE_H
#define COMMON_CODEC_DEFLATE_H

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/data/buf.h"

/* log2 of the window in bytes. zlib cannot write raw DEFLATE with a window of 8 bits (deflateInit2 in zlib's manual). */
#define DEFLATE_BITS_MIN 9
#define DEFLATE_BITS_MAX 15

struct deflater;

struct deflater *deflater_new(int level) MUST_USE; /* 1 (fast) to 9 (small); NULL: no memory */
void deflater_free(struct deflater *deflater);     /* NULL is fine */
/* Appends the compressed message to out if that takes less than max bytes; looks back at most 2^bits bytes. ERR_LIMIT: it
 * takes more, and out is as it was. ERR_NOMEM. */
enum err deflater_run(struct deflater *deflater, unsigned bits, struct slice message, size_t max, struct buf *out) MUST_USE;

struct inflater;

struct inflater *inflater_new(void) MUST_USE; /* NULL: no memory */
void inflater_free(struct inflater *inflater);
/* Appends the message, whatever window it was made with. ERR_LIMIT: it is longer than limit; no more than a byte beyond was
 * made of it. ERR_INVALID: it is no DEFLATE, or not whole. ERR_NOMEM. After an error out holds some part of it. */
enum err inflater_run(struct inflater *inflater, struct slice compressed, size_t limit, struct buf *out) MUST_USE;

#endif

/* One gzip stream (RFC 1952), made piece by piece. Owned by whoever writes it; touched by one thread. */
#ifndef COMMON_CODEC_GZIP_H
#define COMMON_CODEC_GZIP_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/data/buf.h"

struct gzip;

struct gzip *gzip_new(int level) MUST_USE; /* 1 (fast) to 9 (small); NULL: no memory */
void gzip_free(struct gzip *gzip);         /* NULL is fine */
/* Appends what the piece becomes, all of it: whoever reads up to there has the whole piece. An empty piece appends nothing. What
 * cannot be done for lack of memory marks out as failed. */
void gzip_write(struct gzip *gzip, struct slice piece, struct buf *out);
void gzip_finish(struct gzip *gzip, struct buf *out); /* appends the end; nothing may be written behind it */

#endif

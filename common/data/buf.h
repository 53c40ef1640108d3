/* A buf is a byte buffer that grows at its end. Owned by one thread.
 * A failed append leaves what is there as it was and marks the buf: buf_has_failed() stays true until buf_clear(), so a
 * run of appends needs one check at its end. Invariant: len <= capacity. */
#ifndef COMMON_DATA_BUF_H
#define COMMON_DATA_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

struct buf {
	char *bytes; /* owned; NULL while nothing was appended */
	size_t len, capacity;
	bool failed;
};

void buf_init(struct buf *buf);
void buf_fini(struct buf *buf);
void buf_clear(struct buf *buf);                    /* keeps the memory */
void buf_shrink(struct buf *buf, size_t keep_bytes); /* clears, and gives memory back above keep_bytes */

char *buf_extend(struct buf *buf, size_t bytes) MUST_USE; /* room for bytes more, len moved; NULL: no memory */
void buf_append(struct buf *buf, const void *bytes, size_t len);
void buf_append_slice(struct buf *buf, struct slice bytes);
void buf_append_text(struct buf *buf, const char *text);
void buf_append_char(struct buf *buf, char c);
void buf_append_u64(struct buf *buf, uint64_t number); /* in decimal */
void buf_append_i64(struct buf *buf, int64_t number);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_drop_front(struct buf *buf, size_t bytes);

static inline bool buf_has_failed(const struct buf *buf)
{
	return buf->failed;
}

static inline struct slice buf_slice(const struct buf *buf)
{
	return (struct slice){buf->bytes, buf->len};
}

#endif

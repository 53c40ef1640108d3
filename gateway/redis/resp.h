/* Commands in RESP2 as they go over the wire. Written here rather than by hiredis because a command of the log is kept
 * until it is answered, and holds hundreds of words: it is formatted once, into memory of its own. Pure. */
#ifndef GATEWAY_REDIS_RESP_H
#define GATEWAY_REDIS_RESP_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "common/data/buf.h"

/* A failed append marks the buf, see buf.h. Exactly `words` words must follow. */
void resp_begin(struct buf *out, size_t words);
void resp_word(struct buf *out, struct slice word);
void resp_text(struct buf *out, const char *word);
void resp_u64(struct buf *out, uint64_t number);

#endif

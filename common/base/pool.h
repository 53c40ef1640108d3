/* A pool is memory for many small pieces that come and go and in the end go together: a tree that is changed in place. Pieces
 * of one size share a free list; all is given back at once, without a walk over the pieces. Bounded: it never holds more than
 * limit_bytes. Owned by one thread. */
#ifndef COMMON_BASE_POOL_H
#define COMMON_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/list.h"

#define POOL_GRAIN 16
#define POOL_SMALL_MAX 512 /* bytes; a larger piece is an allocation of its own */

struct pool_chunk;
struct pool_piece;

struct pool {
	struct pool_chunk *chunks; /* newest first: the one that is being cut up */
	struct list large;
	struct pool_piece *spare[POOL_SMALL_MAX / POOL_GRAIN + 1];
	size_t bytes, limit_bytes; /* all that it holds, cut up or not */
	bool was_full;             /* something was refused for the limit */
};

void pool_init(struct pool *pool, size_t limit_bytes); /* allocates nothing yet */
void pool_fini(struct pool *pool);                     /* every piece is invalid */

/* Not cleared, aligned for pointers and 64-bit numbers. NULL: out of memory, or over the limit. */
void *pool_alloc(struct pool *pool, size_t bytes) MUST_USE;
void pool_free(struct pool *pool, void *piece, size_t bytes); /* as it was asked for; NULL is fine */
size_t pool_room(size_t bytes);                               /* what a piece of so many bytes really has */

#endif

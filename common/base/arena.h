/* An arena hands out memory that is given back all at once: for trees that live as long as one message.
 * Owned by one thread. Allocations are aligned for any type and never move. Bounded: a peer cannot make it grow
 * past limit_bytes. */
#ifndef COMMON_BASE_ARENA_H
#define COMMON_BASE_ARENA_H

#include "common/base/err.h"
#include "common/base/slice.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t used_bytes, limit_bytes;
};

void arena_init(struct arena *arena, size_t limit_bytes); /* allocates nothing yet */
void arena_fini(struct arena *arena);
void arena_reset(struct arena *arena); /* everything handed out is invalid; keeps one chunk for reuse */

/* A place to go back to: for what is made in between and not needed any longer. Places nest. */
struct arena_mark {
	struct arena_chunk *chunk;
	size_t chunk_used, used_bytes;
};

struct arena_mark arena_mark(const struct arena *arena);
/* Everything handed out since the mark is invalid. There was no arena_reset() in between, nor going back to an earlier mark. */
void arena_back(struct arena *arena, struct arena_mark mark);

void arena_wipe(struct arena *arena); /* overwrites all that was handed out since the last reset: for secrets, before arena_fini() */

void *arena_alloc(struct arena *arena, size_t bytes) MUST_USE; /* not cleared; NULL: out of memory or over the limit */
char *arena_copy(struct arena *arena, const char *bytes, size_t len) MUST_USE; /* NUL added behind; NULL as above */

#endif

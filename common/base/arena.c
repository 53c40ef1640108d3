#define _DEFAULT_SOURCE /* explicit_bzero */
#include "common/base/arena.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 4000
#define ALIGNMENT _Alignof(max_align_t)

struct arena_chunk {
	struct arena_chunk *older;
	size_t used, size;
	max_align_t bytes[];
};

void arena_init(struct arena *arena, size_t limit_bytes)
{
	*arena = (struct arena){.limit_bytes = limit_bytes};
}

/* Frees from this chunk on down to that one, which stays; NULL: all. */
static void free_chunks(struct arena_chunk *chunk, const struct arena_chunk *last)
{
	while (chunk != last) {
		struct arena_chunk *older = chunk->older;
		free(chunk);
		chunk = older;
	}
}

void arena_fini(struct arena *arena)
{
	free_chunks(arena->chunks, NULL);
	arena->chunks = NULL;
	arena->used_bytes = 0;
}

void arena_reset(struct arena *arena)
{
	struct arena_chunk *kept = arena->chunks;
	if (!kept)
		return;
	free_chunks(kept->older, NULL);
	kept->older = NULL;
	kept->used = 0;
	arena->used_bytes = 0;
	if (kept->size > CHUNK_BYTES) {
		free(kept);
		arena->chunks = NULL;
	}
}

struct arena_mark arena_mark(const struct arena *arena)
{
	struct arena_chunk *chunk = arena->chunks;
	return (struct arena_mark){chunk, chunk ? chunk->used : 0, arena->used_bytes};
}

void arena_back(struct arena *arena, struct arena_mark mark)
{
	if (mark.used_bytes == 0) {
		arena_reset(arena);
		return;
	}
	free_chunks(arena->chunks, mark.chunk);
	arena->chunks = mark.chunk;
	arena->chunks->used = mark.chunk_used;
	arena->used_bytes = mark.used_bytes;
}

void arena_wipe(struct arena *arena)
{
	for (struct arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->older)
		explicit_bzero(chunk->bytes, chunk->used);
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
	if (bytes > arena->limit_bytes)
		return NULL;
	bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (bytes > arena->limit_bytes - arena->used_bytes)
		return NULL;
	struct arena_chunk *chunk = arena->chunks;
	if (!chunk || chunk->size - chunk->used < bytes) {
		size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
		chunk = malloc(sizeof *chunk + size);
		if (!chunk)
			return NULL;
		*chunk = (struct arena_chunk){.older = arena->chunks, .size = size};
		arena->chunks = chunk;
	}
	void *place = (char *)chunk->bytes + chunk->used;
	chunk->used += bytes;
	arena->used_bytes += bytes;
	return place;
}

char *arena_copy(struct arena *arena, const char *bytes, size_t len)
{
	char *copy = arena_alloc(arena, len + 1);
	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

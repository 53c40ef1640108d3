#include "common/base/pool.h"

#include <stdint.h>
#include <stdlib.h>

#define CHUNK_BYTES_FIRST 1024
#define CHUNK_BYTES_MAX ((size_t)64 * 1024)

struct pool_chunk {
	struct pool_chunk *older;
	size_t used, size; /* of bytes */
	uint64_t bytes[];
};

struct pool_piece {
	struct pool_piece *next;
};

struct large_piece {
	struct list link;
	uint64_t bytes[];
};

void pool_init(struct pool *pool, size_t limit_bytes)
{
	*pool = (struct pool){.limit_bytes = limit_bytes};
	list_init(&pool->large);
}

void pool_fini(struct pool *pool)
{
	while (pool->chunks) {
		struct pool_chunk *older = pool->chunks->older;
		free(pool->chunks);
		pool->chunks = older;
	}
	LIST_FOREACH(&pool->large, at, following)
	{
		free(LIST_ENTRY(at, struct large_piece, link));
	}
	pool_init(pool, pool->limit_bytes);
}

static size_t grains_of(size_t bytes)
{
	return bytes ? (bytes + POOL_GRAIN - 1) / POOL_GRAIN : 1;
}

size_t pool_room(size_t bytes)
{
	return bytes > POOL_SMALL_MAX ? bytes : grains_of(bytes) * POOL_GRAIN;
}

/* Memory from the system, counted. */
static void *take(struct pool *pool, size_t bytes)
{
	if (bytes > pool->limit_bytes - pool->bytes) {
		pool->was_full = true;
		return NULL;
	}
	void *memory = malloc(bytes);
	if (memory)
		pool->bytes += bytes;
	return memory;
}

static void *alloc_large(struct pool *pool, size_t bytes)
{
	if (bytes > SIZE_MAX - sizeof(struct large_piece))
		return NULL;
	struct large_piece *piece = take(pool, sizeof *piece + bytes);
	if (!piece)
		return NULL;
	list_append(&pool->large, &piece->link);
	return piece->bytes;
}

/* Chunks grow, so that a small tree is small. What is left of the former one is lost until the end. */
static struct pool_chunk *add_chunk(struct pool *pool)
{
	size_t size = pool->chunks ? 2 * pool->chunks->size : CHUNK_BYTES_FIRST;
	if (size > CHUNK_BYTES_MAX)
		size = CHUNK_BYTES_MAX;
	struct pool_chunk *chunk = take(pool, sizeof *chunk + size);
	if (!chunk)
		return NULL;
	*chunk = (struct pool_chunk){.older = pool->chunks, .size = size};
	pool->chunks = chunk;
	return chunk;
}

void *pool_alloc(struct pool *pool, size_t bytes)
{
	if (bytes > POOL_SMALL_MAX)
		return alloc_large(pool, bytes);
	size_t grains = grains_of(bytes);
	struct pool_piece *spare = pool->spare[grains];
	if (spare) {
		pool->spare[grains] = spare->next;
		return spare;
	}
	struct pool_chunk *chunk = pool->chunks;
	size_t size = grains * POOL_GRAIN;
	if (!chunk || chunk->size - chunk->used < size)
		chunk = add_chunk(pool);
	if (!chunk)
		return NULL;
	void *piece = (char *)chunk->bytes + chunk->used;
	chunk->used += size;
	return piece;
}

void pool_free(struct pool *pool, void *piece, size_t bytes)
{
	if (!piece)
		return;
	if (bytes > POOL_SMALL_MAX) {
		struct large_piece *large = (struct large_piece *)(void *)((char *)piece - offsetof(struct large_piece, bytes));
		list_remove(&large->link);
		pool->bytes -= sizeof *large + bytes;
		free(large);
		return;
	}
	struct pool_piece *spare = piece;
	size_t grains = grains_of(bytes);
	spare->next = pool->spare[grains];
	pool->spare[grains] = spare;
}

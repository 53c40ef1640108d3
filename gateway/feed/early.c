#include "gateway/feed/early.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 64

void early_init(struct early *early)
{
	*early = (struct early){0};
}

void early_fini(struct early *early)
{
	free(early->entries);
	early_init(early);
}

void early_clear(struct early *early)
{
	early->first = early->count = 0;
}

static struct early_entry *at_index(const struct early *early, size_t index)
{
	return &early->entries[(early->first + index) & (early->capacity - 1)];
}

static enum err grow(struct early *early)
{
	size_t capacity = early->capacity ? 2 * early->capacity : CAPACITY_MIN;
	if (capacity > SIZE_MAX / sizeof *early->entries)
		return ERR_NOMEM;
	struct early_entry *entries = malloc(capacity * sizeof *entries);
	if (!entries)
		return ERR_NOMEM;
	for (size_t i = 0; i < early->count; i++)
		entries[i] = *at_index(early, i);
	free(early->entries);
	early->entries = entries;
	early->capacity = capacity;
	early->first = 0;
	return OK;
}

enum err early_push(struct early *early, struct record_id id, struct hash128 hash)
{
	if (early->count == early->capacity && grow(early))
		return ERR_NOMEM;
	*at_index(early, early->count) = (struct early_entry){.id = id, .hash = hash};
	early->count++;
	return OK;
}

const struct early_entry *early_first(const struct early *early)
{
	return early->count ? at_index(early, 0) : NULL;
}

void early_pop(struct early *early)
{
	early->first = (early->first + 1) & (early->capacity - 1);
	early->count--;
}

bool early_take(struct early *early, struct hash128 hash)
{
	for (size_t i = 0; i < early->count; i++) {
		struct early_entry *entry = at_index(early, i);
		if (entry->is_taken || memcmp(entry->hash.bytes, hash.bytes, sizeof hash.bytes) != 0)
			continue;
		entry->is_taken = true;
		return true;
	}
	return false;
}

bool early_reach(struct early *early, struct record_id id, struct hash128 *ret_hash)
{
	const struct early_entry *first = early_first(early);
	while (first && record_id_compare(first->id, id) < 0) {
		early_pop(early);
		first = early_first(early);
	}
	if (!first || record_id_compare(first->id, id) != 0)
		return false;
	bool waited = !first->is_taken;
	if (waited)
		*ret_hash = first->hash;
	early_pop(early);
	return waited;
}

#include "common/codec/keys.h"

#include <stdlib.h>

static enum err compare_all(const struct value *map)
{
	for (const struct value *member = map->list.first; member; member = member->next) {
		for (const struct value *other = map->list.first; other != member; other = other->next) {
			if (slice_equal(member->key, other->key))
				return ERR_EXISTS;
		}
	}
	return OK;
}

static int compare_keys(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

enum err keys_check(const struct value *map)
{
	size_t count = 0;
	if (map->list.count <= KEYS_FEW)
		return compare_all(map);
	struct slice *keys = malloc(map->list.count * sizeof *keys);
	if (!keys)
		return ERR_NOMEM;
	for (const struct value *member = map->list.first; member; member = member->next)
		keys[count++] = member->key;
	qsort(keys, count, sizeof *keys, compare_keys);
	enum err error = OK;
	for (size_t i = 1; i < count && !error; i++) {
		if (slice_equal(keys[i - 1], keys[i]))
			error = ERR_EXISTS;
	}
	free(keys);
	return error;
}

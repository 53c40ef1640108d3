#include "common/data/table.h"

#include <stdlib.h>

/* Out of memory leaves the new entry unlinked instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->unlinked = 1)
#include <uthash.h>

struct table_entry {
	struct slice key;
	void *value;
	int unlinked;
	UT_hash_handle hh;
};

void table_init(struct table *table)
{
	table->entries = NULL;
}

void table_fini(struct table *table)
{
	struct table_entry *entry, *following;
	HASH_ITER(hh, table->entries, entry, following)
	{
		HASH_DEL(table->entries, entry);
		free(entry);
	}
}

static struct table_entry *find(const struct table *table, struct slice key)
{
	struct table_entry *entry;
	HASH_FIND(hh, table->entries, key.ptr, key.len, entry);
	return entry;
}

void *table_get(const struct table *table, struct slice key)
{
	struct table_entry *entry = find(table, key);
	return entry ? entry->value : NULL;
}

enum err table_put(struct table *table, struct slice key, void *value)
{
	if (find(table, key))
		return ERR_EXISTS;
	struct table_entry *entry = calloc(1, sizeof *entry);
	if (!entry)
		return ERR_NOMEM;
	entry->key = key;
	entry->value = value;
	HASH_ADD_KEYPTR(hh, table->entries, entry->key.ptr, entry->key.len, entry);
	if (entry->unlinked) {
		free(entry);
		return ERR_NOMEM;
	}
	return OK;
}

void *table_remove(struct table *table, struct slice key)
{
	struct table_entry *entry = find(table, key);
	if (!entry)
		return NULL;
	void *value = entry->value;
	HASH_DEL(table->entries, entry);
	free(entry);
	return value;
}

size_t table_count(const struct table *table)
{
	return HASH_COUNT(table->entries);
}

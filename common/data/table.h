/* A table maps byte strings to pointers (a hash table, uthash inside). Owned by one thread.
 * Keys are borrowed and must live and stay as they are until removed; values are the caller's. */
#ifndef COMMON_DATA_TABLE_H
#define COMMON_DATA_TABLE_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/slice.h"

struct table_entry;

struct table {
	struct table_entry *entries;
};

void table_init(struct table *table);
void table_fini(struct table *table); /* forgets what is left; frees no value */

void *table_get(const struct table *table, struct slice key);                         /* NULL: not there */
enum err table_put(struct table *table, struct slice key, void *value) MUST_USE;      /* ERR_EXISTS, ERR_NOMEM */
void *table_remove(struct table *table, struct slice key);                            /* the value; NULL: was not there */
size_t table_count(const struct table *table);

#endif

#include "gateway/filter/index.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/data/hash.h"
#include "gateway/filter/filter_parts.h"

/* uthash lets 10 keys fall into one bucket before it grows; a key that nobody filed would be compared with several.
 * With 4 it meets an empty bucket mostly, so a miss costs the same however many keys there are. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 4U

/* Every member is filed under keys of one table only, under each key once, and a record looks up one key in each table:
 * so it meets a member at most once. */
enum table { TABLE_SESSION, TABLE_AGENT, TABLE_CHANNEL, TABLE_TYPE, TABLES };

/* All that is filed under one key. */
struct drawer {
	UT_hash_handle hh;
	enum table table;
	struct list filings; /* never empty but inside index_add() */
	size_t key_len;
	char key[];
};

struct filing {
	struct list link;
	struct index_member *member;
	struct drawer *drawer; /* NULL: on the rest list */
};

struct index_member {
	struct filter *filter;
	void *owner;
	size_t filing_count;
	struct filing filings[];
};

struct index {
	struct drawer *tables[TABLES];
	struct list rest;
	size_t count;
	uint64_t seed; /* so that clients cannot choose keys that fall together */
};

struct index *index_new(void)
{
	struct index *index = calloc(1, sizeof *index);
	if (!index)
		return NULL;
	list_init(&index->rest);
	index->seed = clock_mono_ns() ^ (uint64_t)(uintptr_t)index * UINT64_C(0x9E3779B97F4A7C15);
	return index;
}

void index_free(struct index *index)
{
	free(index);
}

size_t index_count(const struct index *index)
{
	return index->count;
}

static unsigned hash_key(const struct index *index, struct slice key)
{
	return (unsigned)hash64(key, index->seed);
}

static struct drawer *find_drawer(const struct index *index, enum table table, struct slice key, unsigned hash)
{
	struct drawer *drawer = NULL;
	HASH_FIND_BYHASHVALUE(hh, index->tables[table], key.ptr, key.len, hash, drawer);
	return drawer;
}

/* NOLINTNEXTLINE(readability-function-size): the lines of uthash's macros are counted as ours */
static struct drawer *open_drawer(struct index *index, enum table table, struct slice key)
{
	unsigned hash = hash_key(index, key);
	struct drawer *drawer = find_drawer(index, table, key, hash);
	if (drawer)
		return drawer;
	drawer = calloc(1, sizeof *drawer + key.len);
	if (!drawer)
		return NULL;
	drawer->table = table;
	list_init(&drawer->filings);
	drawer->key_len = key.len;
	memcpy(drawer->key, key.ptr, key.len);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, index->tables[table], drawer->key, drawer->key_len, hash, drawer);
	if (!drawer->hh.tbl) { /* how uthash says that memory is out */
		free(drawer);
		return NULL;
	}
	return drawer;
}

static void close_drawer_if_empty(struct index *index, struct drawer *drawer)
{
	if (!list_is_empty(&drawer->filings))
		return;
	HASH_DEL(index->tables[drawer->table], drawer);
	free(drawer);
}

/* The list under which a filter is filed; NULL: it has no exact key. Patterns count only where all are exact. */
static const struct text_list *choose_keys(const struct filter *filter, enum table *ret_table);

/* A record that both want is found under the keys of either: the more selective ones, of equal kind the fewer. */
static const struct text_list *choose_keys_of_both(const struct filter *both, enum table *ret_table)
{
	enum table wish_table = TABLES, scope_table = TABLES;
	const struct text_list *wish = choose_keys(both->wish, &wish_table);
	const struct text_list *scope = choose_keys(both->scope, &scope_table);
	bool takes_scope = scope && (scope_table < wish_table || (scope_table == wish_table && scope->count < wish->count));
	*ret_table = takes_scope ? scope_table : wish_table;
	return takes_scope ? scope : wish;
}

static const struct text_list *choose_keys(const struct filter *filter, enum table *ret_table)
{
	if (filter->wish)
		return choose_keys_of_both(filter, ret_table);
	const struct text_list *choices[TABLES] = {
	    [TABLE_SESSION] = &filter->sessions,
	    [TABLE_AGENT] = &filter->agents,
	    [TABLE_CHANNEL] = filter->channels.glob_count ? NULL : &filter->channels.exact,
	    [TABLE_TYPE] = filter->types.glob_count ? NULL : &filter->types.exact,
	};
	for (enum table table = 0; table < TABLES; table++) {
		if (choices[table] && choices[table]->count) {
			*ret_table = table;
			return choices[table];
		}
	}
	return NULL;
}

static void file_member(struct index_member *member, struct drawer *drawer, struct list *filings)
{
	struct filing *filing = &member->filings[member->filing_count++];
	filing->member = member;
	filing->drawer = drawer;
	list_append(filings, &filing->link);
}

static void withdraw(struct index *index, struct index_member *member)
{
	for (size_t i = 0; i < member->filing_count; i++) {
		struct filing *filing = &member->filings[i];
		list_remove(&filing->link);
		if (filing->drawer)
			close_drawer_if_empty(index, filing->drawer);
	}
	free(member);
}

struct index_member *index_add(struct index *index, struct filter *filter, void *owner)
{
	enum table table = TABLES;
	const struct text_list *keys = choose_keys(filter, &table);
	size_t filings = keys ? keys->count : 1;
	struct index_member *member = calloc(1, sizeof *member + filings * sizeof member->filings[0]);
	if (!member)
		return NULL;
	member->owner = owner;
	for (size_t i = 0; keys && i < keys->count; i++) {
		struct drawer *drawer = open_drawer(index, table, keys->items[i]);
		if (!drawer)
			goto fail_withdraw;
		file_member(member, drawer, &drawer->filings);
	}
	if (!keys)
		file_member(member, NULL, &index->rest);
	member->filter = filter_ref(filter);
	index->count++;
	return member;
fail_withdraw:
	withdraw(index, member);
	return NULL;
}

void index_remove(struct index *index, struct index_member *member)
{
	filter_unref(member->filter);
	withdraw(index, member);
	index->count--;
}

static void try_filings(struct list *filings, const struct record *record, index_hit *hit, void *context)
{
	LIST_FOREACH(filings, at, following)
	{
		const struct index_member *member = LIST_ENTRY(at, struct filing, link)->member;
		if (filter_match(member->filter, record))
			hit(member->owner, record, context);
	}
}

void index_match(struct index *index, const struct record *record, index_hit *hit, void *context)
{
	const struct slice keys[TABLES] = {
	    [TABLE_SESSION] = record->session,
	    [TABLE_AGENT] = record->agent,
	    [TABLE_CHANNEL] = record->channel,
	    [TABLE_TYPE] = record->type,
	};
	for (enum table table = 0; table < TABLES; table++) {
		if (!index->tables[table] || keys[table].len == 0)
			continue;
		struct drawer *drawer = find_drawer(index, table, keys[table], hash_key(index, keys[table]));
		if (drawer)
			try_filings(&drawer->filings, record, hit, context);
	}
	try_filings(&index->rest, record, hit, context);
}

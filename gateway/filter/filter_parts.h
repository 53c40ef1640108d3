/* What a filter is made of; for the files of this room only. Everything lives in the filter's arena and is immutable
 * once filter_compile() gave the filter away. An empty list means "not asked about": filter_compile() lets no empty
 * list in. */
#ifndef GATEWAY_FILTER_FILTER_PARTS_H
#define GATEWAY_FILTER_FILTER_PARTS_H

#include <stddef.h>

#include "common/base/arena.h"
#include "common/base/refcount.h"
#include "gateway/filter/filter.h"
#include "gateway/filter/where.h"

/* Sorted by slice_compare(), without doubles. */
struct text_list {
	struct slice *items;
	size_t count;
};

struct glob {
	struct slice pattern;
	size_t literal_len; /* the bytes in front of the first special one */
	bool is_prefix;     /* nothing but stars behind them */
};

struct pattern_list {
	struct text_list exact;
	struct glob *globs;
	size_t glob_count;
};

/* Either lists and conditions, or (wish is not NULL) the conjunction of two filters and nothing of its own. */
struct filter {
	struct refcount refs;
	struct arena arena;
	struct slice canonical;
	struct filter *wish, *scope; /* references */
	bool wants_system;           /* one of the channels begins with FILTER_SYSTEM_PREFIX */
	struct text_list sessions, agents;
	struct pattern_list channels, types;
	struct condition *where;
	size_t where_count;
};

bool text_list_has(const struct text_list *list, struct slice text);

#endif

#include <stdlib.h>

#include "gateway/filter/filter_parts.h"
#include "gateway/filter/glob.h"

struct filter *filter_ref(struct filter *filter)
{
	refcount_take(&filter->refs);
	return filter;
}

void filter_unref(struct filter *filter)
{
	if (!filter || !refcount_drop(&filter->refs))
		return;
	filter_unref(filter->wish);
	filter_unref(filter->scope);
	arena_fini(&filter->arena);
	free(filter);
}

struct slice filter_canonical(const struct filter *filter)
{
	return filter->canonical;
}

struct filter *filter_wish(struct filter *filter)
{
	return filter->wish ? filter->wish : filter;
}

bool filter_wants_system(const struct filter *filter)
{
	return filter->wish ? filter_wants_system(filter->wish) : filter->wants_system;
}

bool filter_single_session(const struct filter *filter, struct slice *ret_session)
{
	if (filter->wish)
		return filter_single_session(filter->wish, ret_session) || filter_single_session(filter->scope, ret_session);
	if (filter->sessions.count != 1)
		return false;
	*ret_session = filter->sessions.items[0];
	return true;
}

bool text_list_has(const struct text_list *list, struct slice text)
{
	size_t low = 0, high = list->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = slice_compare(list->items[middle], text);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static bool matches_glob(const struct glob *glob, struct slice text)
{
	if (text.len < glob->literal_len || memcmp(text.ptr, glob->pattern.ptr, glob->literal_len) != 0)
		return false;
	return glob->is_prefix || glob_match(glob->pattern, text);
}

static bool wants_text(const struct text_list *list, struct slice text)
{
	return list->count == 0 || text_list_has(list, text);
}

static bool wants_pattern(const struct pattern_list *list, struct slice text)
{
	if (list->exact.count == 0 && list->glob_count == 0)
		return true;
	if (text_list_has(&list->exact, text))
		return true;
	for (size_t i = 0; i < list->glob_count; i++) {
		if (matches_glob(&list->globs[i], text))
			return true;
	}
	return false;
}

/* A record without a type has an empty one, which no pattern of a type matches, not even "*". */
static bool wants_type(const struct filter *filter, struct slice type)
{
	if (type.len == 0)
		return filter->types.exact.count == 0 && filter->types.glob_count == 0;
	return wants_pattern(&filter->types, type);
}

bool filter_match(const struct filter *filter, const struct record *record)
{
	if (filter->wish)
		return filter_match(filter->wish, record) && filter_match(filter->scope, record);
	if (record->kind == RECORD_SYSTEM && !filter->wants_system)
		return false;
	if (!wants_text(&filter->sessions, record->session) || !wants_text(&filter->agents, record->agent) ||
	    !wants_pattern(&filter->channels, record->channel) || !wants_type(filter, record->type))
		return false;
	if (filter->where_count && record->format != RECORD_JSON)
		return false;
	for (size_t i = 0; i < filter->where_count; i++) {
		if (!condition_match(&filter->where[i], record->payload))
			return false;
	}
	return true;
}

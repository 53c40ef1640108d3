#include <stdio.h>
#include <stdlib.h>

#include "gateway/filter/filter_parts.h"
#include "gateway/filter/glob.h"

/* Enough for every list at its limit with entries of 1 KiB; what a peer sends is bounded by its message before. */
#define ARENA_BYTES_MAX ((size_t)16 << 20)
#define TEXT_BYTES_MAX GLOB_BYTES_MAX

static int compare_texts(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static void sort_texts(struct text_list *list)
{
	size_t kept = 0;
	if (list->count == 0)
		return;
	qsort(list->items, list->count, sizeof *list->items, compare_texts);
	for (size_t i = 0; i < list->count; i++) {
		if (kept == 0 || slice_compare(list->items[kept - 1], list->items[i]) != 0)
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

static bool copy_text(struct arena *arena, struct slice text, struct slice *ret_copy)
{
	*ret_copy = (struct slice){arena_copy(arena, text.ptr, text.len), text.len};
	return ret_copy->ptr != NULL;
}

static enum err check_entry(const struct value *entry, const char *name, size_t at, struct filter_error *ret_error)
{
	char where[96];
	snprintf(where, sizeof where, "%s[%zu]", name, at);
	if (entry->kind != VALUE_STRING)
		return filter_refuse(ret_error, ERR_INVALID, where, "must be a string, not %s",
		                     value_kind_name(entry->kind));
	if (entry->text.len == 0)
		return filter_refuse(ret_error, ERR_INVALID, where, "must not be empty");
	if (entry->text.len > TEXT_BYTES_MAX)
		return filter_refuse(ret_error, ERR_LIMIT, where, "is longer than %d bytes", TEXT_BYTES_MAX);
	return OK;
}

/* Reads an array of strings; a missing one (NULL) gives an empty list. Not sorted yet. */
static enum err read_list(struct arena *arena, const struct value *array, const char *name, size_t count_max,
                          struct text_list *ret_list, struct filter_error *ret_error)
{
	struct text_list list = {0};
	if (!array)
		return OK;
	if (array->kind != VALUE_ARRAY)
		return filter_refuse(ret_error, ERR_INVALID, name, "must be an array of strings, not %s",
		                     value_kind_name(array->kind));
	if (array->list.count == 0)
		return filter_refuse(ret_error, ERR_INVALID, name,
		                     "an empty list matches nothing; leave it out to get everything");
	if (array->list.count > count_max)
		return filter_refuse(ret_error, ERR_LIMIT, name, "at most %zu entries", count_max);
	list.items = arena_alloc(arena, array->list.count * sizeof *list.items);
	if (!list.items)
		return filter_refuse(ret_error, ERR_NOMEM, name, "out of memory");
	for (const struct value *entry = array->list.first; entry; entry = entry->next) {
		enum err error = check_entry(entry, name, list.count, ret_error);
		if (error != OK)
			return error;
		if (!copy_text(arena, entry->text, &list.items[list.count++]))
			return filter_refuse(ret_error, ERR_NOMEM, name, "out of memory");
	}
	*ret_list = list;
	return OK;
}

static size_t literal_len(struct slice pattern)
{
	size_t len = 0;
	while (len < pattern.len && glob_is_exact((struct slice){pattern.ptr + len, 1}))
		len++;
	return len;
}

static struct glob make_glob(struct slice pattern)
{
	struct glob glob = {pattern, literal_len(pattern), false};
	size_t at = glob.literal_len;
	while (at < pattern.len && pattern.ptr[at] == '*')
		at++;
	glob.is_prefix = at == pattern.len;
	return glob;
}

/* Divides a sorted list into what matches only itself, kept in place, and globs. */
static bool split_patterns(struct arena *arena, struct text_list all, struct pattern_list *ret_list)
{
	struct pattern_list list = {.exact = {.items = all.items}};
	if (all.count == 0)
		return true;
	list.globs = arena_alloc(arena, all.count * sizeof *list.globs);
	if (!list.globs)
		return false;
	for (size_t i = 0; i < all.count; i++) {
		if (glob_is_exact(all.items[i]))
			list.exact.items[list.exact.count++] = all.items[i];
		else
			list.globs[list.glob_count++] = make_glob(all.items[i]);
	}
	*ret_list = list;
	return true;
}

/* Whether some channel could match both. Only the literal fronts of two globs are compared: a doubt counts as yes. */
static bool can_overlap(struct slice channel, struct slice served)
{
	size_t mine = literal_len(channel), theirs = literal_len(served);
	if (mine == channel.len)
		return glob_match(served, channel);
	if (theirs == served.len)
		return glob_match(channel, served);
	size_t shorter = mine < theirs ? mine : theirs;
	return memcmp(channel.ptr, served.ptr, shorter) == 0;
}

static bool is_system(struct slice channel)
{
	return slice_begins_with(channel, SLICE_LITERAL(FILTER_SYSTEM_PREFIX));
}

/* The gateway's own channels are there whatever publishers it serves. */
static enum err check_served(const struct text_list *channels, struct filter_patterns served,
                             struct filter_error *ret_error)
{
	char where[96], names[100] = "";
	for (size_t i = 0; i < channels->count && served.count; i++) {
		struct slice channel = channels->items[i];
		size_t at = 0, len = 0;
		if (is_system(channel))
			continue;
		while (at < served.count && !can_overlap(channel, served.patterns[at]))
			at++;
		if (at < served.count)
			continue;
		for (at = 0; at < served.count && len < sizeof names; at++)
			len += (size_t)snprintf(names + len, sizeof names - len, "%s%.*s", at ? ", " : "",
			                        filter_shown_len(served.patterns[at]), served.patterns[at].ptr);
		snprintf(where, sizeof where, "channels[%zu]", i);
		return filter_refuse(ret_error, ERR_INVALID, where, "\"%.*s\" can match nothing: the gateway serves %s",
		                     filter_shown_len(channel), channel.ptr, names);
	}
	return OK;
}

static bool copy_served(struct arena *arena, struct filter_patterns served, struct text_list *ret_list)
{
	struct text_list list = {0};
	list.items = arena_alloc(arena, (served.count + 1) * sizeof *list.items);
	if (!list.items)
		return false;
	for (size_t i = 0; i < served.count; i++) {
		if (!is_system(served.patterns[i]) && !copy_text(arena, served.patterns[i], &list.items[list.count++]))
			return false;
	}
	*ret_list = list;
	return true;
}

static int compare_conditions(const void *a, const void *b)
{
	return slice_compare(((const struct condition *)a)->canonical, ((const struct condition *)b)->canonical);
}

static enum err compile_where(struct filter *filter, const struct value *where, struct filter_error *ret_error)
{
	const char *name = "filter.where";
	if (!where)
		return OK;
	if (where->kind != VALUE_ARRAY)
		return filter_refuse(ret_error, ERR_INVALID, name, "must be an array of conditions, not %s",
		                     value_kind_name(where->kind));
	if (where->list.count > FILTER_WHERE_MAX)
		return filter_refuse(ret_error, ERR_LIMIT, name, "at most %d conditions", FILTER_WHERE_MAX);
	filter->where = arena_alloc(&filter->arena, (where->list.count + 1) * sizeof *filter->where);
	if (!filter->where)
		return filter_refuse(ret_error, ERR_NOMEM, name, "out of memory");
	size_t count = 0;
	for (const struct value *entry = where->list.first; entry; entry = entry->next, count++) {
		enum err error = condition_compile(&filter->arena, entry, count, &filter->where[count], ret_error);
		if (error != OK)
			return error;
	}
	qsort(filter->where, count, sizeof *filter->where, compare_conditions);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || compare_conditions(&filter->where[filter->where_count - 1], &filter->where[i]) != 0)
			filter->where[filter->where_count++] = filter->where[i];
	}
	return OK;
}

static void write_list(struct buf *out, const char *name, const struct text_list *list)
{
	buf_append_text(out, name);
	buf_append_char(out, '[');
	for (size_t i = 0; i < list->count; i++)
		canonical_text(out, list->items[i]);
	buf_append_char(out, ']');
}

/* The patterns are written before they are divided, so that their order is one. */
static bool write_canonical(struct filter *filter, const struct text_list *channels, const struct text_list *types)
{
	struct buf text;
	buf_init(&text);
	write_list(&text, "channels", channels);
	write_list(&text, "session", &filter->sessions);
	write_list(&text, "agent", &filter->agents);
	write_list(&text, "type", types);
	buf_append_text(&text, "where[");
	for (size_t i = 0; i < filter->where_count; i++)
		canonical_text(&text, filter->where[i].canonical);
	buf_append_char(&text, ']');
	bool is_written = !buf_has_failed(&text) && copy_text(&filter->arena, buf_slice(&text), &filter->canonical);
	buf_fini(&text);
	return is_written;
}

static enum err compile_lists(struct filter *filter, const struct value *map, struct text_list *ret_types,
                              struct filter_error *ret_error)
{
	static const char *const keys[] = {"session", "agent", "type", "where", NULL};
	struct arena *arena = &filter->arena;
	if (!map)
		return OK;
	if (map->kind != VALUE_MAP)
		return filter_refuse(ret_error, ERR_INVALID, "filter", "must be an object, not %s",
		                     value_kind_name(map->kind));
	enum err error = filter_check_keys(map, "filter", keys, ret_error);
	if (error == OK)
		error = read_list(arena, value_get(map, "session"), "filter.session", FILTER_LIST_MAX,
		                  &filter->sessions, ret_error);
	if (error == OK)
		error = read_list(arena, value_get(map, "agent"), "filter.agent", FILTER_LIST_MAX, &filter->agents,
		                  ret_error);
	if (error == OK)
		error = read_list(arena, value_get(map, "type"), "filter.type", FILTER_LIST_MAX, ret_types, ret_error);
	if (error == OK)
		error = compile_where(filter, value_get(map, "where"), ret_error);
	return error;
}

static enum err compile_channels(struct filter *filter, const struct value *channels, struct filter_patterns served,
                                 struct text_list *ret_channels, struct filter_error *ret_error)
{
	if (!channels)
		return copy_served(&filter->arena, served, ret_channels)
		           ? OK
		           : filter_refuse(ret_error, ERR_NOMEM, "channels", "out of memory");
	enum err error = read_list(&filter->arena, channels, "channels", FILTER_CHANNELS_MAX, ret_channels, ret_error);
	return error == OK ? check_served(ret_channels, served, ret_error) : error;
}

enum err filter_compile(const struct value *channels, const struct value *filter, struct filter_patterns served,
                        struct filter **ret_filter, struct filter_error *ret_error)
{
	struct text_list patterns = {0}, types = {0};
	struct filter *made = calloc(1, sizeof *made);
	if (!made)
		return filter_refuse(ret_error, ERR_NOMEM, "filter", "out of memory");
	refcount_init(&made->refs);
	arena_init(&made->arena, ARENA_BYTES_MAX);
	enum err error = compile_channels(made, channels, served, &patterns, ret_error);
	if (error == OK)
		error = compile_lists(made, filter, &types, ret_error);
	if (error != OK)
		goto fail_filter;
	for (size_t i = 0; i < patterns.count; i++)
		made->wants_system = made->wants_system || is_system(patterns.items[i]);
	sort_texts(&patterns);
	sort_texts(&types);
	sort_texts(&made->sessions);
	sort_texts(&made->agents);
	if (!write_canonical(made, &patterns, &types) || !split_patterns(&made->arena, patterns, &made->channels) ||
	    !split_patterns(&made->arena, types, &made->types)) {
		error = filter_refuse(ret_error, ERR_NOMEM, "filter", "out of memory");
		goto fail_filter;
	}
	*ret_filter = made;
	return OK;
fail_filter:
	filter_unref(made);
	return error;
}

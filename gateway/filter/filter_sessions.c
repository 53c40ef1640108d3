#include "gateway/filter/filter_parts.h"

/* The shorter of the lists that are there; of a conjunction each alone keeps out what is not in it. */
static const struct text_list *shortest(const struct filter *filter)
{
	if (!filter->wish)
		return &filter->sessions;
	const struct text_list *wish = shortest(filter->wish), *scope = shortest(filter->scope);
	if (wish->count == 0 || (scope->count && scope->count < wish->count))
		return scope;
	return wish;
}

bool filter_allows_session(const struct filter *filter, struct slice session)
{
	if (filter->wish)
		return filter_allows_session(filter->wish, session) && filter_allows_session(filter->scope, session);
	return filter->sessions.count == 0 || text_list_has(&filter->sessions, session);
}

bool filter_sessions(const struct filter *filter, struct slice *ret_sessions, size_t max, size_t *ret_count)
{
	const struct text_list *list = shortest(filter);
	size_t count = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (!filter_allows_session(filter, list->items[i]))
			continue;
		if (count == max)
			return false;
		ret_sessions[count++] = list->items[i];
	}
	*ret_count = count;
	return list->count > 0;
}

#include "gateway/filter/filter_parts.h"

/* The shorter list that asks for something; of a conjunction each alone keeps out what is not in it. */
static const struct text_list *sessions_of(const struct filter *filter)
{
	if (!filter->wish)
		return &filter->sessions;
	const struct text_list *wish = sessions_of(filter->wish), *scope = sessions_of(filter->scope);
	if (wish->count == 0 || (scope->count && scope->count < wish->count))
		return scope;
	return wish;
}

size_t filter_sessions(const struct filter *filter, struct slice *ret_sessions, size_t max)
{
	const struct text_list *sessions = sessions_of(filter);
	if (sessions->count > max)
		return 0;
	for (size_t i = 0; i < sessions->count; i++)
		ret_sessions[i] = sessions->items[i];
	return sessions->count;
}

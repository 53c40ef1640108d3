#include "gateway/auth/access.h"

#include "common/protocol/record.h"
#include "gateway/filter/filter.h"

bool access_is_same(const struct grants *a, const struct grants *b)
{
	if (a->ops != b->ops || a->has_system != b->has_system || !a->scope != !b->scope)
		return false;
	return !a->scope || slice_equal(filter_canonical(a->scope), filter_canonical(b->scope));
}

bool access_may(const struct grants *grants, enum grant_op op)
{
	return (grants->ops & (unsigned)op) != 0;
}

enum err access_narrow(const struct grants *grants, struct filter *wish, struct filter **ret_filter)
{
	if (filter_wants_system(wish) && !grants->has_system)
		return ERR_DENIED;
	struct filter *narrowed = grants->scope ? filter_within(wish, grants->scope) : filter_ref(wish);
	if (!narrowed)
		return ERR_NOMEM;
	*ret_filter = narrowed;
	return OK;
}

bool access_covers(const struct grants *grants, const struct record *record)
{
	if (record->kind == RECORD_SYSTEM && !grants->has_system)
		return false;
	return !grants->scope || filter_match(grants->scope, record);
}

struct filter *access_scope(const struct grants *grants)
{
	return grants->scope;
}

bool access_lists_sessions(const struct grants *grants)
{
	return !grants->scope || (grants->session_count && !grants->channel_count && !grants->agent_count);
}

bool access_covers_session(const struct grants *grants, struct slice session)
{
	if (!grants->scope)
		return true;
	for (size_t i = 0; access_lists_sessions(grants) && i < grants->session_count; i++) {
		if (slice_equal(grants->sessions[i], session))
			return true;
	}
	return false;
}

#include "gateway/history/scope.h"

int scope_compare(bool is_reverse, struct record_id a, struct record_id b)
{
	return is_reverse ? record_id_compare(b, a) : record_id_compare(a, b);
}

/* Whether what the page says of losses is true for the query too. */
static bool tells_losses(const struct scope *scope, struct record_id from)
{
	if (scope->is_reverse || record_id_compare(from, scope->from) == 0)
		return true;
	if (scope->is_trimmed)
		return record_id_compare(from, scope->lost) < 0;
	return record_id_compare(from, scope->solid) >= 0;
}

/* Whether nothing can be missing at the newest end, where entries come. */
static bool is_fresh(const struct scope *scope, const struct page_query *query)
{
	if (scope->is_reverse)
		return record_id_compare(query->from, record_id_next(scope->newest)) <= 0;
	return !scope->is_exhausted || scope->is_settled;
}

bool scope_serves(const struct scope *scope, const struct page_query *query, bool was_asked_before)
{
	if (scope_compare(scope->is_reverse, query->from, scope->from) < 0 || !tells_losses(scope, query->from))
		return false;
	if (!was_asked_before && !is_fresh(scope, query))
		return false;
	if (scope->is_exhausted)
		return scope_compare(scope->is_reverse, query->to, scope->to) <= 0;
	return scope_compare(scope->is_reverse, query->from, scope->reached) < 0;
}

#include "gateway/history/trim.h"

static bool was_never_cut(const struct stream_facts *facts)
{
	return facts->entries_added == facts->length;
}

enum trim trim_of_log(struct record_id from, const struct log_entry *first, const struct stream_facts *facts)
{
	if (record_id_is_zero(from) || (first && record_id_compare(first->before, from) <= 0))
		return TRIM_NONE;
	if (!facts)
		return TRIM_ASK;
	if (!facts->exists || was_never_cut(facts))
		return TRIM_NONE;
	if (facts->length == 0)
		return record_id_compare(facts->last, from) > 0 ? TRIM_LOST : TRIM_NONE;
	return record_id_compare(facts->first, from) > 0 ? TRIM_LOST : TRIM_NONE;
}

static bool is_within(uint64_t from_ms, uint64_t until_ms, uint64_t idle_ms)
{
	return idle_ms == 0 || until_ms <= from_ms || until_ms - from_ms < idle_ms;
}

/* A stream that went for want of entries and came again looks as if it had never been cut: only if it cannot have gone
 * between from and its first entry nothing is missing. */
enum trim trim_of_session(struct record_id from, const struct stream_facts *facts, uint64_t idle_ms, uint64_t now_ms)
{
	if (record_id_is_zero(from))
		return TRIM_NONE;
	if (!facts->exists)
		return is_within(from.ms, now_ms, idle_ms) ? TRIM_NONE : TRIM_LOST;
	if (facts->length == 0)
		return record_id_compare(facts->last, from) > 0 ? TRIM_LOST : TRIM_NONE;
	if (record_id_compare(from, facts->first) >= 0)
		return TRIM_NONE;
	return was_never_cut(facts) && is_within(from.ms, facts->first.ms, idle_ms) ? TRIM_NONE : TRIM_LOST;
}

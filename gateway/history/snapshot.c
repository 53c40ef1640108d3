#include "gateway/history/snapshot.h"

#include "common/data/hash.h"
#include "gateway/history/fold.h"

uint64_t snapshot_sum(const struct snapshot *snapshot, struct slice session)
{
	const uint64_t numbers[] = {snapshot->at.ms, snapshot->at.seq, snapshot->version, snapshot->epoch, snapshot->skipped};
	uint64_t sum = hash64(session, 0);
	/* Number by number, so that machines of another byte order give the same. */
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		unsigned char bytes[8];
		for (size_t j = 0; j < 8; j++)
			bytes[j] = (unsigned char)(numbers[i] >> 8 * j);
		sum = hash64((struct slice){(const char *)bytes, sizeof bytes}, sum);
	}
	return hash64(snapshot->state, sum);
}

enum snapshot_verdict snapshot_judge(const struct snapshot *snapshot, struct slice session)
{
	if (snapshot->version != FOLD_RULES_VERSION)
		return snapshot->version < FOLD_RULES_VERSION ? SNAPSHOT_OLDER : SNAPSHOT_NEWER;
	return snapshot_sum(snapshot, session) == snapshot->sum ? SNAPSHOT_GOOD : SNAPSHOT_DAMAGED;
}

bool snapshot_is_of(struct record_id at, uint64_t epoch, const struct log_position *log, const struct stream_facts *facts)
{
	bool is_of_log = epoch == log->epoch || record_id_compare(at, log->base) <= 0;
	return is_of_log && facts->exists && record_id_compare(at, facts->last) <= 0;
}

static bool is_within(uint64_t from_ms, uint64_t until_ms, uint64_t idle_ms)
{
	return idle_ms == 0 || until_ms <= from_ms || until_ms - from_ms < idle_ms;
}

/* Entries go from the front only. A stream that went for want of entries and came again counts anew: it may have gone where
 * there was nothing for long enough. */
bool snapshot_is_joined(struct record_id at, uint64_t entries, const struct stream_facts *facts, uint64_t idle_ms, uint64_t now_ms)
{
	if (!facts->exists)
		return false;
	if (facts->length && record_id_compare(at, facts->first) >= 0)
		return true;
	uint64_t until_ms = facts->length ? facts->first.ms : now_ms;
	uint64_t gone = facts->entries_added > facts->length ? facts->entries_added - facts->length : 0;
	return entries >= gone && is_within(at.ms, until_ms, idle_ms);
}

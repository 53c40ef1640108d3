/* A snapshot is a state of a session as it is kept in Redis, so that no fold has to begin at the beginning. Any node may write one
 * and any may find one that is of no use: of other rules, of a log that is no more, damaged. Pure; private to the history and
 * to who carries it out. */
#ifndef GATEWAY_HISTORY_SNAPSHOT_H
#define GATEWAY_HISTORY_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "common/protocol/log.h"
#include "gateway/history/archive.h"

#define SNAPSHOTS_MAX 1000 /* of one session; the oldest go */

struct snapshot {
	struct record_id at;  /* of the last event in it */
	uint64_t version;     /* FOLD_RULES_VERSION of who wrote it */
	uint64_t epoch;       /* of the log at that time */
	uint64_t skipped;     /* as in struct fold */
	uint64_t sum;         /* over all that is here, and the session */
	struct slice state;   /* as fold_write() gives it; borrowed */
};

uint64_t snapshot_sum(const struct snapshot *snapshot, struct slice session);

enum snapshot_verdict {
	SNAPSHOT_GOOD,
	SNAPSHOT_DAMAGED,
	SNAPSHOT_OLDER, /* of former rules: of no use to anybody soon */
	SNAPSHOT_NEWER, /* of rules to come: of use to others */
};
enum snapshot_verdict snapshot_judge(const struct snapshot *snapshot, struct slice session);

/* Whether a state at that event of the session is one of the past that there is: of this log, or of what it took over; not
 * behind the stream's end. */
bool snapshot_is_of(struct record_id at, uint64_t epoch, const struct log_position *log, const struct stream_facts *facts);
/* Whether nothing was lost between that event, up to which the stream ever had so many, and what the stream still holds. */
bool snapshot_is_joined(struct record_id at, uint64_t entries, const struct stream_facts *facts, uint64_t idle_ms, uint64_t now_ms);

#endif

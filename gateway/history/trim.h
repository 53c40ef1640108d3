/* Judges whether a reader that stands at an id has lost something: whether between it and the first entry that the stream
 * still holds there were others. Entries of the log name the id before them, so that mostly no question is needed; streams of
 * sessions do not. Pure; private to the room. */
#ifndef GATEWAY_HISTORY_TRIM_H
#define GATEWAY_HISTORY_TRIM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/protocol/log.h"
#include "gateway/history/archive.h"

enum trim {
	TRIM_NONE,   /* nothing is missing: entries that somebody deleted from the middle (XDEL) are no loss either */
	TRIM_LOST,
	TRIM_ASK,    /* only the stream's facts can tell */
};

/* first: the first entry behind from, NULL: there is none in the range. facts: NULL while they were not asked. */
enum trim trim_of_log(struct record_id from, const struct log_entry *first, const struct stream_facts *facts);
/* idle_ms: after so long without an entry the stream goes, 0: never. TRIM_LOST: it may be; the log may know better. */
enum trim trim_of_session(struct record_id from, const struct stream_facts *facts, uint64_t idle_ms, uint64_t now_ms);

#endif

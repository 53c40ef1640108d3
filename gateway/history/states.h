/* The states of sessions at moments, for all workers of a node. A question is answered by folding the session's stream from the
 * nearest place that is known: a fold that was used a moment ago, a snapshot in Redis, the beginning. It is read page by page, a
 * page a turn, between the pages of others; few sessions at a time, the rest waits in line, fairly by asker, and those who ask for one
 * session wait for each other, since the second needs little where the first has been. Snapshots are written on the way.
 * Pure: Redis is behind states_ops. Owned by the historian, one thread. */
#ifndef GATEWAY_HISTORY_STATES_H
#define GATEWAY_HISTORY_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/history/archive.h"
#include "gateway/history/question.h"
#include "gateway/history/snapshot.h"

struct states;

struct states_settings {
	struct intake_fields fields;
	size_t page_entries, page_bytes; /* most entries in one read; what a read should come to */
	size_t folds_max;                /* sessions that are folded at a time */
	size_t waiting_max;              /* questions in line; beyond it they are answered with ERR_LIMIT */
	size_t cache_bytes_max;          /* of all folds, at work and kept; one that needs more alone is answered with ERR_RANGE */
	uint64_t snapshot_events;        /* a snapshot after so many events, */
	size_t snapshot_bytes;           /* or so many bytes of payload, but never of a state larger than what came since the last */
	uint64_t session_idle_ms;        /* as in archive_settings */
	uint64_t seed;                   /* of hashes; secret */
};

/* Answers come by states_on_...(ticket), also of what fails, never inside the call. */
struct states_ops {
	enum err (*read)(void *context, uint64_t ticket, const struct page_query *query, size_t count);
	enum err (*inspect)(void *context, uint64_t ticket, struct slice session);
	/* The newest snapshot with above < at <= to. */
	enum err (*recall)(void *context, uint64_t ticket, struct slice session, struct record_id above, struct record_id to);
	/* Nobody is told what came of these. */
	void (*keep)(void *context, struct slice session, const struct snapshot *snapshot);
	void (*forget)(void *context, struct slice session, struct record_id at); /* zero: all snapshots of the session */
	void (*answer)(void *context, struct answer *answer); /* owned by the receiver */
};

struct states *states_new(const struct states_settings *settings, const struct states_ops *ops, void *context) MUST_USE;
void states_free(struct states *states); /* NULL is fine; answers nobody */

void states_ask(struct states *states, struct question *question); /* QUESTION_STATE; owns it from now on */
void states_cancel(struct states *states, const struct question *cancel); /* as QUESTION_CANCEL; may be about another kind's */
void states_link(struct states *states, bool is_up); /* as archive_link */
void states_position(struct states *states, const struct log_position *position);
void states_relieve(struct states *states); /* forgets what nobody is at work with */
uint64_t states_tick(struct states *states, uint64_t now_ns); /* deadlines; gives when it wants to be called next, UINT64_MAX: never */

/* why: NULL, or what Redis refused. */
void states_on_read(struct states *states, uint64_t ticket, const struct log_entry *entries, size_t count, const char *why);
void states_on_facts(struct states *states, uint64_t ticket, const struct stream_facts *stream, const struct log_position *log,
		     const char *why);
void states_on_snapshot(struct states *states, uint64_t ticket, const struct snapshot *snapshot, const char *why); /* NULL: there is none */

#endif

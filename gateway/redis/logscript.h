/* The log in Redis, as commands on one link: the script (log.lua) by EVALSHA, loaded anew where the server has lost it, and reads
 * of the streams. Every call gets exactly one answer by its callback, NULL or a failed one when the link ends first; none inside
 * the call. Keys: <prefix>log, <prefix>session:<id>, <prefix>snap:<id>, <prefix>epoch, <prefix>recorder; channel <prefix>live. Owned by the link's loop.
 *
 * An entry of a stream has the fields c (channel), p (payload) and, in the log, b (the id before it). One that others wrote
 * and that has none of them is read with a channel and a payload of none (NULL).
 *
 * Calls of the script reach Redis in the order of the calls here, also when some were in flight as the server lost the script:
 * those are sent again, in order, and later calls wait behind them. (Only where another client loads the script between two
 * calls of the same flight may the later one come first; each is still done once, and the log's order is what counts.) */
#ifndef GATEWAY_REDIS_LOGSCRIPT_H
#define GATEWAY_REDIS_LOGSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/data/hash.h"
#include "common/protocol/log.h"
#include "gateway/history/archive.h"
#include "gateway/history/snapshot.h"

struct link;
struct logscript;

struct logscript_settings {
	const char *prefix;
	uint64_t lease_ms;
	uint64_t log_events_max, log_age_ms, session_events_max, session_idle_ms; /* 0: no bound */
};

struct logscript_event {
	struct slice channel, payload, session;
	struct hash128 hash;
};

/* settings are borrowed. */
struct logscript *logscript_new(const struct logscript_settings *settings) MUST_USE; /* NULL: no memory */
void logscript_free(struct logscript *script); /* calls back nobody: after its link was closed; NULL is fine */
/* The link for the calls from now on; NULL: none, calls give ERR_CLOSED. The link before it is closed before another is used. */
void logscript_use(struct logscript *script, struct link *link);

enum logscript_result {
	LOGSCRIPT_OK,
	LOGSCRIPT_NOT_OURS,    /* the lease is another's, or nobody's */
	LOGSCRIPT_OTHER_EPOCH, /* the log is another one than the caller thinks, or has no epoch */
	LOGSCRIPT_REFUSED,     /* Redis said no: why has its text */
	LOGSCRIPT_LOST,        /* the link ended: done or not, nobody knows */
	LOGSCRIPT_ASKED,       /* of a claim: other nodes were, and nothing was taken */
};

/* What was refused, in Redis' words as far as there are some; NULL: nothing was. */
const char *logscript_why(enum logscript_result result, const char *why);

typedef void logscript_done(void *context, uint64_t ticket, enum logscript_result result, const char *why);
typedef void logscript_opened(void *context, uint64_t ticket, enum logscript_result result, const struct log_position *position, const char *why);
typedef void logscript_stored(void *context, uint64_t ticket, enum logscript_result result, struct record_id id, const char *why);
typedef void logscript_read_done(void *context, uint64_t ticket, enum logscript_result result, const struct log_entry *entries, size_t count,
				 const char *why);

typedef void logscript_inspected(void *context, uint64_t ticket, enum logscript_result result, const struct stream_facts *stream,
				 const struct log_position *log, const char *why);
/* sessions: borrowed for the call. cursor 0: that was all. */
typedef void logscript_listed(void *context, uint64_t ticket, enum logscript_result result, uint64_t cursor,
			      const struct session_summary *sessions, size_t count, const char *why);

enum err logscript_open(struct logscript *script, uint64_t ticket, struct log_position known, logscript_opened *done, void *context) MUST_USE;
/* question: see feed_ops. LOGSCRIPT_ASKED: nothing was taken. */
enum err logscript_claim(struct logscript *script, uint64_t ticket, struct slice token, bool by_force, struct slice question,
			 logscript_done *done, void *context) MUST_USE;
enum err logscript_renew(struct logscript *script, uint64_t ticket, struct slice token, logscript_done *done, void *context) MUST_USE; /* and trims the log */
void logscript_release(struct logscript *script, struct slice token);
enum err logscript_record(struct logscript *script, uint64_t ticket, struct slice token, uint64_t epoch, const struct logscript_event *events,
			  size_t count, logscript_done *done, void *context) MUST_USE;
/* Without a hash (all zero) the stamp carries the whole event. An empty session: it has no stream. */
enum err logscript_publish(struct logscript *script, uint64_t ticket, const struct logscript_event *event, logscript_stored *done,
			   void *context) MUST_USE;
/* session: empty for the log. from exclusive, to inclusive; reverse: newest first. At most count entries. */
enum err logscript_read(struct logscript *script, uint64_t ticket, struct slice session, struct record_id from, struct record_id to,
			bool is_reverse, size_t count, logscript_read_done *done, void *context) MUST_USE;

/* The facts of a session's stream, or of the log where session is empty, and where the log stands. */
enum err logscript_inspect(struct logscript *script, uint64_t ticket, struct slice session, logscript_inspected *done, void *context) MUST_USE;
/* Sessions that have a stream, from cursor on (0: the first), about limit of them, in no order: fewer where the keys of Redis
 * are so many that the search is better gone on with by another call. One may come twice when keys come and go meanwhile. */
enum err logscript_list(struct logscript *script, uint64_t ticket, uint64_t cursor, size_t limit, logscript_listed *done, void *context) MUST_USE;

/* snapshot: borrowed for the call; NULL: there is none, or why says what Redis refused. */
typedef void logscript_recalled(void *context, uint64_t ticket, enum logscript_result result, const struct snapshot *snapshot, const char *why);
/* The newest snapshot of the session with above < at <= to. */
enum err logscript_recall(struct logscript *script, uint64_t ticket, struct slice session, struct record_id above, struct record_id to,
			  logscript_recalled *done, void *context) MUST_USE;
/* Keeps a snapshot for as long as the session's stream lives, unless a later one is there already; nobody is told. */
void logscript_keep(struct logscript *script, struct slice session, const struct snapshot *snapshot);
void logscript_forget(struct logscript *script, struct slice session, struct record_id at); /* that snapshot; zero: all of the session */

extern const char logscript_source[]; /* the text of the script, as `tracegate --print-script` shows it */

#endif

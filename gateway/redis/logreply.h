/* What Redis answers to the commands of the log (log.lua, XRANGE), read into our own types. Every function judges any reply:
 * what is not as expected counts as refused. Pure; private to the room. */
#ifndef GATEWAY_REDIS_LOGREPLY_H
#define GATEWAY_REDIS_LOGREPLY_H

#include <stdbool.h>

#include "common/data/buf.h"
#include "gateway/redis/logscript.h"

struct redisReply;

#define LOGREPLY_WHY_BYTES 256

struct logreply {
	enum logscript_result result;
	char why[LOGREPLY_WHY_BYTES]; /* LOGSCRIPT_REFUSED, LOGSCRIPT_LOST; else empty */
};

/* NULL: LOGSCRIPT_LOST. An array that begins with OK, LEASE, EPOCH or ASKED, as the verbs give it. */
void logreply_read(const struct redisReply *reply, struct logreply *ret_outcome);
bool logreply_is_noscript(const struct redisReply *reply);

/* The same, and what follows OK; all but the result is untouched where that is not LOGSCRIPT_OK. */
void logreply_position(const struct redisReply *reply, struct logreply *ret_outcome, struct log_position *ret_position);
void logreply_id(const struct redisReply *reply, struct logreply *ret_outcome, struct record_id *ret_id);
void logreply_facts(const struct redisReply *reply, struct logreply *ret_outcome, struct stream_facts *ret_stream,
		    struct log_position *ret_log);
/* Appends struct session_summary to out; their names point into reply. */
void logreply_sessions(const struct redisReply *reply, struct logreply *ret_outcome, uint64_t *ret_cursor, struct buf *out);
/* What the entry of a snapshot says; its state points into reply. False: there is none. Fields that are missing or odd are zero:
 * the sum does not fit then. */
bool logreply_snapshot(const struct redisReply *reply, struct logreply *ret_outcome, struct snapshot *ret_snapshot);
/* Appends struct log_entry to out; their texts point into reply. */
void logreply_entries(const struct redisReply *reply, struct logreply *ret_outcome, struct buf *out);

#endif

/* A record is one published event, as the hub made it: immutable, counted, shared by every thread.
 * It is one allocation that holds the event's JSON element with the payload spliced in byte for byte:
 *   {"id":"1764031200123-0","channel":"trace:s1","ts":1764031200123,"data":<payload>}
 *   payload not JSON:  ...,"data":"<text>","format":"text"}      not UTF-8:  ...,"data":"<base64>","format":"base64"}
 * Room is kept in front for the id, so that a record that gets its id later (record_stamp, by its only owner, before it
 * is shared) is not copied again. The one thing that is added to a shared record is its element in the other encoding. */
#ifndef COMMON_PROTOCOL_RECORD_H
#define COMMON_PROTOCOL_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/refcount.h"
#include "common/base/slice.h"
#include "common/data/blob.h"
#include "common/protocol/log.h"

enum record_kind { RECORD_TRACE, RECORD_AGENT, RECORD_SWARM, RECORD_PERFORMANCE, RECORD_SYSTEM, RECORD_OTHER, RECORD_KINDS };
enum record_format { RECORD_JSON, RECORD_TEXT, RECORD_BASE64 };

struct record {
	struct refcount refs;
	enum record_kind kind;
	enum record_format format;
	bool is_object;          /* the payload is a JSON object */
	bool is_repeat;          /* was delivered before, without its id: whoever is live has it, whoever catches up has not */
	struct record_id id;
	uint64_t ts_ms;          /* wall clock: of the id, else of the receipt */
	uint64_t received_ns;    /* monotonic */
	struct slice element;    /* JSON, as above */
	struct slice channel;    /* as published */
	struct slice payload;    /* as published; for RECORD_JSON a view into element */
	struct slice session, agent, type; /* unescaped UTF-8; empty when absent. What the gateway says of itself (RECORD_SYSTEM) has no session */
	/* For record_stamp(): the element as it is without an id starts here, after RECORD_ID_ROOM free bytes; its 13 digits
	 * of ts start at ts_at. */
	char *plain_element, *ts_at;
	_Atomic(struct blob *) packed; /* for record_packed() */
};

#define RECORD_ID_ROOM 64 /* for {"id":"<20 digits>-<20 digits>", in front */

/* Made by the feed (gateway/feed/intake.h), which owns the layout of the allocation behind it. */
/* Gives the record its id, its ts and its place in the element. Only by its one owner, before it is shared. */
void record_stamp(struct record *record, struct record_id id);
void record_set_ts(struct record *record, uint64_t ts_ms); /* part of both; as above */
/* The element in the other encoding (common/codec/codec.h), which is made when somebody first wants it and then kept with the
 * record, for all threads. NULL: not made yet. Borrowed, as long as the record is held. */
const struct blob *record_packed(const struct record *record);
/* Keeps what was made and gives it back; where another thread was quicker, drops it and gives what that one made. Takes over
 * the reference. Not before the record has its id and ts. */
const struct blob *record_keep_packed(const struct record *record, struct blob *made);
struct record *record_ref(struct record *record);
void record_unref(struct record *record); /* NULL is fine */

enum record_kind record_kind_of(struct slice channel); /* by the part before the first colon */
const char *record_kind_name(enum record_kind kind);   /* "trace" ... "other" */

/* What one read of the feed gave, in order; immutable and counted like its records. */
struct record_batch {
	struct refcount refs;
	/* Either all records have an id, ascending, and follow this id in the log without a hole; or none has one (nobody
	 * recorded them in time, or there is no log) and this is zero. */
	struct record_id after;
	bool is_recorded;
	size_t count, capacity;
	struct record *records[]; /* owned */
};

struct record_batch *record_batch_new(size_t capacity) MUST_USE;               /* empty; NULL: no memory */
void record_batch_add(struct record_batch *batch, struct record *record);     /* takes over the reference; count < capacity */
struct record_batch *record_batch_ref(struct record_batch *batch);
void record_batch_unref(struct record_batch *batch);                          /* NULL is fine */

#endif

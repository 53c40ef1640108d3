/* A codec turns values and records into the bytes of one encoding and back. One vtable per encoding, registered in
 * codec_all; everything above speaks values and records only. Codecs are pure and shared by all threads. */
#ifndef COMMON_CODEC_CODEC_H
#define COMMON_CODEC_CODEC_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/data/buf.h"
#include "common/protocol/record.h"
#include "common/protocol/value.h"

struct codec {
	const char *name; /* "json" */
	bool is_binary;   /* its messages are WebSocket binary frames */

	/* One message from a peer. ERR_INVALID: ret_why says what is wrong and where (at least 128 bytes). */
	enum err (*decode)(struct arena *arena, struct slice message, struct value **ret_value, char ret_why[128]);
	void (*encode)(struct buf *out, const struct value *value);

	/* A batch of events: the elements are appended one after the other with events_add, first == true for the first;
	 * then the message's head is asked for on its own (it is put in front, in room kept free) and its tail appended.
	 * cursor may be empty: no log, no cursor. */
	void (*events_add)(struct buf *elements, const struct record *record, bool first);
	void (*events_head)(struct buf *head, struct slice sub, struct slice cursor, size_t count);
	void (*events_tail)(struct buf *elements);
	/* As events_add, for a record whose payload is JSON: in place of "data" a member of that name ("full", "delta") with this text,
	 * UTF-8, as a string; where messages are binary, any bytes. NULL: this encoding has no deltas. */
	void (*events_add_text)(struct buf *elements, const struct record *record, const char *name, struct slice text, bool first);
	/* The head of a batch that a replay gives: as events_head, with the replay's key in place of the subscription's. */
	void (*replay_head)(struct buf *head, struct slice replay, struct slice cursor, size_t count);
	/* The head of a chunk of events in answer to the request of that id; elements and tail are those of a batch. */
	void (*chunk_head)(struct buf *head, const struct value *id, uint64_t seq, size_t count);

	/* The JSON text of a member of a message that decode took as a map; where messages are JSON the very bytes that were sent.
	 * Lives as long as the message and the arena. False: there is no such member, or no memory. */
	bool (*member)(struct arena *arena, struct slice message, const char *name, struct slice *ret_json);
};

extern const struct codec codec_json, codec_msgpack;

#endif

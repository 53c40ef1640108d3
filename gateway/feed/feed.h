/* The feed of a node: what publishers PUBLISH, in the order of the log. It holds what the node's own subscription
 * delivered as pending until the recorder's stamps name the ids, fetches from the log what the node missed, and is the
 * recorder itself while it holds the lease. Pure: Redis and the workers are behind feed_ops; time is given from common/base/clock.
 * Owned by the hub, one thread. tests/unit/feed/test_feed_model.c runs it under random schedules.
 *
 * What may be relied on: records with ids are delivered in the order of the log, each once, without a hole that is not told
 * (record_batch.after); a record that stays without a stamp for grace_ns is delivered without an id, once, and kept
 * to be recorded later; whichever node dies at whatever moment, a record that some living node heard is recorded exactly once,
 * and in the order of publication where a node goes on that heard all that was not recorded yet.
 *
 * Life of a link: feed_linked (commands go, nothing is subscribed yet) -> ops.subscribe -> feed_event, feed_live as they come -> feed_up
 * -> ... -> feed_down. Answers may come late or never: each call carries the feed's own ticket, and only the expected one counts. */
#ifndef GATEWAY_FEED_FEED_H
#define GATEWAY_FEED_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/data/hash.h"
#include "common/protocol/log.h"
#include "common/protocol/record.h"
#include "gateway/feed/intake.h"

struct feed;

struct feed_settings {
	struct intake_fields fields;
	struct slice node;            /* for the lease's token; no spaces */
	bool is_recorded;             /* false: no log at all; records are delivered at once, without ids */
	uint64_t grace_ns;            /* how long a record waits for its stamp */
	uint64_t lease_ns;            /* renewed at a third of it */
	uint64_t deaf_ns;             /* a record this long without a stamp though somebody holds the lease: it is taken by force */
	size_t pending_bytes_max;     /* beyond it the oldest that were delivered without an id are given up (counted) */
	size_t record_batch_max;      /* records in one call */
	size_t calls_in_flight_max;   /* record calls */
	size_t page_entries;          /* entries in one read of the log */
};

/* What is told to the workers when it changes. */
struct feed_state {
	struct log_position log;  /* epoch 0: no log was seen yet; last: everything up to it was delivered or precedes this node */
	bool is_recorded;         /* false: records are delivered without ids at present (grace passed, or there is no log) */
	bool is_recorder;         /* this node */
};

enum claim_answer { CLAIM_TAKEN, CLAIM_HELD_BY_OTHER, CLAIM_FAILED, CLAIM_ASKED /* whether others would */ };
enum record_answer { RECORDED, RECORD_NOT_OURS /* the lease is another's or gone */, RECORD_OTHER_EPOCH, RECORD_FAILED };

/* A record on its way into the log. */
struct feed_entry {
	const struct record *record;
	struct hash128 hash;
};

/* None may call the feed back before it returned. Calls that want an answer get it by feed_on_...(ticket), also when they
 * fail; ERR_...: it could not be asked and no answer comes. */
struct feed_ops {
	enum err (*open)(void *context, uint64_t ticket, struct log_position known); /* makes the epoch where there is none, and a new one
	                                                                              * where the log ends before known.last in known.epoch */
	void (*subscribe)(void *context);                                            /* nothing that is published from now on may be missed */
	/* Takes the lease and publishes the fence, in one step. question, unless NULL: where others listen too they are asked this
	 * instead (stamps.h), and nothing is taken: CLAIM_ASKED. */
	enum err (*claim)(void *context, uint64_t ticket, struct slice token, bool by_force, struct slice question);
	enum err (*renew)(void *context, uint64_t ticket, struct slice token);       /* CLAIM_TAKEN: still ours; CLAIM_HELD_BY_OTHER: lost */
	void (*release)(void *context, struct slice token);                          /* gives it up if it is ours; no answer */
	enum err (*record)(void *context, uint64_t ticket, struct slice token, uint64_t epoch, const struct feed_entry *entries,
			   size_t count);
	enum err (*read)(void *context, uint64_t ticket, struct record_id after, size_t count); /* the log, ascending */
	void (*deliver)(void *context, struct record_batch *batch); /* borrowed */
	void (*changed)(void *context, const struct feed_state *state);
};

struct feed *feed_new(const struct feed_settings *settings, const struct feed_ops *ops, void *context) MUST_USE; /* texts are borrowed */
void feed_free(struct feed *feed); /* NULL is fine; releases nothing: feed_retire() does */

void feed_linked(struct feed *feed);
void feed_up(struct feed *feed);   /* what was subscribed is proved to come */
void feed_down(struct feed *feed); /* the lease is given up, as far as the command link still goes */
/* The node drains: gives the lease up, and takes it again only where no other node records what it heard; goes on delivering. */
void feed_retire(struct feed *feed);

void feed_event(struct feed *feed, struct slice channel, struct slice payload, uint64_t ts_ms, uint64_t received_ns);
void feed_live(struct feed *feed, struct slice message); /* a message on <prefix>live; stamps.h */
void feed_read_end(struct feed *feed);                   /* after the messages of one read: delivers and records */
/* Runs what is due and gives the monotonic time (ns) of the next; UINT64_MAX: none. Also to be called after any other
 * call, since it may change that. */
uint64_t feed_tick(struct feed *feed, uint64_t now_ns);

void feed_on_open(struct feed *feed, uint64_t ticket, const struct log_position *position);           /* NULL: it failed */
void feed_on_claim(struct feed *feed, uint64_t ticket, enum claim_answer answer);                      /* claim and renew */
void feed_on_record(struct feed *feed, uint64_t ticket, enum record_answer answer);
void feed_on_read(struct feed *feed, uint64_t ticket, const struct log_entry *entries, size_t count, bool is_ok);

const struct feed_state *feed_state(const struct feed *feed);

#endif

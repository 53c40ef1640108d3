/* The fold: the state of a session at a moment, as its events made it one by one (docs/protocol.md, State; docs/time-travel.md
 * has examples). A pure function of the session's events in the order of their ids: the same events give the same bytes on every
 * node, whether folded in one go or from a snapshot on. Owned by one thread. */
#ifndef GATEWAY_HISTORY_FOLD_H
#define GATEWAY_HISTORY_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/codec/json_document.h"
#include "common/protocol/log.h"
#include "gateway/feed/intake.h"

/* To be raised with every change of what the fold gives: a snapshot of other rules is no snapshot. */
#define FOLD_RULES_VERSION 1

/* What all folds of a thread share: the configured fields, and memory for the event at hand. */
struct fold_rules;
struct fold_rules *fold_rules_new(const struct intake_fields *fields, uint64_t seed) MUST_USE; /* fields are borrowed; NULL: no memory */
void fold_rules_free(struct fold_rules *rules); /* NULL is fine */

struct fold {
	struct fold_rules *rules;
	struct json_document document;
	struct json_member *kinds[4]; /* of the document, by enum record_kind */
	struct json_member *count;
	struct record_id at;          /* of the last event in it; zero: none */
	struct record_id since;       /* from there on it knows; zero: from the beginning */
	uint64_t events;              /* in it */
	uint64_t skipped;             /* what the session's stream had lost before the first of them */
	uint64_t new_events;          /* since fold_mark(), and the bytes of their payloads */
	size_t new_bytes;
};

/* The state before any event. since: zero unless earlier events are lost, skipped of them. NULL: no memory. */
struct fold *fold_new(struct fold_rules *rules, size_t limit_bytes, struct slice session, struct record_id since,
                      uint64_t skipped) MUST_USE;
void fold_free(struct fold *fold); /* NULL is fine */

/* Events come in the order of their ids. ERR_NOMEM, ERR_LIMIT (the state is larger than limit_bytes): the fold is of no use any more. */
enum err fold_add(struct fold *fold, struct record_id id, struct slice channel, struct slice payload) MUST_USE;
void fold_mark(struct fold *fold); /* what it is now is kept elsewhere */

void fold_write(struct fold *fold, struct buf *out); /* appends the state as JSON */
size_t fold_bytes(const struct fold *fold);                /* memory that it takes */
/* A state as fold_write() gave it, which at and skipped belong to. ERR_INVALID: it is none, or of another session;
 * ERR_NOMEM; ERR_LIMIT. */
enum err fold_read(struct fold_rules *rules, size_t limit_bytes, struct slice session, struct slice state, struct record_id at,
                   uint64_t skipped, struct fold **ret_fold) MUST_USE;

/* Appends the JSON Merge Patch that makes the second state of the first. ERR_INVALID, ERR_NOMEM. */
enum err fold_diff(struct fold_rules *rules, struct slice from, struct slice to, struct buf *out) MUST_USE;

#endif

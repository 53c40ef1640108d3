/* What is said on <prefix>live, by the script (gateway/redis/log.lua) alone: which entries the log took, fences, questions.
 *   S <epoch> <before>\n  then per entry  <16 bytes of hash><id>\n          stamps of the recorder
 *   P <epoch> <before> <id> <channel bytes>\n<channel><payload>              one event that a publisher stored itself, without a hash
 *   F <epoch> <last> <token>\n                                                  a fence: a recorder took over; the log ends at <last>
 *   Q <epoch> <last> <token>\n[<16 bytes of hash><count>]                      a question: who holds older events without an id than the asker, whose oldest
 *                                                                            is this one, of so many alike (it holds none), and would record them first?
 *   H\n                                                                      the event that comes next was stored by its publisher; its stamp follows
 * epoch: 16 hex digits; before: the id before the first; ids as <ms>-<seq>. Whatever else comes is refused, never trusted. Pure. */
#ifndef GATEWAY_FEED_STAMPS_H
#define GATEWAY_FEED_STAMPS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/data/hash.h"
#include "common/protocol/log.h"

enum stamps_kind { STAMPS_RECORDED, STAMPS_PUBLISHED, STAMPS_FENCE, STAMPS_QUESTION };

struct stamps {
	enum stamps_kind kind;
	uint64_t epoch;
	struct record_id before;        /* of the next entry; STAMPS_FENCE, STAMPS_QUESTION: the last id of the log */
	struct slice token;             /* STAMPS_FENCE, STAMPS_QUESTION */
	struct hash128 oldest;          /* STAMPS_QUESTION */
	uint64_t alike;                 /* STAMPS_QUESTION: 0: there is no oldest */
	struct slice channel, payload;  /* STAMPS_PUBLISHED */
	struct slice rest;              /* of the entries; stamps_next() walks it */
};

struct stamp {
	struct record_id id;
	struct hash128 hash; /* STAMPS_PUBLISHED: by stamps_next() from channel and payload */
};

enum err stamps_read(struct slice message, struct stamps *ret_stamps) MUST_USE; /* ERR_INVALID; the slices point into message */
/* The next entry; ids go up. False: none is left, or (ret_error) what follows is no entry. */
bool stamps_next(struct stamps *stamps, struct stamp *ret_stamp, enum err *ret_error);

#define QUESTION_MAX 40
size_t stamps_write_oldest(char out[QUESTION_MAX], struct hash128 oldest, uint64_t alike); /* what a question ends with; gives its length */

/* The hash that stamps name records by: XXH3-128 of the payload, seeded by that of the channel, seeded by the epoch. */
struct hash128 stamp_hash(uint64_t epoch, struct slice channel, struct slice payload);

#endif

/* Pending: the records that a node heard and that have no id yet, in the order they came, and by the hash that stamps
 * name them by, first in first out among those with the same one. What is done for each record costs the same however many
 * there are; unsend and rehash walk through all, and behind unsend and unannounce the next unsent is looked for from the oldest.
 * Owned by the feed. Invariants: those delivered without an id come before those not yet delivered; a record is in it
 * once. */
#ifndef GATEWAY_FEED_PENDING_H
#define GATEWAY_FEED_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/list.h"
#include "common/data/hash.h"
#include "common/protocol/record.h"

struct record_call;

struct pending_record {
	struct list order;                     /* of all, by arrival */
	struct list same;                      /* with the same hash: a circle without a head */
	struct pending_record *next_in_bucket; /* for the oldest of each hash */
	struct record *record;                 /* owned */
	struct hash128 hash;
	uint64_t heard_ns;
	uint64_t link;            /* number of the link that brought it */
	bool is_delivered;        /* without its id */
	bool is_announced;        /* the newest: its publisher stored it itself, and its stamp comes next */
	struct record_call *call; /* that took it to the log and is not settled; NULL: none */
};

struct pending {
	struct list order;
	struct list *unsent, *undelivered; /* none before these is unsent, or undelivered; &order: none at all */
	struct pending_record **buckets;
	size_t bucket_count; /* a power of two */
	size_t count, bytes;
	struct pending_record *spare;
	size_t spare_count;
};

enum err pending_init(struct pending *pending) MUST_USE;
void pending_fini(struct pending *pending); /* gives back all records */

/* Takes the record over. NULL: no memory, and the record is still the caller's. */
struct pending_record *pending_add(struct pending *pending, struct record *record, struct hash128 hash,
                                   uint64_t link) MUST_USE;
struct record *pending_take(struct pending *pending,
                            struct pending_record *at); /* out of it; the caller owns the record */

struct pending_record *pending_oldest(const struct pending *pending);                    /* NULL: empty, as below */
struct pending_record *pending_find(const struct pending *pending, struct hash128 hash); /* the oldest with it */
struct pending_record *pending_next_same(const struct pending *pending,
                                         const struct pending_record *at); /* the next younger one */
struct pending_record *pending_next_unsent(struct pending *pending); /* the oldest that no call took and that its publisher did not announce as stored */
struct pending_record *pending_next_undelivered(struct pending *pending); /* the oldest */

void pending_unannounce(struct pending *pending,
                        struct pending_record *at); /* its stamp did not come: it may be recorded */
/* Takes the marks of this call off; NULL: of all calls. */
void pending_unsend(struct pending *pending, const struct record_call *call);
void pending_rehash(struct pending *pending, uint64_t epoch);

#endif

/* A ring holds the last records of the log that a worker was given, by id, ascending: who is a little behind catches up
 * from it without asking Redis. Bounded by records and by bytes of their elements; records are shared with other
 * holders. Owned by one thread.
 * Invariant: it holds every record after ring_start() up to ring_end(), without a hole. */
#ifndef GATEWAY_FEED_RING_H
#define GATEWAY_FEED_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/protocol/log.h"
#include "common/protocol/record.h"

struct ring;

struct ring *ring_new(size_t records_max, size_t bytes_max) MUST_USE; /* NULL: no memory */
void ring_free(struct ring *ring);                                    /* NULL is fine */

/* Forgets all; it now starts and ends at this id. */
void ring_reset(struct ring *ring, struct record_id at);
/* The records of a recorded batch. One that does not follow ring_end() resets the ring to where it begins. */
void ring_push(struct ring *ring, const struct record_batch *batch);

struct record_id ring_start(const struct ring *ring); /* exclusive */
struct record_id ring_end(const struct ring *ring);   /* the newest id; equals ring_start() while empty */
bool ring_covers(const struct ring *ring, struct record_id after); /* everything behind after is here, or nothing is behind it */
void ring_limit(struct ring *ring, size_t bytes_max); /* another bound of bytes from now on; what is above it goes, oldest first */
size_t ring_count(const struct ring *ring);

/* A place in the ring is a number that grows and stays valid as records come and go. A reset leaves one out: nothing ever comes to the
 * place that was the next before it. */
uint64_t ring_find(const struct ring *ring, struct record_id after);               /* the place of the first record behind after; O(log n) */
struct record *ring_at(const struct ring *ring, uint64_t place);                   /* borrowed; NULL: nothing there yet, or no more */

#endif

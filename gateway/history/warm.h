/* Folds that were used a moment ago, at several places of each session, so that the next moment asked for is near one of them: a
 * few whole trees, to go on with, and states as bytes, which any number of folds begin with. Bounded by memory, the longest
 * unused go first. Owned by one thread; private to the room. */
#ifndef GATEWAY_HISTORY_WARM_H
#define GATEWAY_HISTORY_WARM_H

#include <stddef.h>

#include "common/data/blob.h"
#include "gateway/history/fold.h"

#define WARM_FOLDS_MAX 4 /* of one session */

struct warm;

struct warm_place {
	struct record_id at;
	uint64_t entries; /* what the session's stream ever had up to there */
};

struct warm *warm_new(size_t bytes_max) MUST_USE; /* NULL: no memory */
void warm_free(struct warm *warm);                /* NULL is fine */

/* Owns the fold. Without memory it is dropped. */
void warm_put(struct warm *warm, struct slice session, struct fold *fold);
/* The state of the fold as it is now; takes a reference of its own. */
void warm_put_state(struct warm *warm, struct slice session, const struct fold *fold, struct blob *state);

/* The nearest place up to "to". False: none. */
bool warm_find(const struct warm *warm, struct slice session, struct record_id to, struct warm_place *ret_place);
/* The fold at a place that was found; the caller's. NULL: no memory. */
struct fold *warm_take(struct warm *warm, struct fold_rules *rules, size_t limit_bytes, struct slice session, struct record_id at) MUST_USE;

void warm_drop(struct warm *warm, struct slice session);           /* all of a session */
void warm_drop_behind(struct warm *warm, struct record_id base);   /* all places behind it */
void warm_fit(struct warm *warm, size_t bytes_max);                /* makes room, once; 0: all goes */
size_t warm_bytes(const struct warm *warm);

#endif

/* Deltas: what a cohort whose members asked for them sent last on each channel, and each event as what changed since then. A
 * chain is a cohort's; the store holds the chains of an exchange together: their texts are bounded, the one used longest ago goes
 * first, and the next event of its channel is sent in full. An event is made into a delta once for all members.
 *
 * Batches are numbered. A delta refers to the text that its channel had in an earlier batch, or before it in the same one, so who
 * got all batches from some number on can read a batch if the oldest batch that it refers to is not before that. Who cannot is
 * given the same batch in full (cohort.c), which is made when the first such member is met. Nothing else is kept of a member but that number.
 *
 * Events whose payload is not JSON come as they do elsewhere, and are no text that a delta refers to. Same thread as the exchange. */
#ifndef GATEWAY_SESSION_DELTA_H
#define GATEWAY_SESSION_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/codec/codec.h"
#include "common/codec/fossil_delta.h"
#include "common/data/table.h"

#define DELTA_CHANNELS_MAX 16384 /* of one chain */
#define DELTA_REFERS_TO_NONE UINT64_MAX

struct delta_store {
	struct list texts; /* of all chains, the one used longest ago first */
	size_t bytes, bytes_max;
	struct fossil_encoder encoder;
	struct buf delta, channel; /* scratch */
};

struct delta_chain {
	struct delta_store *store;
	struct table by_channel;
	struct list texts;   /* the one used longest ago first */
	uint64_t batch;      /* the number of the batch that is being collected, or was last */
	uint64_t refers_to;  /* the oldest batch that it refers to */
};

void delta_store_init(struct delta_store *store, size_t bytes_max); /* bytes_max 0: no deltas here */
void delta_store_fini(struct delta_store *store);                   /* its chains are gone */

struct delta_chain *delta_chain_new(struct delta_store *store) MUST_USE; /* NULL: no memory */
void delta_chain_free(struct delta_chain *chain);                        /* NULL is fine */
void delta_chain_begin(struct delta_chain *chain); /* the next batch */
void delta_chain_forget(struct delta_chain *chain); /* all channels begin anew: not all got what was sent last */

/* Appends the record to a batch that all members in step will get. */
void delta_append(struct delta_chain *chain, const struct codec *codec, struct buf *batch, const struct record *record, bool is_first);
/* The same for one who knows nothing of what was before. */
void delta_append_full(const struct codec *codec, struct buf *batch, const struct record *record, bool is_first);

#endif

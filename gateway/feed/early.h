/* A queue of places in the log, ascending, whose stamps are still to come: entries that were read from the log before
 * the feed came to them. Owned by the feed. */
#ifndef GATEWAY_FEED_EARLY_H
#define GATEWAY_FEED_EARLY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/data/hash.h"
#include "common/protocol/log.h"

struct early_entry {
	struct record_id id;
	struct hash128 hash;
	bool is_taken; /* its record was found otherwise */
};

struct early {
	struct early_entry *entries; /* a ring of capacity (a power of two, or 0) entries, owned */
	size_t capacity, first, count;
};

void early_init(struct early *early);
void early_fini(struct early *early);
void early_clear(struct early *early);
enum err early_push(struct early *early, struct record_id id,
                    struct hash128 hash) MUST_USE;                /* id: behind all others. ERR_NOMEM */
const struct early_entry *early_first(const struct early *early); /* NULL: empty */
void early_pop(struct early *early);
/* The first with this hash is dealt with, and waits for no stamp; false: there is none. Looks at all of them. */
bool early_take(struct early *early, struct hash128 hash);
/* Forgets what is older than id; true: id itself waited, and is gone too. */
bool early_reach(struct early *early, struct record_id id, struct hash128 *ret_hash);

#endif

/* An outbox holds the finished frames that one session still owes its peer, in the order in which they go. Frames are
 * shared: one that waits for a thousand clients exists once. Owned by its session, same thread.
 * Invariant: event_bytes and control_bytes are the sums over the parcels with and without a subscription. */
#ifndef GATEWAY_SESSION_OUTBOX_H
#define GATEWAY_SESSION_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/list.h"
#include "common/data/blob.h"
#include "common/protocol/log.h"

struct subscription;

struct parcel {
	struct list link;
	struct blob *frame;
	struct subscription *subscription; /* whose events; NULL: a reply or a notice, which is never dropped */
	size_t events;
	bool has_deltas;               /* as in a batch */
	struct record_id after, first; /* of the events, as in a batch; zero where that is not known */
};

struct outbox {
	struct list parcels; /* oldest first */
	size_t event_bytes, control_bytes;
};

void outbox_init(struct outbox *outbox);
void outbox_fini(struct outbox *outbox);
bool outbox_is_empty(const struct outbox *outbox);

/* Both take a reference to the frame. */
enum err outbox_push(struct outbox *outbox, struct blob *frame, struct subscription *subscription, size_t events) MUST_USE;
enum err outbox_push_first(struct outbox *outbox, struct blob *frame) MUST_USE; /* a heartbeat, ahead of all that waits */

struct parcel *outbox_first(const struct outbox *outbox);              /* NULL: empty */
void outbox_drop(struct outbox *outbox, struct parcel *parcel);        /* takes it out and frees it */
struct parcel *outbox_last(const struct outbox *outbox);               /* the same */
/* The oldest parcel of the subscription; NULL: it has none here. */
struct parcel *outbox_oldest(const struct outbox *outbox, const struct subscription *subscription);
/* Drops the oldest parcel of the subscription and gives the number of its events; 0: it has none here. */
size_t outbox_drop_oldest(struct outbox *outbox, const struct subscription *subscription);

#endif

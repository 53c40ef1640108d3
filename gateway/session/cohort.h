/* A cohort is the subscriptions that ask for the same thing in the same encoding. Matching events are collected into a
 * batch that is encoded and framed once; each member costs one write of the same bytes. Owned by its exchange, lives while
 * it has members; same thread.
 * Invariant: a cohort with pending events is on its exchange's dirty list. */
#ifndef GATEWAY_SESSION_COHORT_H
#define GATEWAY_SESSION_COHORT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/list.h"
#include "common/data/blob.h"
#include "common/data/buf.h"
#include "gateway/filter/filter.h"
#include "gateway/filter/index.h"
#include "gateway/session/front.h"

struct delta_chain;
struct exchange;
struct subscription;

#define COHORT_KEY_LEN 16 /* hexadecimal digits of a 64-bit hash of what is asked for: equal on every node, and whatever of it the client may see */

/* One finished batch on its way to the members. */
struct batch {
	struct slice frame;
	bool is_recorded;              /* its events have ids, and are in the log */
	struct record_id after, first; /* everything up to after was decided before it; its first event */
	struct blob *shared;           /* made from frame when the first member must keep it; NULL before */
	struct record *const *records; /* NULL unless it has deltas, or a member that may want them alone */
	size_t count;
	bool has_deltas; /* it is of no use to who has not what went before */
};
struct blob *batch_share(struct batch *batch) MUST_USE; /* borrowed from the batch; NULL: no memory */

struct cohort {
	struct exchange *exchange;
	struct filter *filter;
	const struct front *front;
	char key[COHORT_KEY_LEN + 1];
	struct buf table_key;        /* front, its compression, deltas and canonical filter: what makes cohorts equal */
	struct delta_chain *chain;   /* NULL: members did not ask for deltas */
	struct index_member *place;
	struct list members;         /* struct subscription, in_cohort: those that are not catching up */
	size_t member_count;         /* with those that are */
	size_t keeping_count;        /* members that may want single records of a batch */

	struct list dirty;           /* on the exchange's list while pending_count > 0 */
	struct buf pending;          /* COHORT_HEADROOM free bytes, then the elements */
	size_t pending_count;
	bool is_recorded;            /* the pending ones are: a batch holds events of one kind */
	struct record_id after, first; /* of the pending ones, as in a batch */
	uint64_t unrecorded;         /* events without ids that the filter wanted, ever */
	struct record **records;     /* the pending records, kept only where they may be wanted */
	size_t record_capacity;
	uint64_t oldest_ns;          /* receipt of the oldest pending event */
	uint64_t rest_until_ns;      /* no batch before this, unless one is full or late */
};

/* The cohort for this filter, front and kind: the one there is, or a new one. NULL: no memory. */
struct cohort *cohort_find(struct exchange *exchange, struct filter *filter, const struct front *front, bool has_deltas) MUST_USE;
/* A subscription belongs to it from enter to leave. Between join and part it gets the batches; join writes out what
 * is pending first, so that it gets nothing from before. */
void cohort_enter(struct cohort *cohort);
void cohort_leave(struct cohort *cohort); /* parted; frees the cohort with its last member */
void cohort_join(struct cohort *cohort, struct subscription *subscription);
void cohort_part(struct cohort *cohort, struct subscription *subscription); /* harmless when it is parted */

/* What this member has had last is not what the deltas refer to: it does not get the batch that is being written (forget), or does
 * not trust what it had before the next one (resync). It gets batches in full until it is in step again. */
void cohort_forget_step(const struct cohort *cohort, struct subscription *subscription);
void cohort_resync(const struct cohort *cohort, struct subscription *subscription);

void cohort_add(struct cohort *cohort, const struct record *record);
void cohort_flush(struct cohort *cohort);
uint64_t cohort_due_ns(const struct cohort *cohort); /* when its batch should go; monotonic */

/* A batch for one member alone, in the same form, in two steps: begin empties out and leaves room in front, then the records
 * are appended by cohort_append, and end gives the frame, a view into out. False: no memory. */
bool cohort_begin_frame(struct buf *out);
bool cohort_end_frame(const struct cohort *cohort, struct buf *out, size_t count, struct record_id cursor, struct slice *ret_frame);
void cohort_append(const struct cohort *cohort, struct buf *batch, const struct record *record, bool is_first);
/* All of it for records that are at hand; appends the whole frame to out. Its cursor is the exchange's head. */
void cohort_frame_records(const struct cohort *cohort, struct record *const *records, size_t count, struct buf *out);

#endif

#include "gateway/session/cohort.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/delta.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/frame.h"
#include "gateway/session/session_inside.h"

/* In front of the elements: the frame's header and the message's head, whose size is known when the batch is finished. */
#define COHORT_HEADROOM 256
/* Members looked at ahead of the sends; their memory must fit into the cache beside the rest. */
#define WARM_MEMBERS 16
/* No canonical filter begins or ends like this. */
#define DELTA_MARK "\001fossil"
/* A batch buffer that grew beyond this is given back to the system. */
#define BUFFER_KEEP_BYTES ((size_t)512 * 1024)

struct blob *batch_share(struct batch *batch)
{
	if (!batch->shared)
		batch->shared = blob_new(batch->frame.ptr, batch->frame.len);
	return batch->shared;
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/: short, and the same on every node. Equality is decided by the text
 * itself, never by this hash. */
static uint64_t hash(uint64_t sum, struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		sum = (sum ^ (unsigned char)text.ptr[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static uint64_t hash_of(struct filter *filter, bool has_deltas)
{
	uint64_t sum = hash(UINT64_C(0xcbf29ce484222325), filter_canonical(filter_wish(filter)));
	return has_deltas ? hash(sum, SLICE_LITERAL(DELTA_MARK)) : sum;
}

static struct cohort *cohort_new(struct exchange *exchange, struct filter *filter, const struct front *front,
				 bool has_deltas, struct buf *table_key)
{
	struct cohort *cohort = calloc(1, sizeof *cohort);
	if (!cohort)
		return NULL;
	cohort->exchange = exchange;
	cohort->front = front;
	cohort->table_key = *table_key;
	snprintf(cohort->key, sizeof cohort->key, "%016" PRIx64, hash_of(filter, has_deltas));
	list_init(&cohort->members);
	list_init(&cohort->dirty);
	buf_init(&cohort->pending);
	cohort->chain = has_deltas ? delta_chain_new(&exchange->deltas) : NULL;
	if (has_deltas && !cohort->chain)
		goto fail_cohort;
	cohort->place = index_add(exchange->index, filter, cohort);
	if (!cohort->place)
		goto fail_chain;
	if (table_put(&exchange->cohorts, buf_slice(&cohort->table_key), cohort) != OK)
		goto fail_index;
	cohort->filter = filter_ref(filter);
	metric_gauge_add(METRIC_COHORTS, 1);
	return cohort;

fail_index:
	index_remove(exchange->index, cohort->place);
fail_chain:
	delta_chain_free(cohort->chain);
fail_cohort:
	free(cohort);
	return NULL;
}

struct cohort *cohort_find(struct exchange *exchange, struct filter *filter, const struct front *front, bool has_deltas)
{
	struct buf table_key;
	buf_init(&table_key);
	buf_append_text(&table_key, front->name);
	buf_append_char(&table_key, (char)front->deflate_bits); /* no name holds such a character */
	if (has_deltas)
		buf_append_text(&table_key, DELTA_MARK);
	buf_append_slice(&table_key, filter_canonical(filter));
	if (buf_has_failed(&table_key)) {
		buf_fini(&table_key);
		return NULL;
	}
	struct cohort *cohort = table_get(&exchange->cohorts, buf_slice(&table_key));
	bool is_new = !cohort;
	if (is_new)
		cohort = cohort_new(exchange, filter, front, has_deltas, &table_key);
	if (!is_new || !cohort)
		buf_fini(&table_key);
	return cohort;
}

static void drop_records(struct cohort *cohort)
{
	if (cohort->records)
		for (size_t i = 0; i < cohort->pending_count; i++)
			record_unref(cohort->records[i]);
	free(cohort->records);
	cohort->records = NULL;
	cohort->record_capacity = 0;
}

/* Gives the batch buffer to the next cohort that needs one. */
static void retire_buffer(struct cohort *cohort)
{
	struct exchange *exchange = cohort->exchange;
	buf_shrink(&cohort->pending, BUFFER_KEEP_BYTES);
	if (exchange->spare_count < EXCHANGE_SPARE_BUFFERS)
		exchange->spare[exchange->spare_count++] = cohort->pending;
	else
		buf_fini(&cohort->pending);
	buf_init(&cohort->pending);
}

static void end_batch(struct cohort *cohort)
{
	drop_records(cohort);
	cohort->pending_count = 0;
	list_remove(&cohort->dirty);
	retire_buffer(cohort);
}

static void cohort_free(struct cohort *cohort)
{
	if (cohort->pending_count)
		end_batch(cohort);
	table_remove(&cohort->exchange->cohorts, buf_slice(&cohort->table_key));
	index_remove(cohort->exchange->index, cohort->place);
	filter_unref(cohort->filter);
	delta_chain_free(cohort->chain);
	buf_fini(&cohort->table_key);
	free(cohort);
	metric_gauge_add(METRIC_COHORTS, -1);
}

void cohort_enter(struct cohort *cohort)
{
	cohort->member_count++;
}

void cohort_join(struct cohort *cohort, struct subscription *subscription)
{
	cohort_flush(cohort);
	if (cohort->chain && list_is_empty(&cohort->members))
		delta_chain_forget(cohort->chain); /* nobody has those texts */
	cohort_forget_step(cohort, subscription);
	list_append(&cohort->members, &subscription->in_cohort);
}

void cohort_forget_step(const struct cohort *cohort, struct subscription *subscription)
{
	subscription->in_step_from = cohort->chain ? cohort->chain->batch + 1 : 0;
}

void cohort_resync(const struct cohort *cohort, struct subscription *subscription)
{
	subscription->in_step_from = cohort->chain ? cohort->chain->batch + (cohort->pending_count == 0) : 0;
}

void cohort_part(struct cohort *cohort, struct subscription *subscription)
{
	(void)cohort;
	list_remove(&subscription->in_cohort);
}

void cohort_leave(struct cohort *cohort)
{
	if (--cohort->member_count == 0)
		cohort_free(cohort);
}

static bool is_recorded(const struct record *record)
{
	return !record_id_is_zero(record->id);
}

static bool begin_batch(struct cohort *cohort, const struct record *record)
{
	struct exchange *exchange = cohort->exchange;
	if (exchange->spare_count)
		cohort->pending = exchange->spare[--exchange->spare_count];
	cohort->oldest_ns = record->received_ns;
	cohort->is_recorded = is_recorded(record);
	cohort->after = exchange->log_head;
	cohort->first = record->id;
	if (!buf_extend(&cohort->pending, COHORT_HEADROOM))
		return false;
	if (cohort->chain)
		delta_chain_begin(cohort->chain);
	list_append(&exchange->dirty, &cohort->dirty);
	uint64_t due_ns = cohort_due_ns(cohort);
	if (due_ns < exchange->flush_ns)
		exchange->flush_ns = due_ns;
	return true;
}

/* Remembers the record for the members that may want it alone. Gives false when memory is out. */
static bool keep_record(struct cohort *cohort, const struct record *record)
{
	if (cohort->pending_count == cohort->record_capacity) {
		size_t capacity = cohort->record_capacity ? cohort->record_capacity * 2 : 16;
		struct record **grown = realloc(cohort->records, capacity * sizeof(struct record *));
		if (!grown)
			return false;
		cohort->records = grown;
		cohort->record_capacity = capacity;
	}
	/* Counting a reference changes no part of the record that anyone reads. */
	cohort->records[cohort->pending_count] = record_ref((struct record *)(uintptr_t)record);
	return true;
}

/* Memory is out: the members read it later, or are told by a gap. */
static void lose(struct cohort *cohort, size_t events)
{
	const struct batch lost = {.is_recorded = cohort->is_recorded, .after = cohort->after, .count = events};
	if (cohort->chain)
		delta_chain_forget(cohort->chain);
	LIST_FOREACH(&cohort->members, at, following)
		subscription_miss(LIST_ENTRY(at, struct subscription, in_cohort), &lost);
}

static void flush(struct cohort *cohort, struct record_id cursor);

static bool keeps_records(const struct cohort *cohort)
{
	return cohort->keeping_count || cohort->chain;
}

/* A batch ends in front of this record: it would be too long, hold events of two kinds, or lack the records that a member which
 * came in the middle of it may want. */
static bool ends_before(const struct cohort *cohort, const struct record *record)
{
	return cohort->pending.len + record->element.len > cohort->exchange->settings.batch_max_bytes ||
	       cohort->is_recorded != is_recorded(record) || (keeps_records(cohort) && !cohort->records);
}

/* Empty while no log is known: nothing resumes then. */
static struct slice cursor_text(const struct cohort *cohort, struct record_id id, char text[CURSOR_TEXT])
{
	uint64_t epoch = cohort->exchange->feed.log.epoch;
	return epoch ? (struct slice){text, cursor_write(text, id, epoch)} : SLICE_NONE;
}

void cohort_append(const struct cohort *cohort, struct buf *batch, const struct record *record, bool is_first)
{
	const struct front *front = cohort->front;
	char text[CURSOR_TEXT];
	if (cohort->chain)
		delta_append_full(front->codec, batch, record, is_first);
	else if (front->event)
		front->event(batch, record, is_recorded(record) ? cursor_text(cohort, record->id, text) : SLICE_NONE);
	else
		front->codec->events_add(batch, record, is_first);
}

void cohort_add(struct cohort *cohort, const struct record *record)
{
	if (cohort->pending_count && ends_before(cohort, record))
		cohort_flush(cohort);
	if (!is_recorded(record))
		cohort->unrecorded++;
	if (list_is_empty(&cohort->members))
		return;
	if (!cohort->pending_count && !begin_batch(cohort, record))
		goto fail;
	size_t before = cohort->pending.len;
	if (cohort->chain)
		delta_append(cohort->chain, cohort->front->codec, &cohort->pending, record, cohort->pending_count == 0);
	else
		cohort_append(cohort, &cohort->pending, record, cohort->pending_count == 0);
	if (buf_has_failed(&cohort->pending) || (keeps_records(cohort) && !keep_record(cohort, record))) {
		cohort->pending.len = before;
		cohort->pending.failed = false;
		goto fail;
	}
	if (++cohort->pending_count >= cohort->exchange->settings.batch_max_events)
		flush(cohort, cohort->is_recorded ? record->id : cohort->exchange->log_head);
	return;

fail:
	lose(cohort, 1);
	if (!cohort->pending_count)
		end_batch(cohort);
}

/* Puts the message's head right in front of the elements, and makes the frame of it. */
bool cohort_end_frame(const struct cohort *cohort, struct buf *batch, size_t count, struct record_id cursor, struct slice *ret_frame)
{
	const size_t start = COHORT_HEADROOM;
	char text[CURSOR_TEXT];
	const struct front *front = cohort->front;
	struct buf *head = &cohort->exchange->head;
	buf_clear(head);
	front->codec->events_head(head, (struct slice){cohort->key, COHORT_KEY_LEN}, cursor_text(cohort, cursor, text), count);
	front->codec->events_tail(batch);
	if (buf_has_failed(head) || buf_has_failed(batch) || head->len + FRONT_HEADROOM > COHORT_HEADROOM)
		return false;
	char *payload = batch->bytes + start - head->len;
	if (head->len)
		memcpy(payload, head->bytes, head->len);
	*ret_frame = frame_finish(cohort->exchange, front, payload, head->len + batch->len - start);
	return true;
}

/* Where clients are many, what is needed of each is rarely in the cache, and the kernel's work for a send pushes out more. So it
 * is fetched for a few members at a time, all at once, instead of one thing after the other before each send. Changes nothing.
 * Gives the first member that was not looked at. */
static struct list *warm(struct list *members, struct list *from)
{
	const struct session *sessions[WARM_MEMBERS];
	size_t count = 0, ready = 0;
	for (; from != members && count < WARM_MEMBERS; from = from->next) {
		sessions[count] = LIST_ENTRY(from, struct subscription, in_cohort)->session;
		__builtin_prefetch(&sessions[count]->port);
		__builtin_prefetch(&sessions[count++]->events);
	}
	for (size_t i = 0; i < count; i++)
		__builtin_prefetch(sessions[i]->port);
	for (size_t i = 0; i < count; i++)
		ready += sessions[i]->state == SESSION_OPEN && session_is_clear(sessions[i]);
	(void)ready;
	return from;
}

/* The same batch in full, made when first wanted. False: no memory. */
static bool make_full(const struct cohort *cohort, const struct batch *batch, struct record_id cursor, struct batch *full)
{
	struct buf *out = &cohort->exchange->full;
	if (full->count)
		return true;
	if (!cohort_begin_frame(out))
		return false;
	for (size_t i = 0; i < batch->count; i++)
		cohort_append(cohort, out, batch->records[i], i == 0);
	*full = *batch;
	full->has_deltas = false;
	full->shared = NULL;
	if (cohort_end_frame(cohort, out, batch->count, cursor, &full->frame))
		return true;
	full->count = 0;
	return false;
}

/* Whether it has not what the batch refers to, or may lose what that or a later one refers to. */
static bool needs_full(const struct cohort *cohort, const struct subscription *subscription)
{
	if (!cohort->chain || cohort->chain->refers_to == DELTA_REFERS_TO_NONE)
		return false;
	return subscription->in_step_from > cohort->chain->refers_to ||
	       (subscription->policy == SLOW_DROP && !session_is_clear(subscription->session));
}

static void fan_out(struct cohort *cohort, struct slice frame, struct record_id cursor)
{
	struct list *cold = cohort->members.next;
	struct batch full = {.count = 0};
	struct batch batch = {
		.frame = frame,
		.is_recorded = cohort->is_recorded,
		.after = cohort->after,
		.first = cohort->first,
		.records = cohort->records,
		.count = cohort->pending_count,
		.has_deltas = cohort->chain && cohort->chain->refers_to != DELTA_REFERS_TO_NONE,
	};
	LIST_FOREACH(&cohort->members, at, following) {
		struct subscription *subscription = LIST_ENTRY(at, struct subscription, in_cohort);
		if (at == cold)
			cold = warm(&cohort->members, cold);
		if (!needs_full(cohort, subscription))
			subscription_offer(subscription, &batch);
		else if (make_full(cohort, &batch, cursor, &full))
			subscription_offer(subscription, &full);
		else
			subscription_miss(subscription, &batch);
	}
	blob_unref(batch.shared);
	blob_unref(full.shared);
}

/* cursor: everything up to it was decided over, and what of it was wanted is in this batch or went before it. */
static void flush(struct cohort *cohort, struct record_id cursor)
{
	struct slice frame;
	uint64_t start_ns = clock_mono_ns();
	if (cohort_end_frame(cohort, &cohort->pending, cohort->pending_count, cursor, &frame))
		fan_out(cohort, frame, cursor);
	else
		lose(cohort, cohort->pending_count);
	uint64_t end_ns = clock_mono_ns();
	uint64_t spent_ns = end_ns - start_ns, interval_ns = cohort->exchange->settings.batch_interval_ns;
	cohort->rest_until_ns = start_ns + (spent_ns > interval_ns ? spent_ns : interval_ns);
	metric_add(METRIC_BATCHES, 1);
	metric_observe_ns(HISTOGRAM_FANOUT_SECONDS, spent_ns);
	metric_observe_ns(HISTOGRAM_LATENCY_SECONDS, end_ns > cohort->oldest_ns ? end_ns - cohort->oldest_ns : 0);
	end_batch(cohort);
}

void cohort_flush(struct cohort *cohort)
{
	if (cohort->pending_count)
		flush(cohort, cohort->exchange->log_head);
}

uint64_t cohort_due_ns(const struct cohort *cohort)
{
	uint64_t late_ns = cohort->oldest_ns + cohort->exchange->settings.batch_max_delay_ns;
	return cohort->rest_until_ns < late_ns ? cohort->rest_until_ns : late_ns;
}

bool cohort_begin_frame(struct buf *out)
{
	buf_clear(out);
	return buf_extend(out, COHORT_HEADROOM) != NULL;
}

void cohort_frame_records(const struct cohort *cohort, struct record *const *records, size_t count, struct buf *out)
{
	struct buf batch;
	buf_init(&batch);
	struct slice frame;
	if (cohort_begin_frame(&batch)) {
		for (size_t i = 0; i < count; i++)
			cohort_append(cohort, &batch, records[i], i == 0);
		if (cohort_end_frame(cohort, &batch, count, cohort->exchange->log_head, &frame))
			buf_append_slice(out, frame);
		else
			out->failed = true;
	} else {
		out->failed = true;
	}
	buf_fini(&batch);
}

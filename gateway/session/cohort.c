#include "gateway/session/cohort.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"

/* In front of the elements: the frame's header and the message's head, whose size is known when the batch is finished. */
#define COHORT_HEADROOM 256
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
static uint64_t hash(struct slice text)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < text.len; i++)
		sum = (sum ^ (unsigned char)text.ptr[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static struct cohort *cohort_new(struct exchange *exchange, struct filter *filter, const struct front *front,
				 struct buf *table_key)
{
	struct cohort *cohort = calloc(1, sizeof *cohort);
	if (!cohort)
		return NULL;
	cohort->exchange = exchange;
	cohort->front = front;
	cohort->table_key = *table_key;
	snprintf(cohort->key, sizeof cohort->key, "%016" PRIx64, hash(filter_canonical(filter)));
	list_init(&cohort->members);
	list_init(&cohort->dirty);
	buf_init(&cohort->pending);
	cohort->place = index_add(exchange->index, filter, cohort);
	if (!cohort->place)
		goto fail_cohort;
	if (table_put(&exchange->cohorts, buf_slice(&cohort->table_key), cohort) != OK)
		goto fail_index;
	cohort->filter = filter_ref(filter);
	metric_gauge_add(METRIC_COHORTS, 1);
	return cohort;

fail_index:
	index_remove(exchange->index, cohort->place);
fail_cohort:
	free(cohort);
	return NULL;
}

struct cohort *cohort_find(struct exchange *exchange, struct filter *filter, const struct front *front)
{
	struct buf table_key;
	buf_init(&table_key);
	buf_append_text(&table_key, front->name);
	buf_append_char(&table_key, '\0');
	buf_append_slice(&table_key, filter_canonical(filter));
	if (buf_has_failed(&table_key)) {
		buf_fini(&table_key);
		return NULL;
	}
	struct cohort *cohort = table_get(&exchange->cohorts, buf_slice(&table_key));
	bool is_new = !cohort;
	if (is_new)
		cohort = cohort_new(exchange, filter, front, &table_key);
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
	buf_fini(&cohort->table_key);
	free(cohort);
	metric_gauge_add(METRIC_COHORTS, -1);
}

void cohort_join(struct cohort *cohort, struct subscription *subscription)
{
	cohort_flush(cohort);
	list_append(&cohort->members, &subscription->in_cohort);
	cohort->member_count++;
}

void cohort_leave(struct cohort *cohort, struct subscription *subscription)
{
	list_remove(&subscription->in_cohort);
	if (--cohort->member_count == 0)
		cohort_free(cohort);
}

static bool begin_batch(struct cohort *cohort, const struct record *record)
{
	struct exchange *exchange = cohort->exchange;
	if (exchange->spare_count)
		cohort->pending = exchange->spare[--exchange->spare_count];
	if (!buf_extend(&cohort->pending, COHORT_HEADROOM))
		return false;
	cohort->oldest_ns = record->received_ns;
	list_append(&exchange->dirty, &cohort->dirty);
	uint64_t due_ns = cohort_due_ns(cohort);
	if (due_ns < exchange->flush_ns)
		exchange->flush_ns = due_ns;
	return true;
}

/* Remembers the record for the members that conflate. Gives false when memory is out. */
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

/* Memory is out: the members are told by a gap. */
static void lose(struct cohort *cohort, size_t events)
{
	LIST_FOREACH(&cohort->members, at, following)
		subscription_lose(LIST_ENTRY(at, struct subscription, in_cohort), events, METRIC_DROPPED_MEMORY);
}

void cohort_add(struct cohort *cohort, const struct record *record)
{
	const struct exchange_settings *settings = &cohort->exchange->settings;
	if (cohort->pending_count && cohort->pending.len + record->element.len > settings->batch_max_bytes)
		cohort_flush(cohort);
	/* A cohort whose first conflating member came in the middle of a batch has no records for it: start a new one. */
	if (cohort->pending_count && cohort->conflating_count && !cohort->records)
		cohort_flush(cohort);
	if (!cohort->pending_count && !begin_batch(cohort, record))
		goto fail;
	size_t before = cohort->pending.len;
	cohort->front->codec->events_add(&cohort->pending, record, cohort->pending_count == 0);
	if (buf_has_failed(&cohort->pending) || (cohort->conflating_count && !keep_record(cohort, record))) {
		cohort->pending.len = before;
		cohort->pending.failed = false;
		goto fail;
	}
	if (++cohort->pending_count >= settings->batch_max_events)
		cohort_flush(cohort);
	return;

fail:
	lose(cohort, 1);
	if (!cohort->pending_count)
		end_batch(cohort);
}

/* Puts the message's head and the frame's header right in front of the elements that begin at start. False: no memory. */
static bool finish_frame(const struct cohort *cohort, struct buf *batch, size_t start, size_t count, struct slice *ret_frame)
{
	const struct front *front = cohort->front;
	struct buf *head = &cohort->exchange->head;
	buf_clear(head);
	front->codec->events_head(head, (struct slice){cohort->key, COHORT_KEY_LEN}, SLICE_NONE, count);
	front->codec->events_tail(batch);
	if (buf_has_failed(head) || buf_has_failed(batch) || head->len + FRONT_HEADROOM > COHORT_HEADROOM)
		return false;
	uint8_t header[FRONT_HEADROOM];
	size_t header_len = front->frame_header(header, head->len + batch->len - start);
	char *front_of_frame = batch->bytes + start - head->len - header_len;
	memcpy(front_of_frame, header, header_len);
	memcpy(front_of_frame + header_len, head->bytes, head->len);
	*ret_frame = (struct slice){front_of_frame, (size_t)(batch->bytes + batch->len - front_of_frame)};
	return true;
}

static void fan_out(struct cohort *cohort, struct slice frame)
{
	struct batch batch = {.frame = frame, .records = cohort->records, .count = cohort->pending_count};
	LIST_FOREACH(&cohort->members, at, following)
		subscription_offer(LIST_ENTRY(at, struct subscription, in_cohort), &batch);
	blob_unref(batch.shared);
}

void cohort_flush(struct cohort *cohort)
{
	if (!cohort->pending_count)
		return;
	struct slice frame;
	uint64_t start_ns = clock_mono_ns();
	if (finish_frame(cohort, &cohort->pending, COHORT_HEADROOM, cohort->pending_count, &frame))
		fan_out(cohort, frame);
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

uint64_t cohort_due_ns(const struct cohort *cohort)
{
	uint64_t late_ns = cohort->oldest_ns + cohort->exchange->settings.batch_max_delay_ns;
	return cohort->rest_until_ns < late_ns ? cohort->rest_until_ns : late_ns;
}

void cohort_frame_records(const struct cohort *cohort, struct record *const *records, size_t count, struct buf *out)
{
	struct buf batch;
	buf_init(&batch);
	struct slice frame;
	if (buf_extend(&batch, COHORT_HEADROOM)) {
		for (size_t i = 0; i < count; i++)
			cohort->front->codec->events_add(&batch, records[i], i == 0);
		if (finish_frame(cohort, &batch, COHORT_HEADROOM, count, &frame))
			buf_append_slice(out, frame);
		else
			out->failed = true;
	} else {
		out->failed = true;
	}
	buf_fini(&batch);
}

#include "common/base/clock.h"
#include "gateway/feed/feed_inside.h"
#include "gateway/metrics/metrics.h"

#define BATCH_RECORDS 256

static bool is_told(const struct feed *feed)
{
	const struct feed_state *state = &feed->state, *told = &feed->told;
	return feed->was_told && state->is_recorded == told->is_recorded && state->is_recorder == told->is_recorder &&
	       state->log.epoch == told->log.epoch && record_id_compare(state->log.base, told->log.base) == 0;
}

struct record_id delivery_end(const struct feed *feed)
{
	return record_id_compare(feed->head, feed->silent) < 0 ? feed->silent : feed->head;
}

void delivery_tell(struct feed *feed)
{
	if (is_told(feed))
		return;
	delivery_flush(feed);
	feed->state.log.last = delivery_end(feed);
	feed->told = feed->state;
	feed->was_told = true;
	metric_gauge_set(METRIC_RECORDED, feed->state.is_recorded);
	metric_gauge_set(METRIC_RECORDER, feed->state.is_recorder);
	feed->ops.changed(feed->context, &feed->state);
}

void delivery_flush(struct feed *feed)
{
	struct record_batch *batch = feed->batch;
	if (!batch)
		return;
	feed->batch = NULL;
	feed->state.log.last = delivery_end(feed);
	feed->ops.deliver(feed->context, batch);
	record_batch_unref(batch);
}

/* One with room, of the right kind. NULL: no memory. */
static struct record_batch *open_batch(struct feed *feed, bool is_recorded)
{
	if (feed->batch && (feed->batch->is_recorded != is_recorded || feed->batch->count == feed->batch->capacity))
		delivery_flush(feed);
	if (feed->batch)
		return feed->batch;
	feed->batch = record_batch_new(BATCH_RECORDS);
	if (!feed->batch)
		return NULL;
	feed->batch->is_recorded = is_recorded;
	if (is_recorded)
		feed->batch->after = delivery_end(feed);
	return feed->batch;
}

/* Others may hold the record as it was delivered. NULL: no memory. */
static struct record *copy(struct feed *feed, const struct record *record)
{
	struct record *repeat =
	    intake_record(&feed->settings.fields, record->channel, record->payload, record->ts_ms, record->received_ns);
	if (repeat)
		repeat->is_repeat = true;
	return repeat;
}

/* Without memory the record is left out and the next batch does not begin where this one ended: clients are told of the
 * hole, or read it from the log. */
void delivery_recorded(struct feed *feed, struct record *record, bool was_delivered, struct record_id id,
                       struct record_id before)
{
	if (!feed->state.is_recorded) {
		feed->state.is_recorded = true;
		delivery_tell(feed);
	}
	if (record_id_compare(before, feed->head) > 0) {
		delivery_flush(feed);
		feed->head = before;
	}
	if (record && was_delivered) {
		struct record *delivered = record;
		record = copy(feed, delivered);
		record_unref(delivered);
	}
	struct record_batch *batch = record ? open_batch(feed, true) : NULL;
	if (batch) {
		record_stamp(record, id);
		record_batch_add(batch, record);
	} else {
		record_unref(record);
		delivery_flush(feed);
	}
	feed->head = id;
}

void delivery_unrecorded(struct feed *feed, struct record *record)
{
	struct record_batch *batch = open_batch(feed, false);
	metric_add(METRIC_UNRECORDED, feed->settings.is_recorded);
	if (batch)
		record_batch_add(batch, record_ref(record));
}

static void deliver_waiting(struct feed *feed)
{
	for (struct pending_record *at; (at = pending_next_undelivered(&feed->pending));) {
		at->is_delivered = true;
		delivery_unrecorded(feed, at->record);
	}
}

void delivery_stop_waiting(struct feed *feed)
{
	feed->state.is_recorded = false;
	delivery_tell(feed);
	deliver_waiting(feed);
}

/* Where memory is short the oldest that clients have already, and no call holds, are given up. */
static void give_up_oldest(struct feed *feed)
{
	while (feed->pending.bytes > feed->settings.pending_bytes_max) {
		struct pending_record *oldest = pending_next_unsent(&feed->pending);
		if (!oldest)
			break;
		if (!oldest->is_delivered)
			delivery_stop_waiting(feed);
		record_unref(feed_take_pending(feed, oldest));
		metric_add(METRIC_RECORDS_LOST, 1);
	}
}

void delivery_heard(struct feed *feed)
{
	if (!feed->state.is_recorded)
		deliver_waiting(feed);
	give_up_oldest(feed);
}

/* Pages that come bring what waits: they put it off. So does a time in which this process did not run. */
uint64_t delivery_grace_ends(struct feed *feed)
{
	const struct pending_record *oldest = pending_next_undelivered(&feed->pending);
	if (!oldest)
		return FEED_NEVER;
	uint64_t since = oldest->heard_ns > feed->awake_ns ? oldest->heard_ns : feed->awake_ns;
	if (feed->heal.is_active && feed->heal.progress_ns > since)
		since = feed->heal.progress_ns;
	return since + feed->settings.grace_ns;
}

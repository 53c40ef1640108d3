#include "common/base/clock.h"
#include "gateway/feed/feed_inside.h"
#include "gateway/metrics/metrics.h"

#define RETRY_FIRST_NS (100 * NS_PER_MS)
#define RETRY_MAX_NS (2 * NS_PER_S)

static void retry_later(struct heal *heal, struct feed *feed)
{
	heal->retry_wait_ns = heal->retry_wait_ns ? 2 * heal->retry_wait_ns : RETRY_FIRST_NS;
	if (heal->retry_wait_ns > RETRY_MAX_NS)
		heal->retry_wait_ns = RETRY_MAX_NS;
	heal->retry_ns = clock_mono_ns() + feed_jitter(feed, heal->retry_wait_ns);
}

static void ask_page(struct feed *feed)
{
	struct heal *heal = &feed->heal;
	heal->ticket = feed_new_ticket(feed);
	heal->retry_ns = FEED_NEVER;
	heal->asked_upto = heal->upto;
	heal->asked_to_end = heal->to_end;
	heal->asked_after_answers = feed->recorder.answers;
	if (feed->ops.read(feed->context, heal->ticket, feed->head, feed->settings.page_entries)) {
		heal->ticket = 0;
		retry_later(heal, feed);
	}
}

static void begin(struct feed *feed)
{
	struct heal *heal = &feed->heal;
	if (!heal->is_active) {
		heal->is_active = true;
		heal->progress_ns = clock_mono_ns();
		heal->retry_wait_ns = 0;
		ask_page(feed);
	}
}

void heal_begin(struct feed *feed, struct record_id upto)
{
	struct heal *heal = &feed->heal;
	if (feed->phase != FEED_UP || record_id_compare(upto, feed->head) <= 0)
		return;
	if (!heal->is_active || record_id_compare(upto, heal->upto) > 0)
		heal->upto = upto;
	metric_add(METRIC_HEALS, !heal->is_active);
	begin(feed);
}

void heal_to_end(struct feed *feed)
{
	feed->heal.to_end = true;
	if (!feed->heal.is_active)
		feed->heal.upto = feed->head;
	begin(feed);
}

void heal_stop(struct feed *feed)
{
	feed->heal.is_active = feed->heal.to_end = false;
	feed->heal.ticket = 0;
	feed->heal.retry_ns = FEED_NEVER;
}

/* The pending record that an entry frees. While its stamp is still to come by this link, records that this link brought
 * wait for that: it can not be told from the hash alone whether the entry is that event, or an older one like it. Those
 * of earlier links get no stamp any more, or the entry is as good as theirs. */
static struct pending_record *find(struct feed *feed, struct record_id id, struct hash128 hash, bool *ret_is_early)
{
	struct hash128 ignored;
	const struct heard *heard = &feed->heard;
	bool is_heard = heard->epoch == feed->state.log.epoch;
	struct pending_record *at = pending_find(&feed->pending, hash);
	*ret_is_early = false;
	if (at && at->is_announced)
		at = NULL; /* its own stamp is what comes next */
	if (heard->published_epoch == feed->state.log.epoch && early_reach(&feed->heard.published, id, &ignored))
		return NULL;
	if (is_heard && record_id_compare(id, heard->after) > 0 && record_id_compare(id, heard->last) <= 0)
		return at;
	if (at && at->link != feed->link)
		return at;
	*ret_is_early = record_id_compare(id, is_heard ? heard->last : feed->link_began) > 0;
	return NULL;
}

/* From before this node knew its place in the log: clients get it as it is. */
static void pass_silently(struct feed *feed, struct pending_record *at, struct record_id id)
{
	if (at && !at->is_delivered)
		delivery_stop_waiting(feed);
	if (at)
		record_unref(feed_take_pending(feed, at));
	delivery_flush(feed);
	feed->head = id;
}

/* False: no memory. */
static bool take_entry(struct feed *feed, const struct log_entry *entry)
{
	bool is_early, was_delivered = false;
	struct record *record;
	struct hash128 hash = stamp_hash(feed->state.log.epoch, entry->channel, entry->payload);
	if (record_id_compare(entry->id, feed->head) <= 0)
		return true;
	struct pending_record *at = find(feed, entry->id, hash, &is_early);
	if (is_early && early_push(&feed->early, entry->id, hash))
		return false;
	if (record_id_compare(entry->id, feed->silent) <= 0) {
		pass_silently(feed, at, entry->id);
		return true;
	}
	if (record_id_compare(feed->head, feed->silent) < 0)
		pass_silently(feed, NULL, feed->silent);
	if (at) {
		bool was_oldest = at == pending_oldest(&feed->pending);
		was_delivered = at->is_delivered;
		record = feed_take_pending(feed, at);
		recorder_on_progress(feed, was_oldest);
	} else {
		const struct pending_record *waiting = is_early ? pending_find(&feed->pending, hash) : NULL;
		record = intake_record(&feed->settings.fields, entry->channel, entry->payload, entry->id.ms,
		                       clock_mono_ns());
		if (record)
			record->is_repeat = waiting && waiting->is_delivered;
		metric_add(METRIC_HEALED_EVENTS, !waiting);
	}
	delivery_recorded(feed, record, was_delivered, entry->id, entry->before);
	return true;
}

static void go_on(struct feed *feed)
{
	struct heal *heal = &feed->heal;
	if (heal->to_end || record_id_compare(feed->head, heal->upto) < 0) {
		ask_page(feed);
		return;
	}
	heal->is_active = false;
	recorder_try_begin(feed);
}

/* A page that is not full is all that there is: what lies between it and where we were to read is gone. */
static void end_log(struct feed *feed)
{
	struct heal *heal = &feed->heal;
	if (record_id_compare(heal->asked_upto, feed->head) > 0) {
		delivery_flush(feed);
		feed->head = heal->asked_upto;
	}
	if (heal->asked_to_end)
		heal->to_end = false;
	calls_settle(feed, heal->asked_after_answers);
}

void feed_on_read(struct feed *feed, uint64_t ticket, const struct log_entry *entries, size_t count, bool is_ok)
{
	struct heal *heal = &feed->heal;
	if (ticket == 0 || ticket != heal->ticket)
		return;
	heal->ticket = 0;
	for (size_t i = 0; i < count && is_ok; i++)
		is_ok = take_entry(feed, &entries[i]);
	delivery_flush(feed);
	calls_reached(feed);
	if (!is_ok) {
		retry_later(heal, feed);
		return;
	}
	heal->progress_ns = clock_mono_ns();
	heal->retry_wait_ns = 0;
	if (count < feed->settings.page_entries)
		end_log(feed);
	go_on(feed);
	calls_send(feed, clock_mono_ns());
}

uint64_t heal_tick(struct feed *feed, uint64_t now_ns)
{
	struct heal *heal = &feed->heal;
	if (!heal->is_active || heal->ticket)
		return FEED_NEVER;
	if (heal->retry_ns <= now_ns)
		ask_page(feed);
	return heal->retry_ns;
}

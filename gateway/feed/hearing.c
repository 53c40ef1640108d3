#include "common/base/clock.h"
#include "gateway/feed/feed_inside.h"
#include "gateway/metrics/metrics.h"

#define ANNOUNCEMENT "H\n"

/* The event said last is like any other. */
void hearing_forget_announced(struct feed *feed)
{
	if (feed->last_heard && feed->last_heard->is_announced)
		pending_unannounce(&feed->pending, feed->last_heard);
	feed->last_heard = NULL;
	feed->is_announced = false;
}

void hearing_reset(struct feed *feed)
{
	hearing_forget_announced(feed);
	feed->heard.epoch = 0;
	feed->heard.after = feed->heard.last = (struct record_id){0};
}

static void hear(struct feed *feed, uint64_t epoch, struct record_id before, struct record_id last)
{
	struct heard *heard = &feed->heard;
	if (heard->epoch != epoch) {
		heard->epoch = epoch;
		heard->after = heard->last = before;
	}
	if (heard->published_epoch != epoch) {
		heard->published_epoch = epoch;
		early_clear(&heard->published);
	}
	if (record_id_compare(last, heard->last) > 0)
		heard->last = last;
}

/* What one message on the live channel says, as it is walked. */
struct walk {
	struct feed *feed;
	const struct stamps *stamps;
	bool is_ours;               /* of our epoch */
	bool is_in_step;            /* no hole yet, and nothing is read from the log: stamps deliver */
	struct pending_record *own; /* the event that its publisher stored itself; NULL: none */
	struct record_call *call;   /* of ours that this is about; NULL: none */
};

static void drop(struct feed *feed, struct pending_record *at)
{
	bool was_oldest = at == pending_oldest(&feed->pending);
	record_unref(feed_take_pending(feed, at));
	recorder_on_progress(feed, was_oldest);
}

/* The oldest record that the stamp can mean; NULL: we do not hold it. */
static struct pending_record *find(const struct walk *walk, struct hash128 hash)
{
	if (walk->own)
		return walk->own;
	struct pending_record *at = pending_find(&walk->feed->pending, hash);
	if (at && at->call && at->call != walk->call)
		call_pass_on(walk->feed, at);
	if (at && at->link == walk->feed->link)
		precedence_complete(walk->feed);
	return at;
}

/* The head has passed it: it was read from the log before its stamp came, or came before this node knew its place in
 * the log; then clients get it as it is. */
static void pass_delivered(struct walk *walk, const struct stamp *stamp)
{
	struct hash128 hash;
	struct feed *feed = walk->feed;
	struct pending_record *at = walk->own;
	bool is_unseen = record_id_compare(stamp->id, feed->unseen) <= 0;
	bool is_early = early_reach(&feed->early, stamp->id, &hash);
	if ((is_early || is_unseen) && walk->stamps->kind == STAMPS_RECORDED)
		at = find(walk, stamp->hash);
	if (!at)
		return;
	if (is_unseen && !at->is_delivered)
		delivery_stop_waiting(feed);
	drop(feed, at);
}

/* The entry will be read: by then it must be known that no pending record belongs to it. */
static void pass_unread(struct walk *walk, const struct stamp *stamp, struct record_id before)
{
	struct feed *feed = walk->feed;
	hear(feed, walk->stamps->epoch, before, stamp->id);
	if ((walk->own || walk->stamps->kind == STAMPS_PUBLISHED) &&
	    early_push(&feed->heard.published, stamp->id, stamp->hash) == OK && walk->own)
		drop(feed, walk->own);
}

static struct record *take_in(struct feed *feed, const struct stamps *stamps, struct record_id id)
{
	return intake_record(&feed->settings.fields, stamps->channel, stamps->payload, id.ms, clock_mono_ns());
}

/* False: we do not hold the record; the log does. */
static bool deliver(struct walk *walk, const struct stamp *stamp, struct record_id before)
{
	struct feed *feed = walk->feed;
	struct hash128 ignored;
	bool is_published = walk->stamps->kind == STAMPS_PUBLISHED;
	struct pending_record *at = is_published ? walk->own : find(walk, stamp->hash);
	if (!at && !is_published)
		return false;
	(void)early_reach(&feed->early, stamp->id, &ignored);
	hear(feed, walk->stamps->epoch, before, stamp->id);
	if (!at) {
		delivery_recorded(feed, take_in(feed, walk->stamps, stamp->id), false, stamp->id, before);
		return true;
	}
	bool was_delivered = at->is_delivered, was_oldest = at == pending_oldest(&feed->pending);
	delivery_recorded(feed, feed_take_pending(feed, at), was_delivered, stamp->id, before);
	recorder_on_progress(feed, was_oldest);
	return true;
}

static void take_stamp(struct walk *walk, const struct stamp *stamp, struct record_id before)
{
	struct feed *feed = walk->feed;
	if (walk->is_ours && record_id_compare(stamp->id, feed->head) <= 0) {
		pass_delivered(walk, stamp);
		hear(feed, walk->stamps->epoch, before, stamp->id);
		return;
	}
	walk->is_in_step = walk->is_in_step && record_id_compare(before, feed->head) <= 0;
	if (walk->is_in_step)
		walk->is_in_step = deliver(walk, stamp, before);
	if (!walk->is_in_step)
		pass_unread(walk, stamp, before);
}

static bool is_own(const struct pending_record *at, uint64_t epoch, struct hash128 hash)
{
	struct hash128 own = stamp_hash(epoch, at->record->channel, at->record->payload);
	return memcmp(own.bytes, hash.bytes, sizeof own.bytes) == 0;
}

/* A publisher's own event comes directly before its stamp. */
static struct pending_record *find_own(const struct feed *feed, struct stamps stamps)
{
	struct stamp stamp;
	enum err error;
	struct pending_record *at = feed->last_heard;
	if (!at || (stamps.kind == STAMPS_RECORDED && !at->is_announced) || !stamps_next(&stamps, &stamp, &error))
		return NULL;
	return is_own(at, stamps.epoch, stamp.hash) ? at : NULL;
}

static void take_stamps(struct feed *feed, struct stamps *stamps)
{
	bool is_ours = feed->state.log.epoch == stamps->epoch;
	struct walk walk = {
	    .feed = feed, .stamps = stamps, .is_ours = is_ours, .is_in_step = is_ours && feed_is_ready(feed)};
	walk.own = find_own(feed, *stamps);
	if (!walk.own)
		hearing_forget_announced(feed);
	if (stamps->kind == STAMPS_RECORDED && !walk.own)
		walk.call = calls_recognise(feed, *stamps);
	struct stamp stamp;
	enum err error;
	struct record_id before = stamps->before, last = {0};
	while (stamps_next(stamps, &stamp, &error)) {
		take_stamp(&walk, &stamp, before);
		before = last = stamp.id;
		walk.own = NULL;
	}
	metric_add(METRIC_STAMPS_REFUSED, error != OK);
	if (walk.call)
		call_is_stamped(walk.call, last);
	if (!is_ours)
		feed_ask_open(feed);
	else if (record_id_compare(last, feed->head) > 0)
		heal_begin(feed, last);
	calls_reached(feed);
	recorder_try_begin(feed);
}

static void take_fence(struct feed *feed, const struct stamps *fence)
{
	struct hash128 ignored;
	hear(feed, fence->epoch, fence->before, fence->before);
	if (feed->state.log.epoch != fence->epoch) {
		feed_ask_open(feed);
		return;
	}
	(void)early_reach(&feed->early, fence->before, &ignored); /* their stamps came before, or before this link */
	recorder_on_fence(feed, fence);
	if (record_id_compare(fence->before, feed->head) > 0)
		heal_begin(feed, fence->before);
	recorder_try_begin(feed);
}

static void take_question(struct feed *feed, const struct stamps *question)
{
	if (feed->state.log.epoch == question->epoch)
		precedence_on_question(feed, question);
	else
		feed_ask_open(feed);
}

void feed_live(struct feed *feed, struct slice message)
{
	struct stamps stamps;
	if (!feed->settings.is_recorded || feed->phase == FEED_DOWN)
		return;
	if (slice_is(message, ANNOUNCEMENT)) {
		feed->is_announced = true;
		return;
	}
	if (stamps_read(message, &stamps))
		metric_add(METRIC_STAMPS_REFUSED, 1);
	else if (stamps.kind == STAMPS_FENCE)
		take_fence(feed, &stamps);
	else if (stamps.kind == STAMPS_QUESTION)
		take_question(feed, &stamps);
	else
		take_stamps(feed, &stamps);
	hearing_forget_announced(feed);
}

#include "gateway/feed/feed.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/feed/feed_inside.h"
#include "gateway/metrics/metrics.h"

#define OPEN_RETRY_NS NS_PER_S

struct feed *feed_new(const struct feed_settings *settings, const struct feed_ops *ops, void *context)
{
	struct feed *feed = calloc(1, sizeof *feed);
	if (!feed)
		return NULL;
	feed->settings = *settings;
	feed->ops = *ops;
	feed->context = context;
	feed->state.is_recorded = settings->is_recorded;
	feed->open_ns = feed->heal.retry_ns = FEED_NEVER;
	random_init(&feed->random);
	early_init(&feed->early);
	early_init(&feed->heard.published);
	if (pending_init(&feed->pending))
		goto fail_free;
	if (recorder_init(feed))
		goto fail_pending;
	return feed;
fail_pending:
	pending_fini(&feed->pending);
fail_free:
	free(feed);
	return NULL;
}

void feed_free(struct feed *feed)
{
	if (!feed)
		return;
	record_batch_unref(feed->batch);
	recorder_fini(feed);
	pending_fini(&feed->pending);
	early_fini(&feed->early);
	early_fini(&feed->heard.published);
	free(feed);
}

uint64_t feed_new_ticket(struct feed *feed)
{
	return ++feed->last_ticket;
}

uint64_t feed_jitter(struct feed *feed, uint64_t about_ns)
{
	return about_ns - about_ns / 4 + random_below(&feed->random, about_ns / 2 + 1);
}

bool feed_is_ready(const struct feed *feed)
{
	return feed->phase == FEED_UP && feed->is_placed && !feed->heal.is_active;
}

struct record *feed_take_pending(struct feed *feed, struct pending_record *at)
{
	if (feed->last_heard == at)
		feed->last_heard = NULL;
	if (at->call)
		at->call->marked--;
	return pending_take(&feed->pending, at);
}

static struct log_position known_position(const struct feed *feed)
{
	struct log_position known = feed->state.log;
	known.last = delivery_end(feed);
	return known;
}

static void open_log(struct feed *feed)
{
	feed->open_ns = FEED_NEVER;
	feed->open_again = false;
	feed->open_ticket = feed_new_ticket(feed);
	if (feed->ops.open(feed->context, feed->open_ticket, known_position(feed)) == OK)
		return;
	feed->open_ticket = 0;
	feed->open_ns = clock_mono_ns() + feed_jitter(feed, OPEN_RETRY_NS);
}

void feed_ask_open(struct feed *feed)
{
	if (feed->phase != FEED_UP)
		return;
	feed->is_placed = false;
	if (feed->open_ticket)
		feed->open_again = true;
	else if (feed->open_ns == FEED_NEVER)
		open_log(feed);
}

/* What was read from the log, and whose stamps do not come any more, is not recorded again. */
static void resolve_early(struct feed *feed)
{
	for (const struct early_entry *first; (first = early_first(&feed->early)); early_pop(&feed->early)) {
		struct pending_record *at = first->is_taken ? NULL : pending_find(&feed->pending, first->hash);
		if (at)
			record_unref(feed_take_pending(feed, at));
	}
}

/* Stamps of what came before this node knew its place do not come any more: their entries are read instead, and not
 * delivered. */
static void give_up_unseen(struct feed *feed)
{
	bool is_heard = feed->heard.epoch == feed->state.log.epoch;
	struct record_id from = is_heard ? feed->heard.last : (struct record_id){0};
	if (record_id_compare(from, feed->unseen) < 0 && feed->pending.count) {
		if (record_id_compare(feed->silent, feed->head) < 0)
			feed->silent = feed->head;
		feed->head = from;
	}
	feed->unseen = (struct record_id){0};
}

static void end_link(struct feed *feed)
{
	recorder_stop(feed, true);
	precedence_reset(feed);
	heal_stop(feed);
	delivery_flush(feed);
	resolve_early(feed);
	give_up_unseen(feed);
	hearing_reset(feed);
	feed->phase = FEED_DOWN;
	feed->is_placed = feed->open_again = false;
	feed->open_ticket = 0;
	feed->open_ns = FEED_NEVER;
}

void feed_linked(struct feed *feed)
{
	end_link(feed);
	feed->link++;
	feed->link_began = (struct record_id){0};
	feed->phase = FEED_OPENING;
	if (feed->settings.is_recorded)
		open_log(feed);
	if (feed->open_ticket == 0) {
		feed->open_ns = FEED_NEVER;
		feed->phase = FEED_SUBSCRIBED;
		feed->ops.subscribe(feed->context);
	}
	delivery_tell(feed);
}

void feed_up(struct feed *feed)
{
	if (feed->phase != FEED_SUBSCRIBED)
		return;
	feed->phase = FEED_UP;
	feed->recorder.claim_ns = feed->precedence.up_ns = clock_mono_ns();
	if (feed->settings.is_recorded)
		feed_ask_open(feed);
}

void feed_down(struct feed *feed)
{
	end_link(feed);
}

/* Where a node that never knew its place in the log begins: at its end, but before what was heard from it already. What
 * links before this one brought may be in it, wherever. */
static void begin_log(struct feed *feed, const struct log_position *position)
{
	const struct pending_record *oldest = pending_oldest(&feed->pending);
	feed->head = position->last;
	if (feed->heard.epoch == position->epoch)
		feed->head = record_id_earlier(position->last, feed->heard.after);
	else if (feed->phase == FEED_UP)
		feed->unseen = position->last;
	if (oldest && oldest->link != feed->link) {
		feed->silent = feed->head;
		feed->head = (struct record_id){0};
	}
}

/* Another log than the one known, or the first one. */
static void adopt(struct feed *feed, const struct log_position *position)
{
	delivery_flush(feed);
	recorder_stop(feed, true);
	heal_stop(feed);
	resolve_early(feed);
	feed->unseen = (struct record_id){0};
	if (feed->state.log.epoch) {
		feed->head = record_id_earlier(feed->head, position->base);
		feed->silent = record_id_earlier(feed->silent, position->base);
	} else {
		feed->silent = (struct record_id){0};
		begin_log(feed, position);
	}
	pending_rehash(&feed->pending, position->epoch);
	feed->state.log = *position;
	delivery_tell(feed);
}

static void place(struct feed *feed, const struct log_position *position)
{
	struct record_id upto = position->last;
	if (position->epoch != feed->state.log.epoch)
		adopt(feed, position);
	if (feed->phase == FEED_OPENING) {
		feed->link_began = position->last;
		return;
	}
	if (feed->open_again && feed->heard.epoch != position->epoch) {
		open_log(feed);
		return;
	}
	feed->is_placed = true;
	if (feed->heard.epoch == position->epoch && record_id_compare(feed->heard.last, upto) > 0)
		upto = feed->heard.last;
	heal_begin(feed, upto);
}

void feed_on_open(struct feed *feed, uint64_t ticket, const struct log_position *position)
{
	if (ticket == 0 || ticket != feed->open_ticket)
		return;
	feed->open_ticket = 0;
	if (position && position->epoch)
		place(feed, position);
	else if (feed->phase == FEED_UP)
		feed->open_ns = clock_mono_ns() + feed_jitter(feed, OPEN_RETRY_NS);
	if (feed->phase == FEED_OPENING) {
		feed->phase = FEED_SUBSCRIBED;
		feed->ops.subscribe(feed->context);
	}
	recorder_try_begin(feed);
	delivery_flush(feed);
}

void feed_event(struct feed *feed, struct slice channel, struct slice payload, uint64_t ts_ms, uint64_t received_ns)
{
	bool is_announced = feed->is_announced;
	hearing_forget_announced(feed);
	struct record *record = intake_record(&feed->settings.fields, channel, payload, ts_ms, received_ns);
	if (!record)
		return;
	if (!feed->settings.is_recorded) {
		delivery_unrecorded(feed, record);
		record_unref(record);
		return;
	}
	struct hash128 hash = stamp_hash(feed->state.log.epoch, record->channel, record->payload);
	struct pending_record *at = pending_add(&feed->pending, record, hash, feed->link);
	if (!at) {
		record_unref(record);
		return;
	}
	at->is_announced = is_announced;
	feed->last_heard = at;
}

void feed_read_end(struct feed *feed)
{
	delivery_heard(feed);
	delivery_flush(feed);
	calls_send(feed, clock_mono_ns());
	metric_gauge_set(METRIC_PENDING, (int64_t)feed->pending.count);
}

/* A pause in which this process was stopped is not held against others. */
static void note_turn(struct feed *feed, uint64_t now_ns)
{
	if (now_ns - feed->turn_ns > feed->settings.grace_ns / 2)
		feed->awake_ns = now_ns;
	feed->turn_ns = now_ns;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* While something waits, turns come often enough to tell a pause from a wait. */
static uint64_t grace_tick(struct feed *feed, uint64_t now_ns)
{
	if (delivery_grace_ends(feed) <= now_ns)
		delivery_stop_waiting(feed);
	return earlier(delivery_grace_ends(feed),
	               feed->pending.count ? now_ns + feed->settings.grace_ns / 4 : FEED_NEVER);
}

uint64_t feed_tick(struct feed *feed, uint64_t now_ns)
{
	note_turn(feed, now_ns);
	if (!feed->settings.is_recorded)
		return FEED_NEVER;
	if (feed->open_ns <= now_ns)
		open_log(feed);
	uint64_t due_ns = heal_tick(feed, now_ns);
	due_ns = earlier(due_ns, grace_tick(feed, now_ns));
	due_ns = earlier(due_ns, recorder_tick(feed, now_ns));
	due_ns = earlier(due_ns, feed->open_ns);
	delivery_flush(feed);
	metric_gauge_set(METRIC_PENDING, (int64_t)feed->pending.count);
	return due_ns;
}

const struct feed_state *feed_state(const struct feed *feed)
{
	return &feed->state;
}

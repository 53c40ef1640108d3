#include "gateway/session/catchup.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/feed/ring.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/resume.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/telling.h"

#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 2000
#define LOOK_NS NS_PER_S

static struct exchange *exchange_of(const struct catchup *catchup)
{
	return catchup->subscription->session->exchange;
}

static void tell_notice(const struct catchup *catchup, const char *code)
{
	const struct subscription *subscription = catchup->subscription;
	struct telling notice = telling_begin_notice(subscription->session, code);
	telling_put_text(&notice, "sub", subscription->cohort->key);
	telling_send(&notice);
}

static void on_ready(struct reader *reader, void *context)
{
	(void)reader;
	writer_want(&((struct catchup *)context)->writer);
}

static void on_retry(struct alarm *retry)
{
	writer_want(&LIST_ENTRY(retry, struct catchup, retry)->writer);
}

static void on_look(struct alarm *look)
{
	struct catchup *catchup = LIST_ENTRY(look, struct catchup, look);
	if (catchup->resume) {
		exchange_set_alarm(exchange_of(catchup), look, LOOK_NS);
		return;
	}
	tell_notice(catchup, "catchup");
	catchup->is_told = true;
}

struct record_id catchup_place(const struct catchup *catchup)
{
	return reader_place(catchup->reader);
}

/* Without memory the old one stays and the session ends. */
void catchup_move(struct catchup *catchup, struct record_id place)
{
	struct subscription *subscription = catchup->subscription;
	struct reader_range range = {.from = place, .to = RECORD_ID_MAX};
	struct reader *reader =
		reader_open(exchange_of(catchup), subscription->cohort->filter, range, on_ready, catchup);
	if (!reader) {
		session_close(subscription->session, CLOSE_INTERNAL);
		return;
	}
	reader_close(catchup->reader);
	catchup->reader = reader;
	catchup->backoff_ms = BACKOFF_MIN_MS;
	list_remove(&catchup->in_ahead);
	alarm_stop(&catchup->retry);
	writer_want(&catchup->writer);
}

/* Reads a piece: what a batch, a turn and the rate of the client allow. Gives what the reader said last; READER_MORE: it has more. */
static enum reader_step fill(struct catchup *catchup, struct buf *out, size_t *ret_count)
{
	struct session *session = catchup->subscription->session;
	const struct exchange_settings *settings = &session->exchange->settings;
	size_t bytes_max = settings->batch_max_bytes < WRITER_PIECE_BYTES ? settings->batch_max_bytes : WRITER_PIECE_BYTES;
	uint64_t now_ns = clock_mono_ns();
	size_t count = 0;
	enum reader_step step = READER_MORE;
	for (int looked = 0; looked < WRITER_PIECE_RECORDS / READER_LOOKS; looked += step == READER_MORE) {
		step = READER_MORE;
		if (count >= settings->batch_max_events || out->len >= bytes_max)
			break;
		if (bucket_wait_ms(&session->events, 1, now_ns)) {
			/* At the head it needs nothing of the rate to go live. */
			if (record_id_compare(catchup_place(catchup), session->exchange->log_head) == 0)
				step = READER_END;
			break;
		}
		const struct record *record;
		step = reader_next(catchup->reader, &record);
		if (step == READER_MORE)
			continue;
		if (step != READER_RECORD)
			break;
		cohort_append(catchup->subscription->cohort, out, record, count == 0);
		count++;
		if (!bucket_take(&session->events, 1, now_ns))
			break;
	}
	*ret_count = count;
	return step == READER_RECORD ? READER_MORE : step;
}

static void send_piece(struct catchup *catchup, struct buf *out, size_t count)
{
	struct session *session = catchup->subscription->session;
	struct slice frame;
	if (!cohort_end_frame(catchup->subscription->cohort, out, count, catchup_place(catchup), &frame)) {
		session_close(session, CLOSE_INTERNAL);
		return;
	}
	session_write(session, frame);
	catchup->backoff_ms = BACKOFF_MIN_MS;
	metric_add(METRIC_BATCHES, 1);
	metric_add(METRIC_EVENTS_OUT, count);
	metric_add(METRIC_EVENTS_CAUGHT_UP, count);
}

static void discard(struct catchup *catchup)
{
	if (catchup->resume)
		resume_supersede(catchup->resume);
	catchup->subscription->catchup = NULL;
	writer_rest(&catchup->writer);
	alarm_stop(&catchup->retry);
	alarm_stop(&catchup->look);
	list_remove(&catchup->in_exchange);
	list_remove(&catchup->in_ahead);
	reader_close(catchup->reader);
	free(catchup);
}

static void go_live(struct catchup *catchup)
{
	struct subscription *subscription = catchup->subscription;
	struct record_id head = exchange_of(catchup)->log_head;
	uint64_t unrecorded = catchup->unrecorded;
	if (catchup->is_told)
		tell_notice(catchup, "live");
	discard(catchup);
	subscription_go_live(subscription);
	unrecorded = subscription->cohort->unrecorded - unrecorded;
	if (unrecorded)
		subscription_tell_gap(subscription, head, (struct record_id){0}, unrecorded, "unrecorded");
	else if (!subscription->session->exchange->feed.is_recorded)
		subscription_tell_unrecorded(subscription);
	if (unrecorded)
		subscription->phase_told = subscription->session->exchange->unrecorded_phase;
}

static bool end(struct catchup *catchup)
{
	struct exchange *exchange = exchange_of(catchup);
	if (record_id_compare(catchup_place(catchup), exchange->log_head) > 0)
		list_append(&exchange->ahead, &catchup->in_ahead);
	else
		go_live(catchup);
	return false;
}

/* Where the past cannot be had at all, what is not at hand is lost. */
static bool fail(struct catchup *catchup)
{
	struct exchange *exchange = exchange_of(catchup);
	if (reader_error(catchup->reader) == ERR_UNSUPPORTED) {
		struct record_id start = ring_start(exchange->ring);
		subscription_tell_gap(catchup->subscription, catchup_place(catchup), (struct record_id){0}, 0, "trimmed");
		catchup_move(catchup, exchange->feed.log.epoch ? start : exchange->log_head);
		return exchange->feed.log.epoch ? true : end(catchup);
	}
	alarm_set(&exchange->alarms, &catchup->retry, clock_mono_ns() + catchup->backoff_ms * NS_PER_MS);
	catchup->backoff_ms = catchup->backoff_ms * 2 < BACKOFF_MAX_MS ? catchup->backoff_ms * 2 : BACKOFF_MAX_MS;
	return false;
}

/* What the last step asks for. True: there is more to write. */
static bool act_on(struct catchup *catchup, enum reader_step step)
{
	switch (step) {
	case READER_GAP:
		subscription_tell_gap(catchup->subscription, reader_gap_after(catchup->reader),
				      reader_gap_before(catchup->reader), 0, "trimmed");
		return true;
	case READER_END:
		return end(catchup);
	case READER_FAILED:
		return fail(catchup);
	case READER_WAIT:
		return false;
	default:
		return true;
	}
}

static bool write_piece(struct writer *writer)
{
	struct catchup *catchup = LIST_ENTRY(writer, struct catchup, writer);
	struct subscription *subscription = catchup->subscription;
	struct session *session = subscription->session;
	if (catchup->resume && !resume_answer(catchup->resume))
		return false;
	if (subscription->dropped)
		subscription_send_gap(subscription, (struct record_id){0});
	if (session->state != SESSION_OPEN || !session_is_clear(session))
		return true;
	struct buf *out = &session->exchange->piece;
	size_t count = 0;
	if (!cohort_begin_frame(out)) {
		session_close(session, CLOSE_INTERNAL);
		return false;
	}
	enum reader_step step = fill(catchup, out, &count);
	if (count)
		send_piece(catchup, out, count);
	return session->state == SESSION_OPEN && act_on(catchup, step);
}

static struct catchup *catchup_new(struct subscription *subscription)
{
	struct catchup *catchup = calloc(1, sizeof *catchup);
	if (!catchup)
		return NULL;
	struct exchange *exchange = subscription->session->exchange;
	catchup->subscription = subscription;
	catchup->unrecorded = subscription->cohort->unrecorded;
	list_init(&catchup->in_exchange);
	list_init(&catchup->in_ahead);
	writer_init(&catchup->writer, subscription->session, true, write_piece);
	alarm_init(&catchup->retry, on_retry);
	alarm_init(&catchup->look, on_look);
	list_append(&exchange->catchups, &catchup->in_exchange);
	alarm_set(&exchange->alarms, &catchup->look, clock_mono_ns() + LOOK_NS);
	subscription->catchup = catchup;
	return catchup;
}

void catchup_start(struct subscription *subscription, struct record_id place)
{
	if (!subscription->catchup && !catchup_new(subscription)) {
		session_close(subscription->session, CLOSE_INTERNAL);
		return;
	}
	subscription_go_behind(subscription);
	catchup_move(subscription->catchup, place);
	if (!subscription->catchup->reader)
		discard(subscription->catchup);
}

void catchup_fall_behind(struct subscription *subscription, struct record_id place)
{
	catchup_start(subscription, record_id_is_zero(place) ? CATCHUP_ORIGIN : place);
}

void catchup_stop(struct subscription *subscription)
{
	if (subscription->catchup)
		discard(subscription->catchup);
}

/* What came without ids counts on where it stood. */
void catchup_change_cohort(struct catchup *catchup, const struct cohort *former)
{
	uint64_t unseen = former->unrecorded - catchup->unrecorded;
	catchup->unrecorded = catchup->subscription->cohort->unrecorded - unseen;
	catchup_move(catchup, catchup_place(catchup));
}

void catchups_head_moved(struct exchange *exchange)
{
	LIST_FOREACH(&exchange->ahead, at, following) {
		struct catchup *catchup = LIST_ENTRY(at, struct catchup, in_ahead);
		if (record_id_compare(catchup_place(catchup), exchange->log_head) > 0)
			continue;
		list_remove(&catchup->in_ahead);
		writer_want(&catchup->writer);
	}
}

void catchups_log_replaced(struct exchange *exchange, struct record_id base)
{
	LIST_FOREACH(&exchange->catchups, at, following) {
		struct catchup *catchup = LIST_ENTRY(at, struct catchup, in_exchange);
		struct record_id place = catchup_place(catchup);
		if (catchup->resume)
			resume_reset(catchup->resume, place);
		else
			subscription_tell_gap(catchup->subscription, place, (struct record_id){0}, 0, "reset");
		catchup_move(catchup, record_id_compare(place, base) < 0 ? place : base);
	}
}

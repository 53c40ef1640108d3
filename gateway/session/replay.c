#include "gateway/session/replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/frame.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/step.h"
#include "gateway/session/telling.h"

/* In front of the elements: the frame's header, and the head of a batch with the longest key and cursor. */
#define HEADROOM (FRONT_HEADROOM + 192)
/* What is due within this of another is given in one batch: late by it at the most, never early. */
#define REST_NS (5 * NS_PER_MS)
#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 2000
/* A client is told that its replay waits when that has taken so long. */
#define PATIENCE_NS NS_PER_S

static struct exchange *exchange_of(const struct replay *replay)
{
	return replay->session->exchange;
}

void replay_tell_gap(const struct replay *replay, struct record_id after, struct record_id before, const char *reason)
{
	struct telling gap = telling_begin_gap(replay->session, "replay", replay->key);
	telling_put_id(&gap, "after", after);
	telling_end_gap(&gap, before, 0, reason);
	telling_send(&gap);
}

static void on_ready(struct reader *reader, void *context)
{
	(void)reader;
	writer_want(&((struct replay *)context)->writer);
}

static void on_wake(struct alarm *wake)
{
	writer_want(&LIST_ENTRY(wake, struct replay, wake)->writer);
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

enum reader_step replay_pull(struct replay *replay)
{
	const struct record *record;
	struct reader_range range = {.from = replay->place, .to = replay->to};
	if (replay->next)
		return READER_RECORD;
	if (!replay->reader)
		replay->reader = reader_open(exchange_of(replay), replay->filter, range, on_ready, replay);
	if (!replay->reader) {
		session_close(replay->session, CLOSE_INTERNAL);
		return READER_WAIT;
	}
	enum reader_step step = reader_next(replay->reader, &record);
	if (step != READER_RECORD)
		return step;
	/* Counting a reference changes no part of the record that anyone reads. */
	replay->next = record_ref((struct record *)(uintptr_t)record);
	replay_clock_put(&replay->clock, record->id.ms, clock_mono_ns());
	return READER_RECORD;
}

static void forget_next(struct replay *replay)
{
	record_unref(replay->next);
	replay->next = NULL;
}

/* The reader is closed; the next one is opened behind place. */
static void move_reader(struct replay *replay, struct record_id place)
{
	forget_next(replay);
	reader_close(replay->reader);
	replay->reader = NULL;
	replay->place = place;
	replay->failing_since_ns = 0;
	replay->is_told = false;
	replay->backoff_ms = BACKOFF_MIN_MS;
	alarm_stop(&replay->wake);
}

/* --- Writing ------------------------------------------------------------------------------------------------------ */

bool replay_begin(struct replay *replay)
{
	struct buf *out = &exchange_of(replay)->piece;
	buf_clear(out);
	if (buf_extend(out, HEADROOM))
		return true;
	session_close(replay->session, CLOSE_INTERNAL);
	return false;
}

bool replay_takes(struct replay *replay, size_t count)
{
	const struct exchange *exchange = exchange_of(replay);
	const struct exchange_settings *settings = &exchange->settings;
	size_t bytes_max =
	    settings->batch_max_bytes < WRITER_PIECE_BYTES ? settings->batch_max_bytes : WRITER_PIECE_BYTES;
	return count < settings->batch_max_events && exchange->piece.len - HEADROOM < bytes_max &&
	       session_take_past(replay->session, clock_mono_ns());
}

void replay_give(struct replay *replay, const struct record *record, size_t count)
{
	replay->session->front->codec->events_add(&exchange_of(replay)->piece, record, count == 0);
	replay->at = record->id;
	replay->is_on_event = true;
	if (record == replay->next)
		forget_next(replay);
}

bool replay_send(struct replay *replay, size_t count)
{
	struct exchange *exchange = exchange_of(replay);
	struct session *session = replay->session;
	struct buf *out = &exchange->piece, *head = &exchange->head;
	char cursor[CURSOR_TEXT];
	size_t cursor_len = cursor_write(cursor, replay->at, exchange->feed.log.epoch);
	buf_clear(head);
	session->front->codec->replay_head(head, slice_of(replay->key), (struct slice){cursor, cursor_len}, count);
	session->front->codec->events_tail(out);
	if (buf_has_failed(out) || buf_has_failed(head) || head->len + FRONT_HEADROOM > HEADROOM) {
		session_close(session, CLOSE_INTERNAL);
		return false;
	}
	char *payload = out->bytes + HEADROOM - head->len;
	memcpy(payload, head->bytes, head->len);
	session_write(session, frame_finish(exchange, session->front, payload, head->len + out->len - HEADROOM));
	metric_add(METRIC_EVENTS_OUT, count);
	replay->failing_since_ns = 0;
	replay->is_told = false;
	replay->backoff_ms = BACKOFF_MIN_MS;
	return session->state == SESSION_OPEN;
}

static bool is_due(const struct replay *replay, uint64_t now_ns)
{
	return replay_clock_due_ns(&replay->clock) <= now_ns;
}

/* Puts into the batch what is due. READER_MORE: there is more for a further turn; READER_RECORD: what comes next is not
 * due. */
static enum reader_step fill(struct replay *replay, size_t *ret_count)
{
	uint64_t now_ns = clock_mono_ns();
	enum reader_step step;
	*ret_count = 0;
	while ((step = replay_pull(replay)) == READER_RECORD && is_due(replay, now_ns)) {
		if (!replay_takes(replay, *ret_count))
			return READER_MORE;
		replay_give(replay, replay->next, (*ret_count)++);
		replay_clock_given(&replay->clock, now_ns);
	}
	return step;
}

/* What cannot be read now is read later. */
static void wait_for_past(struct replay *replay)
{
	uint64_t now_ns = clock_mono_ns();
	if (!replay->failing_since_ns)
		replay->failing_since_ns = now_ns;
	if (!replay->is_told && now_ns - replay->failing_since_ns >= PATIENCE_NS) {
		struct telling notice = telling_begin_notice(replay->session, "replayWaiting");
		telling_put_text(&notice, "replay", replay->key);
		telling_send(&notice);
		replay->is_told = true;
	}
	alarm_set(&exchange_of(replay)->alarms, &replay->wake, now_ns + replay->backoff_ms * NS_PER_MS);
	replay->backoff_ms = replay->backoff_ms * 2 < BACKOFF_MAX_MS ? replay->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void wait_until_due(struct replay *replay)
{
	uint64_t due_ns = replay_clock_due_ns(&replay->clock);
	if (due_ns != UINT64_MAX)
		alarm_set(&exchange_of(replay)->alarms, &replay->wake,
		          due_ns < replay->rest_until_ns ? replay->rest_until_ns : due_ns);
}

/* What lies up to here is decided: whoever goes on does not look at it again. */
void replay_end(struct replay *replay)
{
	move_reader(replay, replay->reader ? reader_place(replay->reader) : replay->place);
	replay_clock_stop(&replay->clock, clock_mono_ns());
	replay->state = REPLAY_ENDED;
}

/* --- Turns -------------------------------------------------------------------------------------------------------- */

/* True: it has more to write. */
static bool act_on(struct replay *replay, enum reader_step step)
{
	struct record_id after;
	switch (step) {
	case READER_RECORD:
		wait_until_due(replay);
		return false;
	case READER_MORE:
		return true;
	case READER_GAP:
		after = reader_gap_after(replay->reader);
		if (!record_id_is_zero(after))
			replay_tell_gap(replay, after, reader_gap_before(replay->reader), "trimmed");
		return true;
	case READER_END:
		replay_end(replay);
		replay_tell_end(replay);
		return false;
	case READER_FAILED:
		wait_for_past(replay);
		return false;
	default:
		return false;
	}
}

static bool play(struct replay *replay)
{
	size_t count;
	if (replay->clock.speed != REPLAY_SPEED_FREE && clock_mono_ns() < replay->rest_until_ns) {
		wait_until_due(replay);
		return false;
	}
	if (!replay_begin(replay))
		return false;
	enum reader_step step = fill(replay, &count);
	if (count && !replay_send(replay, count))
		return false;
	if (count && step == READER_RECORD)
		replay->rest_until_ns = clock_mono_ns() + REST_NS;
	return replay->session->state == SESSION_OPEN && act_on(replay, step);
}

static bool write_piece(struct writer *writer)
{
	struct replay *replay = LIST_ENTRY(writer, struct replay, writer);
	if (!list_is_empty(&replay->steps))
		return step_write(replay);
	return replay->state == REPLAY_PLAYING && play(replay);
}

/* --- Life --------------------------------------------------------------------------------------------------------- */

/* A place in the future is where the log ends now: what comes then is behind it. */
static struct record_id within(const struct replay *replay, struct record_id place)
{
	struct record_id head = exchange_of(replay)->log_head;
	uint64_t now_ms = clock_wall_ms(), latest_ms = head.ms > now_ms ? head.ms : now_ms;
	place = place.ms > latest_ms ? head : place;
	return record_id_compare(replay->to, place) < 0 ? replay->to : place;
}

struct replay *replay_open(struct session *session, const struct replay_wish *wish)
{
	struct replay *replay = calloc(1, sizeof *replay);
	if (!replay)
		return NULL;
	replay->session = session;
	snprintf(replay->key, sizeof replay->key, "r%llu", (unsigned long long)++session->last_replay);
	replay->state = REPLAY_PAUSED;
	replay->goes_live = wish->goes_live;
	replay->filter = filter_ref(wish->filter);
	replay->to = wish->range.to;
	replay->at = replay->place = within(replay, wish->range.from);
	replay->backoff_ms = BACKOFF_MIN_MS;
	replay_clock_init(&replay->clock, wish->speed, wish->max_gap_ms);
	writer_init(&replay->writer, session, true, write_piece);
	replay->writer.reads_past = true;
	alarm_init(&replay->wake, on_wake);
	list_init(&replay->steps);
	list_init(&replay->in_session);
	list_init(&replay->in_exchange);
	list_append(&session->replays, &replay->in_session);
	list_append(&session->exchange->replays, &replay->in_exchange);
	session->replay_count++;
	metric_gauge_add(METRIC_REPLAYS, 1);
	return replay;
}

static void close_back(struct replay *replay)
{
	reader_close(replay->back);
	replay->back = NULL;
}

void replay_close(struct replay *replay)
{
	metric_gauge_add(METRIC_REPLAYS, -1);
	move_reader(replay, replay->place);
	close_back(replay);
	writer_rest(&replay->writer);
	list_remove(&replay->in_session);
	list_remove(&replay->in_exchange);
	replay->session->replay_count--;
	filter_unref(replay->filter);
	free(replay);
}

void replays_close(struct session *session)
{
	LIST_FOREACH(&session->replays, at, following)
	replay_close(LIST_ENTRY(at, struct replay, in_session));
}

struct replay *replay_find(const struct session *session, struct slice key)
{
	LIST_FOREACH(&session->replays, at, following)
	{
		struct replay *replay = LIST_ENTRY(at, struct replay, in_session);
		if (slice_is(key, replay->key))
			return replay;
	}
	return NULL;
}

/* --- Control ------------------------------------------------------------------------------------------------------ */

void replay_play(struct replay *replay)
{
	close_back(replay);
	replay->state = REPLAY_PLAYING;
	replay_clock_start(&replay->clock, clock_mono_ns());
	writer_want(&replay->writer);
}

void replay_pause(struct replay *replay)
{
	if (replay->state != REPLAY_PLAYING)
		return;
	replay->state = REPLAY_PAUSED;
	replay_clock_stop(&replay->clock, clock_mono_ns());
	alarm_stop(&replay->wake);
}

void replay_set_speed(struct replay *replay, double speed)
{
	replay_clock_set_speed(&replay->clock, speed, clock_mono_ns());
	alarm_stop(&replay->wake);
	writer_want(&replay->writer);
}

static void move(struct replay *replay, struct record_id place)
{
	move_reader(replay, place);
	replay->at = place;
	replay->is_on_event = false;
	replay->rest_until_ns = 0;
	replay_clock_forget(&replay->clock, clock_mono_ns());
	if (replay->state == REPLAY_ENDED)
		replay->state = REPLAY_PAUSED;
}

void replay_seek(struct replay *replay, struct record_id place)
{
	close_back(replay);
	move(replay, within(replay, place));
	writer_want(&replay->writer);
}

void replay_seek_event(struct replay *replay, const struct record *record)
{
	uint64_t now_ns = clock_mono_ns();
	move(replay, record->id);
	replay_clock_put(&replay->clock, record->id.ms, now_ns);
	replay_clock_arrive(&replay->clock, now_ns);
}

void replays_log_replaced(struct exchange *exchange, struct record_id base)
{
	LIST_FOREACH(&exchange->replays, at, following)
	{
		struct replay *replay = LIST_ENTRY(at, struct replay, in_exchange);
		steps_end(replay);
		replay_tell_gap(replay, replay->at, (struct record_id){0}, "reset");
		replay_seek(replay, record_id_compare(replay->at, base) < 0 ? replay->at : base);
	}
}

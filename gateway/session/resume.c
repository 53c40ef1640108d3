#include "gateway/session/resume.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/feed/ring.h"
#include "gateway/session/catchup.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"

/* Nodes learn of new ids at about the same time: what another node has given this one knows within so long, unless it is
 * an id of a log that is gone. */
#define PATIENCE_NS NS_PER_S
/* No clock of a node or of Redis is ahead by this much: an id from further in the future is none. */
#define FUTURE_MS (60 * MS_PER_S)

static struct exchange *exchange_of(const struct resume *resume)
{
	return resume->errand.session->exchange;
}

struct value *resume_ok(const struct subscription *subscription, struct record_id cursor)
{
	const struct exchange *exchange = subscription->session->exchange;
	struct arena *arena = &subscription->session->exchange->arena;
	uint64_t epoch = exchange->feed.log.epoch;
	struct value *place = value_null(arena);
	if (epoch) {
		char text[CURSOR_TEXT];
		const char *kept = arena_copy(arena, text, cursor_write(text, cursor, epoch));
		place = kept ? value_text(arena, kept) : NULL;
	}
	struct value *ok = value_put(value_map(arena), "sub", value_text(arena, subscription->cohort->key));
	ok = value_put(ok, "cursor", place);
	return value_put(ok, "recorded", value_bool(arena, exchange->feed.is_recorded));
}

static struct value *ok_of(const struct subscription *subscription, struct record_id start, bool is_recovered)
{
	struct arena *arena = &subscription->session->exchange->arena;
	return value_put(resume_ok(subscription, start), "recovered", value_bool(arena, is_recovered));
}

static void tell_reset(const struct subscription *subscription, struct record_id named)
{
	subscription_tell_gap(subscription, named, (struct record_id){0}, 0, "reset");
}

static void release(struct resume *resume)
{
	resume->catchup->resume = NULL;
	alarm_stop(&resume->patience);
	free(resume);
}

static void on_cancel(struct errand *errand)
{
	errand_end(errand);
	release(LIST_ENTRY(errand, struct resume, errand));
}

void resume_supersede(struct resume *resume)
{
	errand_fail(&resume->errand, "superseded", "another request of this connection moved or ended the subscription meanwhile", 0);
	release(resume);
}

void resume_adopt(struct resume *resume)
{
	resume->is_new = false;
	resume->former = resume->start;
}

/* The subscription is again where it was. */
static void give_up(struct resume *resume, const char *why)
{
	struct catchup *catchup = resume->catchup;
	struct record_id former = resume->former;
	bool is_new = resume->is_new;
	errand_fail(&resume->errand, "unavailable", why, ERRAND_RETRY_MS);
	release(resume);
	if (is_new)
		subscription_close(catchup->subscription);
	else
		catchup_move(catchup, former);
}

void resume_reset(struct resume *resume, struct record_id named)
{
	resume->is_reset = true;
	resume->named = named;
	resume->start = record_id_earlier(named, exchange_of(resume)->feed.log.base);
	alarm_stop(&resume->patience);
}

static void on_patience(struct alarm *patience)
{
	struct resume *resume = LIST_ENTRY(patience, struct resume, patience);
	if (exchange_of(resume)->is_redis_down) {
		give_up(resume, "the node has no connection to Redis");
		return;
	}
	resume_reset(resume, resume->start);
	catchup_move(resume->catchup, resume->start);
}

/* The node does not know the place yet. */
static void wait_for_head(struct resume *resume)
{
	struct exchange *exchange = exchange_of(resume);
	list_remove(&resume->catchup->in_ahead);
	list_append(&exchange->ahead, &resume->catchup->in_ahead);
	if (!alarm_is_set(&resume->patience))
		alarm_set(&exchange->alarms, &resume->patience, clock_mono_ns() + PATIENCE_NS);
}

static bool succeed(struct resume *resume, bool is_recovered)
{
	struct subscription *subscription = resume->catchup->subscription;
	errand_succeed(&resume->errand, ok_of(subscription, resume->start, is_recovered));
	if (resume->is_reset)
		tell_reset(subscription, resume->named);
	release(resume);
	return true;
}

bool resume_answer(struct resume *resume)
{
	struct reader *reader = resume->catchup->reader;
	if (resume->is_reset)
		return succeed(resume, false);
	if (record_id_compare(resume->start, exchange_of(resume)->log_head) > 0) {
		wait_for_head(resume);
		return false;
	}
	enum reader_step step = reader_peek(reader);
	if (step == READER_WAIT)
		return false;
	if (step != READER_FAILED)
		return succeed(resume, step != READER_GAP);
	if (reader_error(reader) == ERR_UNSUPPORTED)
		return succeed(resume, false);
	give_up(resume, reader_error(reader) == ERR_TIMEOUT ? "Redis did not answer within history.timeout"
							      : "the log cannot be read at present");
	return false;
}

/* Where the moment is. False: nowhere in this log; ret_start is where what there is begins. */
static bool find_start(const struct exchange *exchange, const struct moment *moment, struct record_id *ret_start)
{
	const struct log_position *log = &exchange->feed.log;
	struct record_id head = exchange->log_head;
	*ret_start = record_id_earlier(moment_last(moment, head), head);
	if (moment->kind == MOMENT_EARLIEST)
		*ret_start = (struct record_id){0};
	if (moment->kind != MOMENT_ID)
		return true;
	struct record_id id = moment->cursor.id;
	uint64_t now_ms = clock_wall_ms(), latest_ms = (head.ms > now_ms ? head.ms : now_ms) + FUTURE_MS;
	bool is_other = moment->cursor.has_epoch && moment->cursor.epoch != cursor_epoch(log->epoch);
	bool was_empty = record_id_is_zero(id) && moment->cursor.has_epoch && !record_id_is_zero(head);
	*ret_start = was_empty ? CATCHUP_ORIGIN : id;
	if (!is_other && id.ms <= latest_ms)
		return true;
	*ret_start = record_id_earlier(id, log->base);
	return false;
}

/* It is known already whether all behind start can be had. */
static void begin_at_once(const struct request *request, struct subscription *subscription, struct record_id start, bool is_here)
{
	request_succeed(request, ok_of(subscription, start, is_here));
	if (record_id_compare(start, request->session->exchange->log_head) == 0) {
		catchup_stop(subscription);
		subscription_go_live(subscription);
	} else {
		catchup_start(subscription, start);
	}
}

static void begin_later(const struct request *request, struct subscription *subscription, const struct resume *resume)
{
	struct resume *kept = malloc(sizeof *kept);
	catchup_start(subscription, resume->start);
	if (!kept || !subscription->catchup) {
		free(kept);
		session_close(request->session, CLOSE_INTERNAL);
		return;
	}
	*kept = *resume;
	if (errand_begin_unbounded(&kept->errand, request, on_cancel)) {
		alarm_init(&kept->patience, on_patience);
		kept->catchup = subscription->catchup;
		kept->catchup->resume = kept;
		return;
	}
	free(kept);
	if (resume->is_new)
		subscription_close(subscription);
}

void resume_begin(const struct request *request, struct subscription *subscription, bool is_new, const struct moment *moment)
{
	struct exchange *exchange = request->session->exchange;
	struct resume resume = {.is_new = is_new, .former = subscription_place(subscription)};
	if (subscription->catchup && subscription->catchup->resume)
		resume_supersede(subscription->catchup->resume);
	bool is_here = find_start(exchange, moment, &resume.start);
	bool is_known = record_id_compare(resume.start, exchange->log_head) <= 0;
	if (is_here && !(is_known && ring_covers(exchange->ring, resume.start))) {
		begin_later(request, subscription, &resume);
		return;
	}
	begin_at_once(request, subscription, resume.start, is_here);
	if (!is_here)
		tell_reset(subscription, moment->cursor.id);
}

#include "gateway/session/step.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/session/errand.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"

struct step {
	struct errand errand;
	struct list in_replay;
	struct replay *replay;
	bool is_back;
	uint64_t count, done; /* events */
	struct record *found; /* back: the one that it stands on so far; a reference */
};

struct value *step_ok(const struct replay *replay, const char *state)
{
	static const char *const names[] = {
	    [REPLAY_PLAYING] = "playing", [REPLAY_PAUSED] = "paused", [REPLAY_ENDED] = "ended"};
	struct arena *arena = &replay->session->exchange->arena;
	char at[RECORD_ID_TEXT];
	const char *kept = arena_copy(arena, at, record_id_write(at, replay->at));
	struct value *ok = value_put(value_map(arena), "at", kept ? value_text(arena, kept) : NULL);
	return value_put(ok, "state", value_text(arena, state ? state : names[replay->state]));
}

static void detach(struct step *step)
{
	list_remove(&step->in_replay);
	record_unref(step->found);
	step->found = NULL;
}

static void on_cancel(struct errand *errand)
{
	struct step *step = LIST_ENTRY(errand, struct step, errand);
	detach(step);
	errand_end(errand);
	free(step);
}

static void finish(struct step *step, uint64_t events)
{
	struct arena *arena = &step->replay->session->exchange->arena;
	struct value *ok = value_put(step_ok(step->replay, NULL), "events", value_uint(arena, events));
	detach(step);
	errand_succeed(&step->errand, ok);
	free(step);
}

static void close_back(struct replay *replay)
{
	reader_close(replay->back);
	replay->back = NULL;
}

static void fail(struct step *step, const struct reader *reader)
{
	char why[128];
	enum err error = reader_error(reader);
	snprintf(why, sizeof why, "%s", reader_why(reader));
	close_back(step->replay);
	detach(step);
	errand_fail_question(&step->errand, error, why);
	free(step);
}

/* NULL: there is none. */
static struct step *take_first(struct replay *replay)
{
	struct list *first = replay->steps.next;
	if (first == &replay->steps)
		return NULL;
	replay->steps.next = first->next;
	first->next->prev = &replay->steps;
	list_init(first);
	return LIST_ENTRY(first, struct step, in_replay);
}

/* One that stepped back has moved nothing before it was done; the way back begins anew. */
void steps_end(struct replay *replay)
{
	close_back(replay);
	for (struct step *step; (step = take_first(replay));)
		finish(step, step->is_back ? 0 : step->done);
}

static bool has_steps(const struct replay *replay)
{
	return replay->session->state == SESSION_OPEN && !list_is_empty(&replay->steps);
}

/* --- Forwards ----------------------------------------------------------------------------------------------------- */

static enum reader_step collect(struct step *step, size_t *ret_given)
{
	struct replay *replay = step->replay;
	enum reader_step next = READER_MORE;
	*ret_given = 0;
	while (step->done < step->count && (next = replay_pull(replay)) == READER_RECORD) {
		if (!replay_takes(replay, *ret_given))
			return READER_MORE;
		replay_clock_arrive(&replay->clock, clock_mono_ns());
		replay_give(replay, replay->next, (*ret_given)++);
		step->done++;
	}
	return next;
}

static void tell_gap(const struct replay *replay)
{
	struct record_id after = reader_gap_after(replay->reader);
	if (!record_id_is_zero(after))
		replay_tell_gap(replay, after, reader_gap_before(replay->reader), "trimmed");
}

static bool go_forwards(struct step *step)
{
	struct replay *replay = step->replay;
	size_t given;
	if (!replay_begin(replay))
		return false;
	enum reader_step next = collect(step, &given);
	if (given)
		replay->state = REPLAY_PAUSED;
	if ((given && !replay_send(replay, given)) || replay->session->state != SESSION_OPEN)
		return false;
	if (next == READER_GAP)
		tell_gap(replay);
	if (next == READER_END)
		replay_end(replay);
	if (replay->session->state == SESSION_OPEN && next == READER_FAILED)
		fail(step, replay->reader);
	else if (replay->session->state == SESSION_OPEN && (next == READER_END || step->done == step->count))
		finish(step, step->done);
	return next != READER_WAIT && has_steps(replay);
}

/* --- Back --------------------------------------------------------------------------------------------------------- */

static void on_ready(struct reader *reader, void *context)
{
	(void)reader;
	writer_want(&((struct replay *)context)->writer);
}

/* Where the replay stands between two events, the one before is the first on the way back. */
static bool open_back(struct replay *replay)
{
	struct reader_range range = {.is_reverse = true,
	                             .from = replay->is_on_event ? replay->at : record_id_next(replay->at)};
	if (!replay->back)
		replay->back = reader_open(replay->session->exchange, replay->filter, range, on_ready, replay);
	if (!replay->back)
		session_close(replay->session, CLOSE_INTERNAL);
	return replay->back != NULL;
}

static enum reader_step search(struct step *step)
{
	enum reader_step next = READER_END;
	for (int looked = 0; looked < WRITER_PIECE_RECORDS && step->done < step->count; looked++) {
		const struct record *record;
		next = reader_next(step->replay->back, &record);
		if (next != READER_RECORD)
			return next;
		record_unref(step->found);
		step->found = record_ref((struct record *)(uintptr_t)record);
		step->done++;
	}
	return step->done < step->count ? READER_MORE : next;
}

/* The replay stands on what was found. Nothing was: it was at the first event already, and stays. */
static bool arrive(struct step *step)
{
	struct replay *replay = step->replay;
	if (step->found) {
		if (!replay_begin(replay))
			return false;
		if (!replay_takes(replay, 0))
			return true;
		replay_seek_event(replay, step->found);
		replay_give(replay, step->found, 0);
		if (!replay_send(replay, 1))
			return false;
	}
	finish(step, step->done);
	return has_steps(replay);
}

static bool go_back(struct step *step)
{
	struct replay *replay = step->replay;
	if (!open_back(replay))
		return false;
	switch (search(step)) {
	case READER_MORE:
		return true;
	case READER_WAIT:
		return false;
	case READER_FAILED:
		fail(step, replay->back);
		return has_steps(replay);
	default:
		return arrive(step);
	}
}

/* --- Turns -------------------------------------------------------------------------------------------------------- */

bool step_write(struct replay *replay)
{
	struct step *step = LIST_ENTRY(replay->steps.next, struct step, in_replay);
	if (step->is_back)
		return go_back(step);
	close_back(replay);
	return go_forwards(step);
}

void step_begin(const struct request *request, struct replay *replay, bool is_back, uint64_t count)
{
	struct step *step = calloc(1, sizeof *step);
	if (!step) {
		request_fail(request, "internal", "the gateway is out of memory");
		return;
	}
	if (!errand_begin(&step->errand, request, on_cancel)) {
		free(step);
		return;
	}
	list_init(&step->in_replay);
	step->replay = replay;
	step->is_back = is_back;
	step->count = count;
	replay_pause(replay);
	list_append(&replay->steps, &step->in_replay);
	writer_want(&replay->writer);
}

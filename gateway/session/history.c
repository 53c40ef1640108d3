/* The request "history": a reader over the past whose records go out in chunks, each made when the client's port is clear and
 * the former has gone, then the reply. */
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/errand.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/frame.h"
#include "gateway/session/history_query.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/writers.h"

struct history {
	struct errand errand;
	struct writer writer;
	struct reader *reader;
	size_t limit, chunk; /* events in all, and in one chunk */
	bool is_reverse, is_from_start, is_reset;
	uint64_t seq;          /* of the next chunk */
	size_t given;          /* events in the chunks that went */
	size_t headroom;       /* in front of the elements: what the frame's header and the head of any chunk take */
	struct buf elements;   /* of the next chunk, behind the headroom */
	size_t count;          /* of them */
	struct record_id last; /* of the last event that was read */
	bool is_trimmed;
	struct record_id trimmed_after, trimmed_before;
};

static struct history *of_errand(struct errand *errand)
{
	return LIST_ENTRY(errand, struct history, errand);
}

/* Frees all but the errand, which ends by itself. */
static void stop(struct history *history)
{
	writer_rest(&history->writer);
	reader_close(history->reader);
	history->reader = NULL;
	buf_fini(&history->elements);
}

static void on_cancel(struct errand *errand)
{
	struct history *history = of_errand(errand);
	stop(history);
	errand_end(errand);
	free(history);
}

static void on_ready(struct reader *reader, void *context)
{
	struct history *history = context;
	(void)reader;
	writer_want(&history->writer);
}

static struct value *id_text(struct arena *arena, struct record_id id, uint64_t epoch)
{
	char text[CURSOR_TEXT];
	size_t len = cursor_write(text, id, epoch);
	char *kept = arena_copy(arena, text, len);
	return kept ? value_string(arena, (struct slice){kept, len}) : NULL;
}

/* The cursor to go on behind; null: there is no more. */
static struct value *next_cursor(const struct history *history, struct arena *arena, bool has_more)
{
	const struct exchange *exchange = history->errand.session->exchange;
	uint64_t epoch = exchange->feed.log.epoch;
	return has_more ? id_text(arena, history->last, epoch ? epoch : reader_log(history->reader).epoch) : value_null(arena);
}

static struct value *trimmed(const struct history *history, struct arena *arena)
{
	bool is_known = !record_id_is_zero(history->trimmed_before);
	uint64_t epoch = history->errand.session->exchange->feed.log.epoch;
	struct value *map = value_map(arena);
	map = value_put(map, "after", id_text(arena, history->trimmed_after, epoch));
	return value_put(map, "before", is_known ? id_text(arena, history->trimmed_before, epoch) : value_null(arena));
}

static void succeed(struct history *history, bool has_more)
{
	struct arena *arena = &history->errand.session->exchange->arena;
	struct value *ok = value_put(value_map(arena), "events", value_uint(arena, history->given));
	ok = value_put(ok, "next", next_cursor(history, arena, has_more));
	if (history->is_trimmed)
		ok = value_put(ok, "trimmed", trimmed(history, arena));
	if (history->is_reset)
		ok = value_put(ok, "reset", value_bool(arena, true));
	stop(history);
	errand_succeed(&history->errand, ok);
	free(history);
}

static void fail(struct history *history, enum err error, const char *why)
{
	char kept[128] = "";
	if (why)
		memcpy(kept, why, strnlen(why, sizeof kept - 1));
	stop(history);
	errand_fail_question(&history->errand, error, kept);
	free(history);
}

/* Writes what was collected, if anything was. False: no memory. */
static bool write_chunk(struct history *history)
{
	struct session *session = history->errand.session;
	const struct front *front = session->front;
	struct buf *head = &session->exchange->head, *elements = &history->elements;
	if (!history->count)
		return true;
	buf_clear(head);
	front->codec->chunk_head(head, &history->errand.id, history->seq, history->count);
	front->codec->events_tail(elements);
	if (buf_has_failed(head) || buf_has_failed(elements) || head->len + FRONT_HEADROOM > history->headroom)
		return false;
	char *payload = elements->bytes + history->headroom - head->len;
	memcpy(payload, head->bytes, head->len);
	session_write(session, frame_finish(session->exchange, front, payload, head->len + elements->len - history->headroom));
	metric_add(METRIC_EVENTS_OUT, history->count);
	history->given += history->count;
	history->count = 0;
	history->seq++;
	elements->len = history->headroom;
	return true;
}

static bool is_full(const struct history *history)
{
	const struct exchange_settings *settings = &history->errand.session->exchange->settings;
	return history->count == history->chunk || history->given + history->count == history->limit ||
	       history->elements.len - history->headroom >= settings->batch_max_bytes;
}

/* Something of the range is gone. What lies before the first record is not missed where no start was named. */
static void note_gap(struct history *history)
{
	struct record_id after = reader_gap_after(history->reader);
	if (history->is_from_start && record_id_is_zero(after))
		return;
	if (!history->is_trimmed)
		history->trimmed_after = after;
	history->trimmed_before = reader_gap_before(history->reader);
	history->is_trimmed = true;
}

static void collect(struct history *history, const struct record *record)
{
	history->errand.session->front->codec->events_add(&history->elements, record, history->count == 0);
	history->count++;
	history->last = record->id;
}

/* Reads until the chunk is full (READER_RECORD), the client's rate is used up (READER_RECORD too), or the reader says something
 * else. */
static enum reader_step fill(struct history *history)
{
	struct session *session = history->errand.session;
	uint64_t now_ns = clock_mono_ns();
	const struct record *record;
	while (!is_full(history) && session_may_take_past(session, now_ns)) {
		enum reader_step step = reader_next(history->reader, &record);
		if (step == READER_GAP) {
			note_gap(history);
			continue;
		}
		if (step != READER_RECORD)
			return step;
		bool is_taken = session_take_past(session, now_ns);
		(void)is_taken; /* there was one a moment ago */
		collect(history, record);
	}
	return READER_RECORD;
}

static bool write_piece(struct writer *writer)
{
	struct history *history = LIST_ENTRY(writer, struct history, writer);
	enum reader_step step = fill(history);
	if (step == READER_MORE)
		return true;
	if (step == READER_WAIT)
		return false;
	if (!write_chunk(history)) {
		fail(history, ERR_NOMEM, NULL);
		return false;
	}
	if (step == READER_FAILED) {
		fail(history, reader_error(history->reader), reader_why(history->reader));
		return false;
	}
	if (step == READER_RECORD && history->given < history->limit)
		return true;
	succeed(history, step == READER_RECORD);
	return false;
}

/* The head is longest with the longest number in it. */
static bool reserve_head(struct history *history)
{
	const struct session *session = history->errand.session;
	struct buf *head = &session->exchange->head;
	buf_clear(head);
	session->front->codec->chunk_head(head, &history->errand.id, UINT64_MAX, SIZE_MAX);
	history->headroom = head->len + FRONT_HEADROOM;
	return !buf_has_failed(head) && buf_extend(&history->elements, history->headroom);
}

static void start(struct history *history, const struct history_query *query)
{
	struct session *session = history->errand.session;
	history->limit = query->limit;
	history->chunk = query->chunk;
	history->is_reverse = query->range.is_reverse;
	history->is_from_start = query->is_from_start;
	history->is_reset = query->is_reset;
	if (query->is_empty || !query->filter) {
		succeed(history, false);
		return;
	}
	history->reader = reader_open(session->exchange, query->filter, query->range, on_ready, history);
	if (!history->reader || !reserve_head(history)) {
		fail(history, ERR_NOMEM, NULL);
		return;
	}
	writer_want(&history->writer);
}

static void open_history(const struct request *request, const struct history_query *query)
{
	struct history *history = calloc(1, sizeof *history);
	if (!history) {
		request_fail(request, "internal", "the gateway is out of memory");
		return;
	}
	buf_init(&history->elements);
	writer_init(&history->writer, request->session, true, write_piece);
	history->writer.reads_past = true;
	if (!errand_begin(&history->errand, request, on_cancel)) {
		free(history);
		return;
	}
	history->errand.reads = true;
	start(history, query);
}

void request_history(const struct request *request)
{
	struct session *session = request->session;
	struct history_query query;
	struct history_error error;
	if (!request->id) {
		request_refuse(session, value_null(request->arena), "bad_request",
			       "id: missing, a number or a string is needed, since the chunks carry it", 0);
	} else if (!request_without_delta(request)) {
		return;
	} else if (history_query_of(session->exchange, request_grants(request), request->arena, request->body, &query, &error) != OK) {
		request_fail(request, error.code, error.message);
	} else {
		open_history(request, &query);
		filter_unref(query.filter);
	}
}

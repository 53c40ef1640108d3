/* GET /v1/history: a reader over the past whose records go out as they are read, a piece at a time; the next piece is made when
 * the client has taken the one before. As JSON one object with a list of events, as NDJSON one event a line. What cannot be
 * found out before the answer has begun ends it by cutting it. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/list.h"
#include "common/data/buf.h"
#include "gateway/http/gzip_stage.h"
#include "gateway/http/handlers.h"
#include "gateway/http/history_request.h"
#include "gateway/http/past_error.h"
#include "gateway/http/response.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/pace.h"
#include "gateway/session/reader.h"

#define PIECE_BYTES ((size_t)64 * 1024)
#define PIECES_PER_TURN 4 /* then others have theirs */

struct history_call {
	struct call call;
	struct reader *reader; /* NULL: nothing can be found */
	struct pace pace;
	bool is_granted;       /* the pace has counted an event that was not given yet */
	struct buf piece;
	bool is_ndjson, has_begun;
	bool is_from_start;    /* what the log has lost before the first event is not missed */
	uint64_t epoch;        /* of the log, as far as it is known without a page */
	uint64_t left;         /* events that are wanted still */
	size_t gathered;       /* events in piece */
	bool has_events;       /* one was given */
	struct record_id last; /* the last that was */
	bool has_more;         /* behind it, perhaps */
	bool is_reset, is_trimmed;
	struct record_id trimmed_after, trimmed_before;
	unsigned retry_after_s;
};

static struct history_call *history_of(struct call *call)
{
	return (struct history_call *)call;
}

static void free_call(struct call *call)
{
	struct history_call *history = history_of(call);
	bearer_close(&call->bearer);
	pace_stop(&history->pace);
	reader_close(history->reader);
	buf_fini(&history->piece);
	gzip_stage_close(call->responder);
	free(history);
}

static void append_cursor(struct history_call *history, struct record_id id)
{
	char text[CURSOR_TEXT];
	uint64_t epoch = history->epoch;
	if (!epoch && history->reader)
		epoch = reader_log(history->reader).epoch;
	cursor_write(text, id, epoch);
	buf_printf(&history->piece, "\"%s\"", text);
}

static void append_span(struct history_call *history, struct record_id after, struct record_id before)
{
	buf_append_text(&history->piece, "{\"after\":");
	append_cursor(history, after);
	buf_append_text(&history->piece, ",\"before\":");
	if (record_id_is_zero(before))
		buf_append_text(&history->piece, "null");
	else
		append_cursor(history, before);
}

/* A gap is a line of its own in its place, or said behind the events. */
static void note_gap(struct history_call *history)
{
	struct record_id after = reader_gap_after(history->reader), before = reader_gap_before(history->reader);
	if (history->is_from_start && record_id_is_zero(after))
		return;
	metric_add(METRIC_GAPS, 1);
	if (history->is_ndjson) {
		buf_append_text(&history->piece, "{\"gap\":");
		append_span(history, after, before);
		buf_append_text(&history->piece, ",\"reason\":\"trimmed\"}}\n");
		return;
	}
	if (!history->is_trimmed)
		history->trimmed_after = after;
	history->trimmed_before = before;
	history->is_trimmed = true;
}

/* A line of NDJSON ends at its first line end: those between the tokens of a payload become spaces, which mean the same. */
static void append_line(struct buf *piece, struct slice element)
{
	char *line = buf_extend(piece, element.len + 1);
	if (!line)
		return;
	for (size_t i = 0; i < element.len; i++)
		line[i] = element.ptr[i] == '\n' || element.ptr[i] == '\r' ? ' ' : element.ptr[i];
	line[element.len] = '\n';
}

static void add(struct history_call *history, const struct record *record)
{
	if (!history->is_ndjson && history->has_events)
		buf_append_char(&history->piece, ',');
	if (history->is_ndjson)
		append_line(&history->piece, record->element);
	else
		buf_append_slice(&history->piece, record->element);
	history->has_events = true;
	history->is_granted = false;
	history->last = record->id;
	history->gathered++;
	history->left--;
}

/* Whether there may be more behind the last event that was wanted. */
static enum reader_step look_behind(struct history_call *history)
{
	const struct record *record;
	history->has_more = reader_next(history->reader, &record) != READER_END;
	return READER_END;
}

/* Fills the piece (READER_RECORD), or stops where the reader does, or where the pace does (READER_WAIT too). */
static enum reader_step fill(struct history_call *history)
{
	const struct record *record;
	while (history->piece.len < PIECE_BYTES) {
		if (history->left == 0)
			return look_behind(history);
		history->is_granted = history->is_granted || pace_take(&history->pace);
		if (!history->is_granted)
			return READER_WAIT;
		enum reader_step step = reader_next(history->reader, &record);
		if (step == READER_RECORD)
			add(history, record);
		else if (step == READER_GAP)
			note_gap(history);
		else
			return step;
	}
	return READER_RECORD;
}

static void append_tail(struct history_call *history)
{
	struct buf *piece = &history->piece;
	if (history->is_ndjson)
		return;
	buf_append_text(piece, "],\"next\":");
	if (history->has_more)
		append_cursor(history, history->last);
	else
		buf_append_text(piece, "null");
	if (history->is_trimmed) {
		buf_append_text(piece, ",\"trimmed\":");
		append_span(history, history->trimmed_after, history->trimmed_before);
		buf_append_char(piece, '}');
	}
	buf_append_text(piece, history->is_reset ? ",\"reset\":true}\n" : "}\n");
}

static void begin(struct history_call *history, size_t length)
{
	struct response response = {
		.status = 200,
		.content_type = history->is_ndjson ? RESPONSE_NDJSON : RESPONSE_JSON,
		.length = length,
	};
	if (!history->has_begun)
		history->call.responder->ops->begin(history->call.responder, &response);
	history->has_begun = true;
}

/* False: the client is gone. */
static bool write_piece(struct history_call *history)
{
	struct responder *responder = history->call.responder;
	if (history->piece.len == 0)
		return true;
	metric_add(METRIC_EVENTS_OUT, history->gathered);
	history->gathered = 0;
	enum responder_result result = responder->ops->write(responder, buf_slice(&history->piece));
	buf_shrink(&history->piece, 2 * PIECE_BYTES);
	return result != RESPONDER_DEAD;
}

static void fail(struct history_call *history, enum err error, const char *why)
{
	struct responder *responder = history->call.responder;
	struct refusal refusal = past_refusal(error, why, history->retry_after_s);
	if (history->has_begun)
		responder->ops->cut(responder, refusal.message);
	else
		responder_refuse(responder, &refusal);
}

/* A short answer is one piece, and its length is known. */
static void finish(struct history_call *history)
{
	append_tail(history);
	if (buf_has_failed(&history->piece)) {
		fail(history, ERR_NOMEM, NULL);
		return;
	}
	begin(history, history->piece.len);
	if (write_piece(history))
		history->call.responder->ops->finish(history->call.responder);
}

/* True: there is more to write, and the client takes it. */
static bool go_one_piece_further(struct history_call *history)
{
	struct responder *responder = history->call.responder;
	enum reader_step step = history->reader ? fill(history) : READER_END;
	if (buf_has_failed(&history->piece)) {
		fail(history, ERR_NOMEM, NULL);
		return false;
	}
	switch (step) {
	case READER_END:
		finish(history);
		return false;
	case READER_FAILED:
		fail(history, reader_error(history->reader), reader_why(history->reader));
		return false;
	case READER_WAIT:
	case READER_MORE:
		break;
	default:
		begin(history, RESPONSE_STREAMED);
		return write_piece(history) && responder->ops->is_clear(responder);
	}
	/* What was found so far need not wait, once there is any. */
	if (history->gathered)
		begin(history, RESPONSE_STREAMED);
	if (history->has_begun && !write_piece(history))
		return false;
	if (step == READER_MORE)
		responder->ops->again(responder);
	return false;
}

static void go_on(struct call *call)
{
	struct history_call *history = history_of(call);
	if (!call->responder->ops->is_clear(call->responder))
		return;
	for (unsigned i = 0; i < PIECES_PER_TURN; i++) {
		if (!go_one_piece_further(history))
			return;
	}
	call->responder->ops->again(call->responder);
}

static void on_ready(struct reader *reader, void *context)
{
	struct history_call *history = context;
	(void)reader;
	go_on(&history->call);
}

static void on_paced(struct pace *pace)
{
	go_on(&LIST_ENTRY(pace, struct history_call, pace)->call);
}

static const struct call_ops history_ops = {.go_on = go_on, .free = free_call};

/* A cursor of another log than there is: whoever holds it has missed what nobody can tell. */
static void note_reset(struct history_call *history, const struct history_request *wanted)
{
	history->is_reset = wanted->query.is_reset;
	if (!history->is_reset)
		return;
	metric_add(METRIC_GAPS, 1);
	if (!history->is_ndjson)
		return;
	buf_append_text(&history->piece, "{\"gap\":{\"after\":\"");
	buf_append_slice(&history->piece, wanted->after); /* a cursor: nothing in it needs an escape */
	buf_append_text(&history->piece, "\",\"before\":null,\"reason\":\"reset\"}}\n");
}

/* NULL: answered. */
static struct history_call *make(const struct api_request *request, const struct history_request *wanted)
{
	struct history_call *history = calloc(1, sizeof *history);
	if (!history) {
		api_refuse(request, 500, "internal", "the gateway is out of memory");
		return NULL;
	}
	history->call = (struct call){.ops = &history_ops, .responder = gzip_stage_open(request->responder)};
	history->is_ndjson = wanted->is_ndjson;
	history->is_from_start = wanted->query.is_from_start;
	history->epoch = wanted->query.epoch;
	history->left = wanted->limit;
	history->retry_after_s = request->api->retry_after_s;
	buf_init(&history->piece);
	pace_init(&history->pace, request->api->exchange, request->grants, on_paced);
	note_reset(history, wanted);
	if (!wanted->is_ndjson)
		buf_append_text(&history->piece, "{\"events\":[");
	if (wanted->query.is_empty || !wanted->query.filter)
		return history;
	history->reader = reader_open(request->api->exchange, wanted->query.filter, wanted->query.range, on_ready, history);
	if (history->reader)
		return history;
	free_call(&history->call);
	api_refuse(request, 500, "internal", "the gateway is out of memory");
	return NULL;
}

static struct call *tell_head(const struct api_request *request, const struct history_request *wanted)
{
	struct response response = {
		.status = 200,
		.content_type = wanted->is_ndjson ? RESPONSE_NDJSON : RESPONSE_JSON,
		.length = RESPONSE_STREAMED,
	};
	struct responder *responder = gzip_stage_open(request->responder);
	responder->ops->begin(responder, &response);
	responder->ops->finish(responder);
	gzip_stage_close(responder);
	return NULL;
}

struct call *history_open(const struct api_request *request)
{
	struct history_request wanted;
	if (!history_request_read(request, &wanted))
		return NULL;
	if (request->responder->is_head_only) {
		filter_unref(wanted.query.filter);
		return tell_head(request, &wanted);
	}
	struct history_call *history = make(request, &wanted);
	filter_unref(wanted.query.filter);
	if (history)
		request->responder->ops->again(request->responder);
	return history ? &history->call : NULL;
}

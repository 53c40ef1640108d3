/* POST /v1/publish of lines: each is published as it comes, LINES_IN_FLIGHT at a time, and what came of it is a line of the
 * answer, in the same order. A line that cannot be published does not end the rest. While as many are under way, or the client
 * does not take the answers, nothing more of the body is taken. */
#include <stdlib.h>

#include "common/data/buf.h"
#include "gateway/http/handlers.h"
#include "gateway/http/publish_call.h"
#include "gateway/http/response.h"

#define LINES_IN_FLIGHT 64

struct lines_call;

struct slot {
	struct publish publish;
	struct lines_call *lines;
};

struct lines_call {
	struct call call;
	struct exchange *exchange;
	struct slot slots[LINES_IN_FLIGHT]; /* a ring */
	size_t first, count;
	struct buf line;      /* what there is of the line that is not complete */
	struct buf out;       /* answers that are to be written */
	size_t line_bytes_max;
	unsigned retry_after_s;
	bool is_too_long;     /* the line at hand; read over up to its end */
	bool has_begun, has_ended; /* the answer, the body */
};

static struct lines_call *lines_of(struct call *call)
{
	return (struct lines_call *)call;
}

static void free_call(struct call *call)
{
	struct lines_call *lines = lines_of(call);
	for (size_t i = 0; i < lines->count; i++)
		publish_fini(&lines->slots[(lines->first + i) % LINES_IN_FLIGHT].publish);
	buf_fini(&lines->line);
	buf_fini(&lines->out);
	bearer_close(&call->bearer);
	free(lines);
}

/* Answers that come in one turn are written together. */
static void on_done(struct publish *publish)
{
	struct lines_call *lines = LIST_ENTRY(publish, struct slot, publish)->lines;
	lines->call.responder->ops->again(lines->call.responder);
}

static void take_line(struct lines_call *lines, struct slice line)
{
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0 && !lines->is_too_long)
		return;
	struct slot *slot = &lines->slots[(lines->first + lines->count++) % LINES_IN_FLIGHT];
	slot->lines = lines;
	publish_init(&slot->publish, lines->retry_after_s, on_done);
	if (lines->is_too_long)
		publish_refuse(&slot->publish, 413, "message_too_big", "the line is longer than limits.message_bytes");
	else
		publish_start(&slot->publish, lines->exchange, lines->call.bearer.grants, line);
	lines->is_too_long = false;
	if (publish_is_done(&slot->publish))
		on_done(&slot->publish);
}

/* Keeps a piece of a line, or reads over it where the line is too long. False: no memory. */
static bool keep(struct lines_call *lines, struct slice piece)
{
	/* One byte more than the limit, for a CR at the line's end. */
	if (lines->is_too_long || piece.len > lines->line_bytes_max + 1 - lines->line.len) {
		lines->is_too_long = true;
		buf_clear(&lines->line);
		return true;
	}
	buf_append_slice(&lines->line, piece);
	return !buf_has_failed(&lines->line);
}

static void end_line(struct lines_call *lines)
{
	take_line(lines, buf_slice(&lines->line));
	buf_clear(&lines->line);
}

static bool has_room(const struct lines_call *lines)
{
	return lines->count < LINES_IN_FLIGHT && lines->call.responder->ops->is_clear(lines->call.responder);
}

static size_t take_body(struct call *call, struct slice piece)
{
	struct lines_call *lines = lines_of(call);
	size_t taken = 0;
	while (taken < piece.len && has_room(lines)) {
		const char *start = piece.ptr + taken;
		const char *end = memchr(start, '\n', piece.len - taken);
		size_t len = end ? (size_t)(end - start) : piece.len - taken;
		if (!keep(lines, (struct slice){start, len})) {
			call->responder->ops->cut(call->responder, "out of memory");
			return taken;
		}
		taken += len + (end != NULL);
		if (end)
			end_line(lines);
	}
	return taken;
}

static void begin(struct lines_call *lines)
{
	const struct response response = {.status = 200, .content_type = RESPONSE_NDJSON, .length = RESPONSE_STREAMED};
	if (!lines->has_begun)
		lines->call.responder->ops->begin(lines->call.responder, &response);
	lines->has_begun = true;
}

static void gather(struct lines_call *lines)
{
	while (lines->count && publish_is_done(&lines->slots[lines->first].publish)) {
		publish_append(&lines->slots[lines->first].publish, &lines->out);
		lines->first = (lines->first + 1) % LINES_IN_FLIGHT;
		lines->count--;
	}
}

static void go_on(struct call *call)
{
	struct lines_call *lines = lines_of(call);
	struct responder *responder = call->responder;
	if (!responder->ops->is_clear(responder))
		return;
	size_t before = lines->count;
	gather(lines);
	if (buf_has_failed(&lines->out)) {
		responder->ops->cut(responder, "out of memory");
		return;
	}
	if (lines->out.len) {
		begin(lines);
		if (responder->ops->write(responder, buf_slice(&lines->out)) == RESPONDER_DEAD)
			return;
		buf_clear(&lines->out);
	}
	if (lines->has_ended && lines->count == 0) {
		begin(lines);
		responder->ops->finish(responder);
	} else if (lines->count < before && !lines->has_ended) {
		responder->ops->again(responder);
	}
}

static void end_body(struct call *call)
{
	struct lines_call *lines = lines_of(call);
	lines->has_ended = true;
	if (lines->line.len || lines->is_too_long)
		end_line(lines);
	call->responder->ops->again(call->responder);
}

static const struct call_ops lines_ops = {.body = take_body, .body_end = end_body, .go_on = go_on, .free = free_call};

struct call *lines_open(const struct api_request *request)
{
	struct lines_call *lines = calloc(1, sizeof *lines);
	if (!lines)
		return api_refuse(request, 500, "internal", "the gateway is out of memory");
	lines->call = (struct call){.ops = &lines_ops, .responder = request->responder};
	lines->exchange = request->api->exchange;
	lines->line_bytes_max = request->api->message_bytes_max;
	lines->retry_after_s = request->api->retry_after_s;
	buf_init(&lines->line);
	buf_init(&lines->out);
	return &lines->call;
}

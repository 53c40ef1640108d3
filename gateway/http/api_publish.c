/* POST /v1/publish: one event as JSON, or any number of them as lines. */
#include <stdlib.h>

#include "common/data/buf.h"
#include "gateway/http/handlers.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/past_error.h"
#include "gateway/http/publish_call.h"
#include "gateway/http/response.h"
#include "gateway/metrics/metrics.h"

struct publish_call {
	struct call call;
	struct publish publish;
	struct exchange *exchange;
	struct buf body;
	size_t body_bytes_max;
	unsigned retry_after_s;
};

static struct publish_call *publish_call_of(struct call *call)
{
	return (struct publish_call *)call;
}

static void free_call(struct call *call)
{
	struct publish_call *single = publish_call_of(call);
	bearer_close(&call->bearer);
	publish_fini(&single->publish);
	buf_fini(&single->body);
	free(single);
}

static void refuse_too_big(struct responder *responder)
{
	const struct refusal refusal = {
		.status = 413,
		.code = "message_too_big",
		.message = "the body is longer than limits.message_bytes; send many events as application/x-ndjson",
	};
	responder_refuse(responder, &refusal);
}

static size_t take_body(struct call *call, struct slice piece)
{
	struct publish_call *single = publish_call_of(call);
	if (piece.len > single->body_bytes_max - single->body.len) {
		refuse_too_big(call->responder);
		return 0;
	}
	buf_append_slice(&single->body, piece);
	return piece.len;
}

static void answer_call(struct publish *publish)
{
	struct publish_call *single = LIST_ENTRY(publish, struct publish_call, publish);
	struct responder *responder = single->call.responder;
	struct buf body;
	if (!publish->is_ok) {
		responder_refuse(responder, &publish->refusal);
		return;
	}
	buf_init(&body);
	publish_append(publish, &body);
	struct response response = {.status = 200, .content_type = RESPONSE_JSON, .length = body.len};
	if (buf_has_failed(&body))
		responder->ops->cut(responder, "out of memory");
	else
		responder_send(responder, &response, buf_slice(&body));
	buf_fini(&body);
}

static void end_body(struct call *call)
{
	struct publish_call *single = publish_call_of(call);
	if (buf_has_failed(&single->body))
		publish_fail(&single->publish, ERR_NOMEM);
	else
		publish_start(&single->publish, single->exchange, call->bearer.grants, buf_slice(&single->body));
	buf_fini(&single->body);
	if (publish_is_done(&single->publish))
		answer_call(&single->publish);
}

/* Everything that is written comes with the answer. */
static void go_on(struct call *call)
{
	(void)call;
}

static const struct call_ops single_ops = {.body = take_body, .body_end = end_body, .go_on = go_on, .free = free_call};

static struct call *open_single(const struct api_request *request)
{
	uint64_t length;
	if (body_length(request->body, &length) && length > request->api->message_bytes_max) {
		refuse_too_big(request->responder);
		return NULL;
	}
	struct publish_call *single = calloc(1, sizeof *single);
	if (!single)
		return api_refuse(request, 500, "internal", "the gateway is out of memory");
	single->call = (struct call){.ops = &single_ops, .is_body_short = true, .responder = request->responder};
	single->exchange = request->api->exchange;
	single->body_bytes_max = request->api->message_bytes_max;
	buf_init(&single->body);
	publish_init(&single->publish, request->api->retry_after_s, answer_call);
	return &single->call;
}

struct call *publish_open(const struct api_request *request)
{
	static const char *const types[] = {RESPONSE_JSON, RESPONSE_NDJSON};
	int type = negotiate_content_type(request->head, types, 2);
	if (type < 0)
		return api_refuse(request, 415, "unsupported_media_type",
				  "Content-Type must be application/json, or application/x-ndjson for an event a line");
	if (negotiate_accept(request->head, &types[type], 1) < 0)
		return api_refuse(request, 406, "not_acceptable", "what is answered is of the type that is sent");
	return type == 0 ? open_single(request) : lines_open(request);
}

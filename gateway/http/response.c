#include "gateway/http/response.h"

#include "common/codec/json.h"
#include "gateway/http/gzip_stage.h"
#include "gateway/http/responder.h"

#define PREFLIGHT_KEPT_S 600 /* browsers need not ask again before */

static const struct {
	unsigned status;
	const char *phrase;
} phrases[] = {
	{200, "OK"},
	{204, "No Content"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{417, "Expectation Failed"},
	{426, "Upgrade Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
};

const char *status_phrase(unsigned status)
{
	for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
		if (phrases[i].status == status)
			return phrases[i].phrase;
	}
	return "Error";
}

bool response_is_chunked(const struct response *response, const struct response_form *form)
{
	return response->content_type && response->length == RESPONSE_STREAMED && form->minor >= 1;
}

static void write_cors(struct buf *out, const struct response *response, const struct response_form *form)
{
	buf_append_text(out, response->varies_by_coding ? "Vary: Origin, Accept-Encoding\r\n" : "Vary: Origin\r\n");
	if (form->origin.len == 0)
		return;
	buf_append_text(out, "Access-Control-Allow-Origin: ");
	buf_append_slice(out, form->origin);
	buf_append_text(out, "\r\nAccess-Control-Expose-Headers: Retry-After, WWW-Authenticate\r\n");
	if (!response->is_preflight)
		return;
	buf_printf(out, "Access-Control-Allow-Methods: %s\r\n", response->allow ? response->allow : "GET");
	buf_append_text(out, "Access-Control-Allow-Headers: Authorization, Content-Type, X-API-Key, Last-Event-ID\r\n");
	buf_printf(out, "Access-Control-Max-Age: %u\r\n", PREFLIGHT_KEPT_S);
}

static void write_length(struct buf *out, const struct response *response, const struct response_form *form)
{
	if (!response->content_type)
		return;
	buf_printf(out, "Content-Type: %s\r\n", response->content_type);
	if (response->is_gzip)
		buf_append_text(out, "Content-Encoding: gzip\r\n");
	if (response_is_chunked(response, form))
		buf_append_text(out, "Transfer-Encoding: chunked\r\n");
	else if (response->length != RESPONSE_STREAMED)
		buf_printf(out, "Content-Length: %zu\r\n", response->length);
}

void response_write_head(struct buf *out, const struct response *response, const struct response_form *form)
{
	buf_printf(out, "HTTP/1.1 %u %s\r\n", response->status, status_phrase(response->status));
	if (form->closes)
		buf_printf(out, "Connection: close%s\r\n", response->status == 426 ? ", upgrade" : "");
	if (response->status == 426)
		buf_append_text(out, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	write_length(out, response, form);
	buf_append_text(out, "Cache-Control: no-store\r\n");
	if (response->is_live)
		buf_append_text(out, "X-Accel-Buffering: no\r\n");
	if (response->allow)
		buf_printf(out, "Allow: %s\r\n", response->allow);
	if (response->challenge)
		buf_printf(out, "WWW-Authenticate: %s\r\n", response->challenge);
	if (response->retry_after_s)
		buf_printf(out, "Retry-After: %u\r\n", response->retry_after_s);
	write_cors(out, response, form);
	buf_append_text(out, "\r\n");
}

static void write_error(struct buf *out, const char *code, const char *message, unsigned retry_after_ms)
{
	buf_append_text(out, "{\"error\":{\"code\":");
	json_append_string(out, slice_of(code));
	buf_append_text(out, ",\"message\":");
	json_append_string(out, slice_of(message));
	if (retry_after_ms)
		buf_printf(out, ",\"retryAfterMs\":%u", retry_after_ms);
	buf_append_text(out, "}}\n");
}

void response_write_error(struct buf *out, const char *code, const char *message)
{
	write_error(out, code, message, 0);
}

/* Rounded up: who comes again when he was told to is let in. */
static unsigned retry_after_s(const struct refusal *refusal)
{
	return refusal->retry_after_s ? refusal->retry_after_s : (refusal->retry_after_ms + 999) / 1000;
}

struct response response_of_refusal(const struct refusal *refusal, struct buf *body)
{
	write_error(body, refusal->code, refusal->message, refusal->retry_after_ms);
	return (struct response){
		.status = refusal->status,
		.content_type = RESPONSE_JSON,
		.length = body->len,
		.allow = refusal->allow ? refusal->allow : refusal->status == 405 ? "GET" : NULL,
		.retry_after_s = retry_after_s(refusal),
		.challenge = refusal->challenge,
		.error = refusal->code,
	};
}

void responder_send(struct responder *responder, const struct response *response, struct slice body)
{
	struct response own = *response;
	struct buf packed;
	buf_init(&packed);
	body = gzip_whole(responder, &own, body, &packed);
	responder->ops->begin(responder, &own);
	if (!body.len || responder->ops->write(responder, body) != RESPONDER_DEAD)
		responder->ops->finish(responder);
	buf_fini(&packed);
}

void responder_refuse(struct responder *responder, const struct refusal *refusal)
{
	struct buf body;
	buf_init(&body);
	struct response response = response_of_refusal(refusal, &body);
	if (buf_has_failed(&body))
		responder->ops->cut(responder, "out of memory");
	else
		responder_send(responder, &response, buf_slice(&body));
	buf_fini(&body);
}

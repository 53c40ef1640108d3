/* One request of the HTTP API, head and body, asked and answered to its end: what is not refused is read by its handler (query, filter,
 * moments, lines to publish, what it accepts), its questions are answered, and events go on. The first byte says in which turns the client
 * takes nothing. Whatever comes, an answer begins once, what is called JSON is JSON, and nothing is left. */
#include "gateway/http/api.h"

#include "common/codec/json.h"
#include "gateway/auth/auth.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/response.h"
#include "gateway/metrics/metrics.h"
#include "tests/fuzz/past.h"

#define TURNS_MAX 64

struct client {
	struct responder responder;
	struct response response;
	struct buf written;
	struct call *call;
	bool is_blocked, is_stuck, is_over, is_due, has_ended, has_last;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct client *client_of(const struct responder *responder)
{
	return (struct client *)(uintptr_t)responder;
}

static void begin(struct responder *responder, const struct response *response)
{
	struct client *client = client_of(responder);
	check(!client->response.status && response->status >= 200 && response->status <= 599);
	client->response = *response;
}

static enum responder_result write_body(struct responder *responder, struct slice bytes)
{
	struct client *client = client_of(responder);
	check(client->response.status && !client->has_last && !client->is_over);
	client->has_last = client->is_blocked; /* once more, where finish() comes next */
	buf_append_slice(&client->written, bytes);
	client->is_blocked = client->is_stuck;
	return client->is_stuck ? RESPONDER_BUFFERED : RESPONDER_SENT;
}

static bool is_clear(const struct responder *responder)
{
	return !client_of(responder)->is_blocked && !client_of(responder)->is_over;
}

static void again(struct responder *responder)
{
	client_of(responder)->is_due = true;
}

static void finish(struct responder *responder)
{
	struct client *client = client_of(responder);
	const struct response *response = &client->response;
	check(response->status && !client->is_over);
	if (response->content_type && response->length != RESPONSE_STREAMED)
		check(response->length == client->written.len);
	client->is_over = true;
}

static void cut(struct responder *responder, const char *why)
{
	check(why != NULL);
	client_of(responder)->is_over = true;
}

/* Offers what is left of the body, as the wire does. False: it can never be read. */
static bool offer(struct client *client, struct body *length, struct slice *rest)
{
	struct call *call = client->call;
	struct slice piece;
	const char *why = NULL;
	while (call->ops->body && !client->is_over && !client->has_ended) {
		switch (body_next(length, rest, &piece, &why)) {
		case BODY_DATA: {
			size_t taken = call->ops->body(call, piece);
			check(taken <= piece.len);
			body_take(length, rest, taken);
			if (taken < piece.len)
				return true;
			break;
		}
		case BODY_END:
			client->has_ended = true;
			call->ops->body_end(call);
			break;
		case BODY_MORE:
		case BODY_BAD:
			return false;
		}
	}
	return true;
}

static void converse(struct exchange *exchange, struct client *client, struct body *length, struct slice rest, unsigned mood)
{
	for (int i = 0; i < TURNS_MAX && !client->is_over && offer(client, length, &rest); i++) {
		client->is_stuck = mood >> i % 8 & 1;
		past_answer(exchange, 1);
		if (i % 4 == 0)
			past_record(exchange, SLICE_LITERAL("trace:s1"), SLICE_LITERAL("{\"sessionId\":\"s1\",\"type\":\"t\",\"n\":1}"));
		clock_fake_advance_ms(1);
		exchange_end_turn(exchange);
		bool is_due = client->is_due || client->is_blocked;
		client->is_due = client->is_blocked = false;
		if (is_due && !client->is_over)
			client->call->ops->go_on(client->call);
		check(!client->has_last || client->is_over);
	}
}

static void judge_lines(struct slice text)
{
	while (text.len) {
		const char *line_end = memchr(text.ptr, '\n', text.len);
		struct slice line = {text.ptr, line_end ? (size_t)(line_end - text.ptr) : text.len};
		size_t used = line.len + (line_end != NULL);
		/* The last line of an answer that was given up half-way may be half a line. */
		check(line.len == 0 || json_is_valid(line, NULL, NULL) || !line_end);
		text = (struct slice){text.ptr + used, text.len - used};
	}
}

static void judge(const struct client *client)
{
	const struct response *response = &client->response;
	struct slice written = buf_slice(&client->written);
	if (!response->content_type || response->is_gzip || client->responder.is_head_only)
		return;
	check(json_is_utf8(written));
	if (negotiate_is_type(slice_of(response->content_type), "application/x-ndjson"))
		judge_lines(written);
	else if (response->length != RESPONSE_STREAMED)
		check(json_is_valid(written, NULL, NULL));
}

static void ask(struct exchange *exchange, struct auth *auth, const struct head *head, struct slice rest, unsigned mood)
{
	static const struct responder_ops ops = {
	    .begin = begin, .write = write_body, .is_clear = is_clear, .again = again, .finish = finish, .cut = cut};
	const struct api api = {
	    .exchange = exchange, .message_bytes_max = 256, .retry_after_s = 2, .auth = auth, .gzips = mood & 1};
	struct client client = {.responder = {.ops = &ops}};
	struct body length;
	struct refusal refusal;
	if (!api_knows(head->path) || !body_open(&length, head, &refusal))
		return;
	api_meet(&api, head, &client.responder);
	client.call = api_open(&api, head, &length, &client.responder);
	check(client.call || client.is_over);
	if (client.call) {
		converse(exchange, &client, &length, rest, mood);
		client.call->ops->free(client.call);
	}
	judge(&client);
	buf_fini(&client.written);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct head head;
	static struct auth *auth;
	const struct exchange_settings settings = past_settings();
	char why[256];
	if (!auth)
		check(auth_new(&(struct auth_settings){.served = settings.served}, &auth, why) == OK);
	if (!len || head_read((struct slice){(const char *)bytes + 1, len - 1}, &head) != HEAD_COMPLETE)
		return 0;
	clock_fake(NS_PER_S, WALL_MS);
	check(metrics_join() == OK);
	struct exchange *exchange = exchange_new(&settings);
	check(exchange);
	past_begin(exchange);
	ask(exchange, auth, &head, (struct slice){(const char *)bytes + 1 + head.len, len - 1 - head.len}, bytes[0]);
	exchange_free(exchange);
	past_end();
	metrics_reset();
	clock_real();
	return 0;
}

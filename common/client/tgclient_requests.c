/* Requests of the user and their replies. */
#include <stdlib.h>

#include "common/client/tgclient_inside.h"
#include "common/codec/json.h"

struct judged {
	bool has_op, has_id;
};

static void judge_member(void *context, struct slice raw_key, struct slice raw_value, enum json_kind kind)
{
	struct judged *judged = context;
	(void)raw_value;
	judged->has_id = judged->has_id || json_string_is(raw_key, SLICE_LITERAL("id"));
	judged->has_op = judged->has_op || (kind == JSON_STRING && json_string_is(raw_key, SLICE_LITERAL("op")));
}

/* What is wrong with a request; NULL: nothing. */
static const char *judge(struct slice request)
{
	struct judged judged = {0};
	enum json_kind kind;
	if (!json_scan(request, judge_member, &judged, &kind) || kind != JSON_OBJECT)
		return "a request is a JSON object";
	if (judged.has_id)
		return "a request has no \"id\": the client gives it one";
	return judged.has_op ? NULL : "a request has an \"op\"";
}

enum tgc_result tgc_request(struct tgc_client *client, const char *request, tgc_on_reply *on_reply, void *context)
{
	struct slice text = slice_of(request ? request : "");
	const char *why = judge(text);
	if (why)
		return tgc_fail(client, TGC_INVALID, why);
	if (client->state != TGC_OPEN)
		return tgc_fail(client, TGC_OFFLINE, "there is no open connection");
	if (client->pending_count >= client->requests_max)
		return tgc_fail(client, TGC_LIMIT, "too many requests wait for their reply");
	struct tgc_pending *pending = malloc(sizeof *pending);
	if (!pending)
		return tgc_fail(client, TGC_NOMEM, "no memory for the request");
	*pending = (struct tgc_pending){.id = client->next_request++, .on_reply = on_reply, .context = context};
	const char *behind_brace = memchr(text.ptr, '{', text.len);
	behind_brace++;
	buf_clear(&client->text);
	buf_printf(&client->text, "{\"id\":%llu,", (unsigned long long)pending->id);
	buf_append(&client->text, behind_brace, text.len - (size_t)(behind_brace - text.ptr));
	enum tgc_result result = tgc_send_text(client, buf_slice(&client->text));
	if (result) {
		free(pending);
		return result;
	}
	list_append(&client->pending, &pending->link);
	client->pending_count++;
	return TGC_OK;
}

enum tgc_result tgc_authenticate(struct tgc_client *client, const char *token, tgc_on_reply *on_reply, void *context)
{
	if (!token || !*token)
		return tgc_fail(client, TGC_INVALID, "token: missing");
	enum tgc_result result = tgc_set_token(client, token);
	if (result)
		return result;
	struct buf request;
	buf_init(&request);
	buf_append_text(&request, "{\"op\":\"auth\",\"token\":");
	json_append_string(&request, slice_of(token));
	buf_append(&request, "}", 2); /* with its NUL */
	result = buf_has_failed(&request) ? tgc_fail(client, TGC_NOMEM, "no memory for the request")
					  : tgc_request(client, request.bytes, on_reply, context);
	buf_fini(&request);
	return result;
}

static struct tgc_pending *find(struct tgc_client *client, uint64_t id)
{
	LIST_FOREACH(&client->pending, at, following) {
		struct tgc_pending *pending = LIST_ENTRY(at, struct tgc_pending, link);
		if (pending->id == id)
			return pending;
	}
	return NULL;
}

/* Forgets a request and calls its handler a last time. */
static void end(struct tgc_client *client, struct tgc_pending *pending, const struct tgc_reply *reply)
{
	struct tgc_pending ended = *pending;
	list_remove(&pending->link);
	client->pending_count--;
	free(pending);
	if (ended.on_reply)
		ended.on_reply(client, ended.context, reply);
}

void tgc_request_reply(struct tgc_client *client, const struct tgc_message *message)
{
	struct tgc_pending *pending = find(client, message->id);
	struct tgc_reply reply = {.kind = TGC_REPLY_OK, .json = tgc_text_of(message->body)};
	if (!pending)
		return;
	if (message->kind == TGC_MESSAGE_CHUNK) {
		reply.kind = TGC_REPLY_CHUNK;
		reply.json = tgc_text_of(message->json);
		reply.events = tgc_text_of(message->events);
		if (pending->on_reply)
			pending->on_reply(client, pending->context, &reply);
		return;
	}
	if (message->kind == TGC_MESSAGE_ERROR)
		tgc_error_read(message->body, &client->channel, &reply);
	end(client, pending, &reply);
}

void tgc_requests_end(struct tgc_client *client)
{
	const struct slice code = SLICE_LITERAL("disconnected"), message = SLICE_LITERAL("the connection ended before the reply");
	const struct tgc_reply reply = {
		.kind = TGC_REPLY_ERROR, .code = tgc_text_of(code), .message = tgc_text_of(message), .temporary = true};
	while (!list_is_empty(&client->pending))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed has left the list */
		end(client, LIST_ENTRY(client->pending.next, struct tgc_pending, link), &reply);
}

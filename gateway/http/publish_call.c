#include "gateway/http/publish_call.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/codec/json.h"
#include "gateway/http/past_error.h"
#include "gateway/http/response.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/publication.h"

/* The members of a request; a name that comes twice is refused, since nobody knows which was meant. */
struct members {
	struct slice channel, data; /* raw */
	enum json_kind channel_kind;
	unsigned channels, datas;
};

static void on_member(void *context, struct slice raw_key, struct slice raw_value, enum json_kind kind)
{
	struct members *members = context;
	if (json_string_is(raw_key, SLICE_LITERAL("channel"))) {
		members->channel = raw_value;
		members->channel_kind = kind;
		members->channels++;
	} else if (json_string_is(raw_key, SLICE_LITERAL("data"))) {
		members->data = raw_value;
		members->datas++;
	}
}

void publish_refuse(struct publish *publish, unsigned status, const char *code, const char *message)
{
	snprintf(publish->message, sizeof publish->message, "%s", message);
	publish->refusal = (struct refusal){.status = status, .code = code, .message = publish->message};
	publish->is_done = true;
}

void publish_fail(struct publish *publish, enum err error)
{
	publish->refusal = past_refusal(error, NULL, publish->retry_after_s);
	publish->is_done = true;
}

static void on_answer(struct asker *asker, struct answer *answer)
{
	struct publish *publish = LIST_ENTRY(asker, struct publish, asker);
	snprintf(publish->message, sizeof publish->message, "%s", answer->why);
	publish->is_done = true;
	publish->is_ok = answer->error == OK;
	if (publish->is_ok) {
		publish->id = answer->id;
		metric_add(METRIC_PUBLISHED, 1);
	} else {
		publish->refusal = past_refusal(answer->error, publish->message, publish->retry_after_s);
	}
	publish->on_done(publish);
}

void publish_init(struct publish *publish, unsigned retry_after_s, publish_done *on_done)
{
	*publish = (struct publish){.retry_after_s = retry_after_s, .on_done = on_done};
}

void publish_fini(struct publish *publish)
{
	asker_cancel(&publish->asker);
}

bool publish_is_done(const struct publish *publish)
{
	return publish->is_done;
}

/* NULL: refused. */
static struct question *read_request(struct publish *publish, const struct exchange *exchange, const struct grants *grants,
				     const struct members *members)
{
	struct slice raw = members->channel;
	char channel[PUBLICATION_CHANNEL_MAX + 1];
	/* Unescaped it is never longer, and escaped at most six times as long. */
	if (members->channel_kind != JSON_STRING || raw.len - 2 > 6 * PUBLICATION_CHANNEL_MAX) {
		publish_refuse(publish, 400, "bad_request", "channel: a string of 1 to 1024 bytes is needed");
		return NULL;
	}
	char *text = malloc(raw.len);
	if (!text) {
		publish_fail(publish, ERR_NOMEM);
		return NULL;
	}
	size_t len = json_unescape((struct slice){raw.ptr + 1, raw.len - 2}, text);
	size_t kept = len < sizeof channel ? len : sizeof channel;
	memcpy(channel, text, kept);
	free(text);
	struct question *question;
	struct publication_error error;
	enum err failed = publication_question(exchange, grants, (struct slice){channel, kept}, members->data, &question, &error);
	if (failed == OK)
		return question;
	publish_refuse(publish, failed == ERR_NOMEM ? 500 : failed == ERR_DENIED ? 403 : 400, error.code, error.message);
	return NULL;
}

void publish_start(struct publish *publish, struct exchange *exchange, const struct grants *grants, struct slice request)
{
	struct members members = {.channels = 0};
	enum json_kind kind;
	asker_init(&publish->asker, exchange, on_answer);
	if (!json_scan(request, on_member, &members, &kind) || kind != JSON_OBJECT) {
		publish_refuse(publish, 400, "bad_message", "a JSON object is needed: {\"channel\":...,\"data\":...}");
	} else if (members.channels != 1 || members.datas != 1) {
		publish_refuse(publish, 400, "bad_request", "channel and data are needed, each once");
	} else {
		struct question *question = read_request(publish, exchange, grants, &members);
		enum err error = question ? asker_ask(&publish->asker, question) : OK;
		if (error != OK)
			publish_fail(publish, error);
	}
}

void publish_append(const struct publish *publish, struct buf *out)
{
	char id[RECORD_ID_TEXT];
	if (!publish->is_ok) {
		response_write_error(out, publish->refusal.code, publish->refusal.message);
		return;
	}
	record_id_write(id, publish->id);
	buf_printf(out, "{\"id\":\"%s\"}\n", id);
}

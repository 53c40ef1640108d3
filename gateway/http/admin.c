#include "gateway/http/admin.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/codec/json.h"
#include "common/protocol/log.h"
#include "gateway/http/negotiate.h"
#include "gateway/metrics/metrics.h"

static const char type_json[] = "application/json";
static const char type_text[] = "text/plain; charset=utf-8";
static const char type_metrics[] = "text/plain; version=0.0.4; charset=utf-8";

typedef struct admin_answer answer(const struct admin *admin, struct buf *ret_body);

static struct admin_answer refuse(int status, const char *code, const char *message, struct buf *ret_body)
{
	buf_printf(ret_body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", code, message);
	return (struct admin_answer){status, type_json, NULL};
}

static struct admin_answer refuse_method(const char *message, const char *allow, struct buf *ret_body)
{
	struct admin_answer refusal = refuse(405, "method_not_allowed", message, ret_body);
	refusal.allow = allow;
	return refusal;
}

static struct admin_answer answer_metrics(const struct admin *admin, struct buf *ret_body)
{
	(void)admin;
	metrics_write(ret_body, TRACEGATE_VERSION);
	return (struct admin_answer){200, type_metrics, NULL};
}

static struct admin_answer answer_health(const struct admin *admin, struct buf *ret_body)
{
	uint64_t now_ms = clock_mono_ms();
	uint64_t turned_ms = admin->oldest_turn_ms(admin->context);
	bool is_late = now_ms > turned_ms && now_ms - turned_ms > ADMIN_LOOP_LATE_MS;
	buf_append_text(ret_body, is_late ? "a loop hangs\n" : "ok\n");
	return (struct admin_answer){is_late ? 503 : 200, type_text, NULL};
}

bool admin_is_ready(const struct admin *admin)
{
	const struct node *node = admin->node;
	uint64_t over_since_ms = atomic_load(&node->over_memory_since_ms), now_ms = clock_mono_ms();
	bool is_over = over_since_ms && now_ms > over_since_ms && now_ms - over_since_ms > ADMIN_OVER_MEMORY_MS;
	/* At its start alone: later the past may be away, and who wants no past is served. */
	bool has_past = !admin->has_history || atomic_load(&node->past_was_up);
	return atomic_load(&node->redis_up) && has_past && !atomic_load(&node->draining) && !is_over;
}

static struct admin_answer answer_ready(const struct admin *admin, struct buf *ret_body)
{
	bool is_up = atomic_load(&admin->node->redis_up);
	bool is_draining = atomic_load(&admin->node->draining);
	bool is_ready = admin_is_ready(admin);
	buf_printf(ret_body, "{\"ready\":%s,\"redis\":\"%s\",\"draining\":%s", is_ready ? "true" : "false",
	           is_up ? "up" : "down", is_draining ? "true" : "false");
	if (admin->has_history)
		buf_printf(ret_body, ",\"recorded\":%s", atomic_load(&admin->node->is_recorded) ? "true" : "false");
	if (atomic_load(&admin->node->over_memory_since_ms))
		buf_append_text(ret_body, ",\"memory\":\"over\"");
	buf_append_text(ret_body, "}\n");
	return (struct admin_answer){is_ready ? 200 : 503, type_json, NULL};
}

/* The last id that was delivered, or null. */
static void append_last(const struct node *node, struct buf *ret_body)
{
	char text[RECORD_ID_TEXT];
	const struct record_id last = {atomic_load(&node->log_last_ms), atomic_load(&node->log_last_seq)};
	if (record_id_is_zero(last)) {
		buf_append_text(ret_body, "null");
		return;
	}
	record_id_write(text, last);
	buf_printf(ret_body, "\"%s\"", text);
}

static struct admin_answer answer_node(const struct admin *admin, struct buf *ret_body)
{
	const struct node *node = admin->node;
	uint64_t now_ms = clock_mono_ms();
	buf_append_text(ret_body, "{\"node\":");
	json_append_string(ret_body, slice_of(node->name));
	buf_printf(ret_body, ",\"version\":\"%s\",\"recorder\":%s", TRACEGATE_VERSION,
	           atomic_load(&node->is_recorder) ? "true" : "false");
	buf_printf(ret_body, ",\"connections\":%" PRIu64 ",\"subscriptions\":%" PRIu64 ",\"cohorts\":%" PRIu64,
	           metric_read(METRIC_CONNECTIONS), metric_read(METRIC_SUBSCRIPTIONS), metric_read(METRIC_COHORTS));
	buf_printf(ret_body, ",\"redis\":{\"up\":%s},\"log\":{\"last\":",
	           atomic_load(&node->redis_up) ? "true" : "false");
	append_last(node, ret_body);
	buf_printf(ret_body, "},\"draining\":%s,\"uptimeMs\":%" PRIu64 "}\n",
	           atomic_load(&node->draining) ? "true" : "false", now_ms - node->started_mono_ms);
	return (struct admin_answer){200, type_json, NULL};
}

static const struct {
	const char *path;
	answer *answer;
} pages[] = {
    {"/metrics", answer_metrics}, {"/healthz", answer_health}, {"/livez", answer_health},
    {"/readyz", answer_ready},    {"/v1/node", answer_node},
};

struct admin_answer admin_answer(const struct admin *admin, struct slice method, struct slice path,
                                 struct buf *ret_body)
{
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
		if (!slice_is(path, pages[i].path))
			continue;
		if (!slice_is(method, "GET") && !slice_is(method, "HEAD"))
			return refuse_method("this page knows GET and HEAD only", "GET, HEAD", ret_body);
		return pages[i].answer(admin, ret_body);
	}
	return refuse(404, "not_found", "there is no such page here", ret_body);
}

struct admin_answer admin_read_order(const struct admin_request *request, struct disconnect *ret_order, struct buf *ret_body)
{
	char why[DISCONNECT_WHY];
	if (!slice_is(request->method, "POST"))
		return refuse_method("this page knows POST only", "POST", ret_body);
	if (!request->has_length)
		return refuse(411, "length_required", "say how long the body is", ret_body);
	if (!negotiate_is_type(request->content_type, type_json))
		return refuse(415, "unsupported_media_type", "Content-Type must be application/json", ret_body);
	switch (disconnect_read(request->body, ret_order, why)) {
	case OK:
		return (struct admin_answer){0, type_json, NULL};
	case ERR_NOMEM:
		return refuse(503, "internal", "the gateway is out of memory", ret_body);
	default:
		break;
	}
	buf_append_text(ret_body, "{\"error\":{\"code\":\"bad_request\",\"message\":");
	json_append_string(ret_body, slice_of(why));
	buf_append_text(ret_body, "}}\n");
	return (struct admin_answer){400, type_json, NULL};
}

struct admin_answer admin_answer_order(const struct admin *admin, size_t ended, bool is_told, struct buf *ret_body)
{
	buf_append_text(ret_body, "{\"node\":");
	json_append_string(ret_body, slice_of(admin->node->name));
	buf_printf(ret_body, ",\"disconnected\":%zu,\"told\":%s", ended, is_told ? "true" : "false");
	if (!is_told)
		buf_append_text(ret_body, ",\"error\":{\"code\":\"unavailable\",\"message\":"
					  "\"this node has no connection to Redis: the other nodes were not told\"}");
	buf_append_text(ret_body, "}\n");
	return (struct admin_answer){is_told ? 200 : 503, type_json, NULL};
}

#include "gateway/http/upgrade.h"

#include <string.h>

#include "common/codec/base64.h"
#include "gateway/auth/grants.h"
#include "gateway/http/credential.h"
#include "gateway/http/entry.h"

#define KEY_CHARS 24
#define KEY_BYTES 16

/* One step of the judgement: false when the request is refused. */
typedef bool judge(const struct head *head, const struct upgrade_policy *policy, struct refusal *ret_refusal);

static bool refuse(struct refusal *ret_refusal, unsigned status, const char *code, const char *message,
                   enum metric metric)
{
	*ret_refusal = (struct refusal){.status = status, .code = code, .message = message, .metric = metric};
	return false;
}

static bool refuse_bad(struct refusal *ret_refusal, const char *message)
{
	return refuse(ret_refusal, 400, "bad_request", message, METRIC_REFUSED_BAD_REQUEST);
}

static bool require_upgrade(struct refusal *ret_refusal, const char *message)
{
	return refuse(ret_refusal, 426, "upgrade_required", message, METRIC_REFUSED_BAD_REQUEST);
}

/* The path is compared as it was sent: percent-encoded spellings and a slash at the end are other paths. */
static bool judge_path(const struct head *head, const struct upgrade_policy *policy, struct refusal *ret_refusal)
{
	(void)policy;
	if (!slice_is(head->path, "/v1/stream") && !slice_is(head->path, "/ws"))
		return refuse(ret_refusal, 404, "not_found", "no such path; the WebSocket is at /v1/stream, /metrics and /healthz are on the admin port",
		              METRIC_REFUSED_NOT_FOUND);
	if (!slice_is(head->method, "GET"))
		return refuse(ret_refusal, 405, "method_not_allowed", "a WebSocket is opened with GET",
		              METRIC_REFUSED_BAD_REQUEST);
	return true;
}

/* A body would be taken for frames by whoever reads on. */
static bool judge_body(const struct head *head, const struct upgrade_policy *policy, struct refusal *ret_refusal)
{
	struct slice length;
	size_t lengths, encodings;
	(void)policy;
	bool has_one = head_get(head, "Content-Length", &length, &lengths);
	struct slice encoding;
	(void)head_get(head, "Transfer-Encoding", &encoding, &encodings);
	if (encodings || lengths > 1 || (has_one && !slice_is(length, "0")))
		return refuse_bad(ret_refusal, "a WebSocket handshake has no body");
	return true;
}

static bool judge_upgrade(const struct head *head, const struct upgrade_policy *policy, struct refusal *ret_refusal)
{
	struct slice version;
	(void)policy;
	if (head->minor < 1)
		return require_upgrade(ret_refusal, "a WebSocket needs HTTP/1.1");
	if (!head_lists(head, "Upgrade", "websocket"))
		return require_upgrade(ret_refusal, "this path speaks WebSocket only; send Upgrade: websocket");
	if (!head_lists(head, "Connection", "upgrade"))
		return require_upgrade(ret_refusal, "the Connection field must list upgrade");
	if (!head_get(head, "Sec-WebSocket-Version", &version, NULL) || !slice_is(version, "13"))
		return require_upgrade(ret_refusal, "Sec-WebSocket-Version must be 13");
	return true;
}

static bool judge_key(const struct head *head, const struct upgrade_policy *policy, struct refusal *ret_refusal)
{
	struct slice key;
	unsigned char bytes[KEY_CHARS / 4 * 3];
	size_t len;
	(void)policy;
	if (!head_get(head, "Sec-WebSocket-Key", &key, NULL))
		return refuse_bad(ret_refusal, "exactly one Sec-WebSocket-Key is needed");
	if (key.len != KEY_CHARS || !base64_decode(key, bytes, &len) || len != KEY_BYTES)
		return refuse_bad(ret_refusal, "Sec-WebSocket-Key must be 16 bytes in base64");
	return true;
}

static bool is_host_char(char c)
{
	return (unsigned char)c > ' ' && (unsigned char)c < 0x7f && !strchr("/\\?#@,\"<>", c);
}

static bool judge_host(const struct head *head, const struct upgrade_policy *policy, struct refusal *ret_refusal)
{
	struct slice host;
	(void)policy;
	if (!head_get(head, "Host", &host, NULL) || host.len == 0)
		return refuse_bad(ret_refusal, "exactly one Host is needed");
	for (size_t i = 0; i < host.len; i++) {
		if (!is_host_char(host.ptr[i]))
			return refuse_bad(ret_refusal, "Host is not a host and port");
	}
	return true;
}

/* The first known subprotocol that the client offers, in its order; the default when it offers none. */
static const struct front *choose_front(const struct head *head, struct refusal *ret_refusal)
{
	bool has_offer = false;
	for (size_t i = 0; i < head->field_count; i++) {
		struct slice list = head->fields[i].value, offer;
		if (!head_is_same_word(head->fields[i].name, SLICE_LITERAL("Sec-WebSocket-Protocol")))
			continue;
		while (head_next_element(&list, &offer)) {
			if (credential_is_offer(offer))
				continue;
			const struct front *front = front_find(offer);
			if (front)
				return front;
			has_offer = true;
		}
	}
	if (!has_offer)
		return &front_json;
	refuse(ret_refusal, 400, "unknown_subprotocol",
	       "no offered subprotocol is known; offer tracegate.v1.json, tracegate.v1.msgpack, or none", METRIC_REFUSED_BAD_REQUEST);
	return NULL;
}

enum upgrade_verdict upgrade_decide(const struct head *head, const struct upgrade_policy *policy,
                                    const struct front **ret_front, struct grants **ret_grants, struct refusal *ret_refusal)
{
	static judge *const steps[] = {judge_path, judge_body, judge_upgrade, judge_key, judge_host};
	const struct entry_policy entry_policy = {
		.cors = &policy->cors,
		.is_draining = policy->draining,
		.retry_after_s = policy->retry_after_s,
		.auth = policy->auth,
		.may_tell_later = true,
		.is_over_memory = policy->is_over_memory,
		.connections = policy->connections,
		.admission = policy->admission,
	};
	struct entry entry;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		if (!steps[i](head, policy, ret_refusal))
			return UPGRADE_REFUSE;
	}
	if (!entry_judge(head, &entry_policy, &entry, ret_refusal))
		return UPGRADE_REFUSE;
	const struct front *front = choose_front(head, ret_refusal);
	if (!front) {
		grants_unref(entry.grants);
		return UPGRADE_REFUSE;
	}
	*ret_front = front;
	*ret_grants = entry.grants;
	return UPGRADE_GO;
}

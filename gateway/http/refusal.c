#include <string.h>

#include "common/codec/json.h"
#include "gateway/http/upgrade.h"

static const struct {
	unsigned status;
	const char *phrase;
} phrases[] = {
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *phrase_of(unsigned status)
{
	for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
		if (phrases[i].status == status)
			return phrases[i].phrase;
	}
	return "Error";
}

struct refusal refusal_for_head(enum head_status status, const char *why)
{
	const char *message = why ? why : "the request is not valid HTTP/1.1";
	switch (status) {
	case HEAD_PARTIAL:
		return (struct refusal){408, "request_timeout", "the request head did not arrive in time",
		                        METRIC_REFUSED_TIMEOUT, 0};
	case HEAD_TARGET_TOO_LONG:
		return (struct refusal){414, "target_too_long", "the request target is too long",
		                        METRIC_REFUSED_TOO_LARGE, 0};
	case HEAD_TOO_MANY_FIELDS:
		return (struct refusal){431, "headers_too_large", "the request head is too large",
		                        METRIC_REFUSED_TOO_LARGE, 0};
	case HEAD_VERSION:
		return (struct refusal){strcmp(message, HEAD_WHY_PREFACE) == 0 ? 400 : 505, "http_version", message,
		                        METRIC_REFUSED_BAD_REQUEST, 0};
	default:
		return (struct refusal){400, "bad_request", message, METRIC_REFUSED_BAD_REQUEST, 0};
	}
}

void refusal_write(struct buf *out, const struct refusal *refusal)
{
	struct buf body;
	buf_init(&body);
	buf_append_text(&body, "{\"error\":{\"code\":");
	json_append_string(&body, slice_of(refusal->code));
	buf_append_text(&body, ",\"message\":");
	json_append_string(&body, slice_of(refusal->message));
	buf_append_text(&body, "}}\n");
	buf_printf(out, "HTTP/1.1 %u %s\r\nConnection: close%s\r\nContent-Type: application/json\r\n", refusal->status,
	           phrase_of(refusal->status), refusal->status == 426 ? ", upgrade" : "");
	buf_append_text(out, "Cache-Control: no-store\r\n");
	if (refusal->status == 426)
		buf_append_text(out, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	if (refusal->status == 405)
		buf_append_text(out, "Allow: GET\r\n");
	if (refusal->retry_after_s)
		buf_printf(out, "Retry-After: %u\r\n", refusal->retry_after_s);
	buf_printf(out, "Content-Length: %zu\r\n\r\n", body.len);
	buf_append_slice(out, buf_slice(&body));
	if (buf_has_failed(&body))
		out->failed = true;
	buf_fini(&body);
}

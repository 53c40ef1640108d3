#include <string.h>

#include "gateway/http/response.h"
#include "gateway/http/upgrade.h"

struct refusal refusal_for_head(enum head_status status, const char *why)
{
	const char *message = why ? why : "the request is not valid HTTP/1.1";
	switch (status) {
	case HEAD_PARTIAL:
		return (struct refusal){408, "request_timeout", "the request head did not arrive in time",
		                        METRIC_REFUSED_TIMEOUT, 0, NULL, NULL};
	case HEAD_TARGET_TOO_LONG:
		return (struct refusal){414, "target_too_long", "the request target is too long",
		                        METRIC_REFUSED_TOO_LARGE, 0, NULL, NULL};
	case HEAD_TOO_MANY_FIELDS:
		return (struct refusal){431, "headers_too_large", "the request head is too large",
		                        METRIC_REFUSED_TOO_LARGE, 0, NULL, NULL};
	case HEAD_VERSION:
		return (struct refusal){strcmp(message, HEAD_WHY_PREFACE) == 0 ? 400 : 505, "http_version", message,
		                        METRIC_REFUSED_BAD_REQUEST, 0, NULL, NULL};
	default:
		return (struct refusal){400, "bad_request", message, METRIC_REFUSED_BAD_REQUEST, 0, NULL, NULL};
	}
}

void refusal_write(struct buf *out, const struct refusal *refusal)
{
	struct buf body;
	buf_init(&body);
	response_write_error(&body, refusal->code, refusal->message);
	buf_printf(out, "HTTP/1.1 %u %s\r\nConnection: close%s\r\nContent-Type: application/json\r\n", refusal->status,
	           status_phrase(refusal->status), refusal->status == 426 ? ", upgrade" : "");
	buf_append_text(out, "Cache-Control: no-store\r\n");
	if (refusal->status == 426)
		buf_append_text(out, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	if (refusal->status == 405)
		buf_printf(out, "Allow: %s\r\n", refusal->allow ? refusal->allow : "GET");
	if (refusal->challenge)
		buf_printf(out, "WWW-Authenticate: %s\r\n", refusal->challenge);
	if (refusal->retry_after_s)
		buf_printf(out, "Retry-After: %u\r\n", refusal->retry_after_s);
	buf_printf(out, "Content-Length: %zu\r\n\r\n", body.len);
	buf_append_slice(out, buf_slice(&body));
	if (buf_has_failed(&body))
		out->failed = true;
	buf_fini(&body);
}

#include "gateway/http/refusal.h"

#include <string.h>

#include "gateway/http/response.h"

static struct refusal refusal_of(unsigned status, const char *code, const char *message, enum metric metric)
{
	return (struct refusal){.status = status, .code = code, .message = message, .metric = metric};
}

struct refusal refusal_for_head(enum head_status status, const char *why)
{
	const char *message = why ? why : "the request is not valid HTTP/1.1";
	switch (status) {
	case HEAD_PARTIAL:
		return refusal_of(408, "request_timeout", "the request head did not arrive in time", METRIC_REFUSED_TIMEOUT);
	case HEAD_TARGET_TOO_LONG:
		return refusal_of(414, "target_too_long", "the request target is too long", METRIC_REFUSED_TOO_LARGE);
	case HEAD_TOO_MANY_FIELDS:
		return refusal_of(431, "headers_too_large", "the request head is too large", METRIC_REFUSED_TOO_LARGE);
	case HEAD_VERSION:
		return refusal_of(strcmp(message, HEAD_WHY_PREFACE) == 0 ? 400 : 505, "http_version", message, METRIC_REFUSED_BAD_REQUEST);
	default:
		return refusal_of(400, "bad_request", message, METRIC_REFUSED_BAD_REQUEST);
	}
}

void refusal_write(struct buf *out, const struct refusal *refusal, struct slice origin)
{
	const struct response_form form = {.minor = 1, .closes = true, .origin = origin};
	struct buf body;
	buf_init(&body);
	struct response response = response_of_refusal(refusal, &body);
	response_write_head(out, &response, &form);
	buf_append_slice(out, buf_slice(&body));
	if (buf_has_failed(&body))
		out->failed = true;
	buf_fini(&body);
}

#include "gateway/http/past_error.h"

struct refusal past_refusal(enum err error, const char *why, unsigned retry_after_s)
{
	struct refusal refusal = {.status = 500, .code = "internal", .message = "the gateway is out of memory"};
	switch (error) {
	case ERR_NOMEM:
		break;
	case ERR_UNSUPPORTED:
		refusal = (struct refusal){.status = 501, .code = "no_history",
					   .message = "this gateway keeps no history (history.enabled): it delivers live events only"};
		break;
	case ERR_TIMEOUT:
		refusal = (struct refusal){.status = 504, .code = "timeout", .message = "Redis did not answer within history.timeout"};
		break;
	case ERR_AGAIN: /* the log was replaced, or lags behind this node */
		refusal = (struct refusal){.status = 503, .code = "unavailable", .retry_after_s = retry_after_s,
					   .message = why && *why ? why : "not at this moment"};
		break;
	case ERR_CLOSED:
		refusal = (struct refusal){.status = 503, .code = "unavailable", .message = "the node has no connection to Redis",
					   .retry_after_s = retry_after_s};
		break;
	case ERR_LIMIT:
		refusal = (struct refusal){.status = 503, .code = "too_many_requests",
					   .message = "the node has as many reads under way as history.requests allows",
					   .retry_after_s = retry_after_s};
		break;
	default:
		refusal.code = "refused";
		refusal.message = why && *why ? why : "Redis refused it";
	}
	return refusal;
}

#include "gateway/http/past_error.h"

#include "gateway/session/past.h"

static unsigned status_of(enum err error)
{
	switch (error) {
	case ERR_UNSUPPORTED:
		return 501;
	case ERR_TIMEOUT:
		return 504;
	case ERR_AGAIN:
	case ERR_CLOSED:
	case ERR_LIMIT:
		return 503;
	default:
		return 500;
	}
}

struct refusal past_refusal(enum err error, const char *why, unsigned retry_after_s)
{
	struct past_failure failure = past_failure_of(error, why);
	return (struct refusal){.status = status_of(error),
				.code = failure.code,
				.message = failure.message,
				.retry_after_s = failure.is_temporary ? retry_after_s : 0};
}

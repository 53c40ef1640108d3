/* What came of a question about the past, as an answer over HTTP: the codes are those of the op's replies. Private to this room. */
#ifndef GATEWAY_HTTP_PAST_ERROR_H
#define GATEWAY_HTTP_PAST_ERROR_H

#include "common/base/err.h"
#include "gateway/http/refusal.h"

/* why: what Redis said, may be NULL or empty; it must outlive the refusal. */
struct refusal past_refusal(enum err error, const char *why, unsigned retry_after_s);

#endif

/* Why a request, or a connection, gets no more than an error over HTTP. One type for all of them, whoever judges. Pure. */
#ifndef GATEWAY_HTTP_REFUSAL_H
#define GATEWAY_HTTP_REFUSAL_H

#include "common/base/slice.h"
#include "common/data/buf.h"
#include "gateway/http/head.h"
#include "gateway/metrics/metrics.h"

struct refusal {
	unsigned status;          /* 400 401 403 404 405 406 408 413 414 415 417 426 429 431 500 501 503 504 505 */
	const char *code;         /* static, snake_case: "bad_request", "origin_not_allowed", ... */
	const char *message;      /* a sentence, valid while the refusal is; static unless who made it says otherwise */
	enum metric metric;
	unsigned retry_after_s;   /* 0: no Retry-After, unless retry_after_ms says one */
	const char *allow;        /* static; the methods of the path, with 405; NULL: GET */
	const char *challenge;    /* static; WWW-Authenticate (RFC 6750 section 3), with 401, and where it says more; NULL: none */
	unsigned retry_after_ms;  /* said in the body too, as over the WebSocket; 0: not said */
};

/* A refusal for a head that could not be read, or for a limit. */
struct refusal refusal_for_head(enum head_status status, const char *why);
/* The whole response: status line, headers (Connection: close, Sec-WebSocket-Version with 426, Allow with 405, those of CORS) and
 * {"error":{"code":...,"message":...}}. origin: of the page that may read it (cors_reader()); empty: none. */
void refusal_write(struct buf *out, const struct refusal *refusal, struct slice origin);

#endif

/* Decides what to do with a client's request head, before the library sees it and before anything is allocated for it:
 * a valid WebSocket handshake goes on, everything else is answered at once with the status and the JSON body that
 * docs/protocol.md promises. Pure. */
#ifndef GATEWAY_HTTP_UPGRADE_H
#define GATEWAY_HTTP_UPGRADE_H

#include <stdbool.h>

#include "common/base/slice.h"
#include "common/data/buf.h"
#include "gateway/http/cors.h"
#include "gateway/http/head.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/front.h"

struct admission;
struct auth;
struct connections;
struct grants;

struct upgrade_policy {
	struct cors cors;
	bool draining;
	unsigned retry_after_s;
	struct auth *auth; /* NULL: no credential is good, and one is needed */
	bool is_over_memory;
	struct connections *connections; /* as in entry.h */
	struct admission *admission;
};

enum upgrade_verdict { UPGRADE_GO, UPGRADE_REFUSE };

struct refusal {
	unsigned status;          /* 400 401 403 404 405 406 408 413 414 415 417 426 429 431 500 501 503 504 505 */
	const char *code;         /* static, snake_case: "bad_request", "origin_not_allowed", ... */
	const char *message;      /* static sentence */
	enum metric metric;
	unsigned retry_after_s;   /* 0: no Retry-After, unless retry_after_ms says one */
	const char *allow;        /* static; the methods of the path, with 405; NULL: GET */
	const char *challenge;    /* static; WWW-Authenticate (RFC 6750 section 3), with 401, and where it says more; NULL: none */
	unsigned retry_after_ms;  /* said in the body too, as over the WebSocket; 0: not said */
};

/* ret_grants: what the client may, a reference; NULL: it has yet to say who it is. */
enum upgrade_verdict upgrade_decide(const struct head *head, const struct upgrade_policy *policy, const struct front **ret_front,
				    struct grants **ret_grants, struct refusal *ret_refusal);
/* A refusal for a head that could not be read, or for a limit. */
struct refusal refusal_for_head(enum head_status status, const char *why);
/* The whole response: status line, headers (Connection: close, Sec-WebSocket-Version with 426, Allow with 405, those of CORS) and
 * {"error":{"code":...,"message":...}}. origin: of the page that may read it (cors_reader()); empty: none. */
void refusal_write(struct buf *out, const struct refusal *refusal, struct slice origin);

#endif

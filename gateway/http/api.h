/* The HTTP API (docs/protocol.md, HTTP): which paths there are, what may be asked of them, and who answers. A request that
 * may not be is answered at once; for the others a handler makes a call. To add a path: a handler in a file of its own and a line
 * in the table of router.c. Used by one worker; same thread as its exchange. */
#ifndef GATEWAY_HTTP_API_H
#define GATEWAY_HTTP_API_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/slice.h"
#include "gateway/http/body.h"
#include "gateway/http/cors.h"
#include "gateway/http/head.h"
#include "gateway/http/query.h"
#include "gateway/http/responder.h"

struct auth;
struct connections;
struct exchange;
struct grants;

struct api {
	struct exchange *exchange;
	struct cors cors;
	size_t message_bytes_max; /* of one event to publish */
	bool is_draining;
	bool gzips; /* long answers, for clients that ask for it */
	unsigned retry_after_s;
	struct auth *auth; /* NULL: no credential is good, and one is needed */
	struct connections *connections; /* as in entry.h */
};

/* What a handler is given; valid while it opens its call. */
struct api_request {
	const struct api *api;
	const struct head *head;
	const struct body *body;
	struct query query;
	struct grants *grants; /* what its client may; borrowed */
	struct responder *responder;
};

/* The path is compared as it was sent, like that of the WebSocket. */
bool api_knows(struct slice path);
/* Before anything is answered: which page may read it, whatever it says. Of the head, which must live until the exchange is over, the
 * fields are enough, as far as they could be read. */
void api_meet(const struct api *api, const struct head *head, struct responder *responder);
/* Answers the request now or by the call that it gives. It was met already. NULL: it was answered, or cut, already. The head must live until the
 * exchange is over; body is as the head tells it, nothing taken yet. */
struct call *api_open(const struct api *api, const struct head *head, const struct body *body,
		      struct responder *responder) MUST_USE;

#endif

/* The admin port's answers, without a socket: a path gives a status, a type and a body. Pure but for reading the node's
 * atomics and counters. */
#ifndef GATEWAY_HTTP_ADMIN_H
#define GATEWAY_HTTP_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "common/data/buf.h"
#include "gateway/http/disconnect.h"
#include "gateway/metrics/node.h"

struct admin {
	const struct node *node;
	bool has_history; /* /readyz says then, for information, whether events are recorded */
	/* The oldest monotonic time (ms) at which one of the loops turned last: /healthz and /livez fail when it is older than
	 * ADMIN_LOOP_LATE_MS. */
	uint64_t (*oldest_turn_ms)(void *context);
	void *context;
};

#define ADMIN_LOOP_LATE_MS 10000
/* Over limits.memory for so long, the node is not ready: others are to have its new clients. */
#define ADMIN_OVER_MEMORY_MS 10000

struct admin_answer {
	int status;               /* 200 400 404 405 411 415 503 */
	const char *content_type; /* static */
	const char *allow;        /* static; with 405 */
};

bool admin_is_ready(const struct admin *admin); /* any thread: whether the node is to have new clients */

/* GET and HEAD of /metrics /healthz /livez /readyz /v1/node. */
struct admin_answer admin_answer(const struct admin *admin, struct slice method, struct slice path, struct buf *ret_body);

/* POST of ADMIN_DISCONNECT, in two steps: the order is read (status 0: it is one; else that is the answer), and when it was carried out
 * here, that is answered. Only JSON is taken, which a page in an operator's browser cannot send here unasked. */
#define ADMIN_DISCONNECT "/v1/admin/disconnect"
struct admin_request {
	struct slice method, content_type, body;
	bool has_length; /* its head says how long the body is */
};
struct admin_answer admin_read_order(const struct admin_request *request, struct disconnect *ret_order, struct buf *ret_body);
/* ended: on this node; is_told: the other nodes were. */
struct admin_answer admin_answer_order(const struct admin *admin, size_t ended, bool is_told, struct buf *ret_body);

#endif

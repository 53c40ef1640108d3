/* GET /v1/history: what the query of the target asks for. Private to this room. */
#ifndef GATEWAY_HTTP_HISTORY_REQUEST_H
#define GATEWAY_HTTP_HISTORY_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/http/api.h"
#include "gateway/session/history_query.h"

struct history_request {
	struct history_query query; /* its filter is a reference; limit and chunk do not count */
	bool is_ndjson;
	uint64_t limit;             /* UINT64_MAX: none */
	bool has_after;
	struct slice after;         /* as it was sent, decoded; lives during the request */
};

/* False: answered by an error. */
bool history_request_read(const struct api_request *request, struct history_request *ret_request);

#endif

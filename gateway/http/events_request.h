/* GET /v1/events: the subscribe that its query and its Last-Event-ID ask for. Private to this room. */
#ifndef GATEWAY_HTTP_EVENTS_REQUEST_H
#define GATEWAY_HTTP_EVENTS_REQUEST_H

#include <stdbool.h>

#include "common/data/buf.h"
#include "gateway/http/api.h"

/* Appends the request as JSON text. False: answered by an error. */
bool events_request_write(const struct api_request *request, struct buf *out);

#endif

/* The handlers that the router knows. Each answers by the call that it gives, or has answered already (NULL). Private to this
 * room. */
#ifndef GATEWAY_HTTP_HANDLERS_H
#define GATEWAY_HTTP_HANDLERS_H

#include "gateway/http/api.h"

struct call *events_open(const struct api_request *request);   /* GET /v1/events */
struct call *history_open(const struct api_request *request);  /* GET /v1/history */
struct call *sessions_open(const struct api_request *request); /* GET /v1/sessions */
struct call *publish_open(const struct api_request *request);  /* POST /v1/publish */
struct call *state_open(const struct api_request *request);    /* GET /v1/state */

/* Answers by an error with that status and finishes; gives NULL, for handlers to return. */
struct call *api_refuse(const struct api_request *request, unsigned status, const char *code, const char *message);

#endif

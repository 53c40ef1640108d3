#include <stdlib.h>
#include <string.h>

#include "gateway/http/handlers.h"
#include "gateway/http/response.h"

static const struct route {
	const char *path;
	const char *method; /* the one it knows; GET means HEAD too */
	const char *allow;
	struct call *(*open)(const struct api_request *request);
} routes[] = {
	{"/v1/events", "GET", "GET, HEAD, OPTIONS", events_open},
	{"/v1/history", "GET", "GET, HEAD, OPTIONS", history_open},
	{"/v1/sessions", "GET", "GET, HEAD, OPTIONS", sessions_open},
	{"/v1/state", "GET", "GET, HEAD, OPTIONS", state_open},
	{"/v1/publish", "POST", "POST, OPTIONS", publish_open},
};

static const struct route *find(struct slice path)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (slice_is(path, routes[i].path))
			return &routes[i];
	}
	return NULL;
}

bool api_knows(struct slice path)
{
	return find(path) != NULL;
}

struct call *api_refuse(const struct api_request *request, unsigned status, const char *code, const char *message)
{
	struct refusal refusal = {.status = status, .code = code, .message = message};
	if (status == 429 || status == 503)
		refusal.retry_after_s = request->api->retry_after_s;
	responder_refuse(request->responder, &refusal);
	return NULL;
}

static bool is_method(const struct route *route, struct slice method)
{
	return slice_is(method, route->method) || (slice_is(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

static void refuse_method(const struct api_request *request, const struct route *route)
{
	struct refusal refusal = {
		.status = 405,
		.code = "method_not_allowed",
		.message = "this path does not know that method; Allow says which it knows",
		.allow = route->allow,
	};
	responder_refuse(request->responder, &refusal);
}

static void tell_options(const struct api_request *request, const struct route *route)
{
	struct slice wanted;
	struct response response = {
		.status = 204,
		.allow = route->allow,
		.is_preflight = head_get(request->head, "Access-Control-Request-Method", &wanted, NULL),
	};
	responder_send(request->responder, &response, SLICE_NONE);
}

/* HTTP/1.1 wants exactly one Host (RFC 9112 section 3.2), 1.0 may have none. */
static bool has_host(const struct head *head)
{
	struct slice host;
	size_t count;
	bool has_one = head_get(head, "Host", &host, &count);
	return (has_one && host.len) || (count == 0 && head->minor == 0);
}

static bool has_known_expectation(const struct head *head)
{
	struct slice expectation;
	size_t count;
	bool has_one = head_get(head, "Expect", &expectation, &count);
	return count == 0 || (has_one && head_is_same_word(expectation, SLICE_LITERAL("100-continue")));
}

/* False: answered. */
static bool judge(const struct api_request *request, const struct route *route)
{
	const struct head *head = request->head;
	struct cors cors = request->api->cors;
	cors.is_tls = request->responder->is_tls;
	switch (cors_judge(&cors, head, &request->responder->origin)) {
	case CORS_REFUSED:
		request->responder->origin = SLICE_NONE;
		api_refuse(request, 403, "origin_not_allowed", "this Origin may not connect; see cors.origins");
		return false;
	case CORS_NO_ORIGIN:
	case CORS_ALLOWED:
		break;
	}
	if (!has_host(head))
		api_refuse(request, 400, "bad_request", "exactly one Host is needed");
	else if (request->api->is_draining)
		api_refuse(request, 503, "draining", "this node is draining; ask another");
	else if (slice_is(head->method, "OPTIONS"))
		tell_options(request, route);
	else if (!is_method(route, head->method))
		refuse_method(request, route);
	else if (!has_known_expectation(head))
		api_refuse(request, 417, "expectation_failed", "the only Expect here is 100-continue");
	else
		return true;
	return false;
}

struct call *api_open(const struct api *api, const struct head *head, const struct body *body, struct responder *responder)
{
	const struct route *route = find(head->path);
	struct api_request request = {.api = api, .head = head, .body = body, .responder = responder};
	responder->is_head_only = slice_is(head->method, "HEAD");
	responder->origin = SLICE_NONE;
	if (!route)
		return api_refuse(&request, 404, "not_found", "no such path");
	if (!judge(&request, route))
		return NULL;
	const char *why = NULL;
	char *storage = malloc(head->query.len + 1);
	struct call *call = NULL;
	if (!storage)
		api_refuse(&request, 500, "internal", "the gateway is out of memory");
	else if (query_read(head->query, storage, &request.query, &why) != OK)
		api_refuse(&request, 400, "bad_request", why);
	else
		call = route->open(&request);
	free(storage);
	return call;
}

#include <stdlib.h>
#include <string.h>

#include "gateway/auth/access.h"
#include "gateway/http/entry.h"
#include "gateway/http/handlers.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/response.h"
#include "gateway/session/relief.h"

static const struct route {
	const char *path;
	const char *method; /* the one it knows; GET means HEAD too */
	const char *allow;
	unsigned needed;    /* of enum grant_op */
	bool is_session;    /* its call is a session, which knows by itself what its client may and for how long */
	struct call *(*open)(const struct api_request *request);
} routes[] = {
	{"/v1/events", "GET", "GET, HEAD, OPTIONS", GRANT_SUBSCRIBE, true, events_open},
	{"/v1/history", "GET", "GET, HEAD, OPTIONS", GRANT_HISTORY, false, history_open},
	{"/v1/sessions", "GET", "GET, HEAD, OPTIONS", GRANT_HISTORY, false, sessions_open},
	{"/v1/state", "GET", "GET, HEAD, OPTIONS", GRANT_STATE, false, state_open},
	{"/v1/publish", "POST", "POST, OPTIONS", GRANT_PUBLISH, false, publish_open},
};

/* What was begun for a client ends with its credential. */
static void end_call(struct bearer *bearer, enum close_cause cause, const char *reason)
{
	struct responder *responder = LIST_ENTRY(bearer, struct call, bearer)->responder;
	(void)reason; /* there is no way left to say it */
	responder->ops->cut(responder, close_reason(cause));
}

static const struct bearer_ops call_bearer_ops = {.end = end_call};

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

static void refuse_op(const struct api_request *request)
{
	const struct refusal refusal = {
		.status = 403,
		.code = "not_allowed",
		.message = "your credential does not grant this",
		.challenge = ENTRY_NOT_GRANTED,
	};
	responder_refuse(request->responder, &refusal);
}

/* False: answered. */
static bool judge(const struct api_request *request, const struct route *route)
{
	const struct head *head = request->head;
	if (slice_is(head->method, "OPTIONS"))
		tell_options(request, route);
	else if (!is_method(route, head->method))
		refuse_method(request, route);
	else if (!has_known_expectation(head))
		api_refuse(request, 417, "expectation_failed", "the only Expect here is 100-continue");
	else if (!access_may(request->grants, (enum grant_op)route->needed))
		refuse_op(request);
	else
		return true;
	return false;
}

static struct call *open_call(struct api_request *request, const struct route *route)
{
	const char *why = NULL;
	char *storage = malloc(request->head->query.len + 1);
	struct call *call = NULL;
	if (!storage)
		api_refuse(request, 500, "internal", "the gateway is out of memory");
	else if (query_read(request->head->query, storage, &request->query, &why) != OK)
		api_refuse(request, 400, "bad_request", why);
	else
		call = route->open(request);
	free(storage);
	if (call && !route->is_session)
		bearer_open(&call->bearer, request->api->exchange, &call_bearer_ops, request->grants, 0);
	return call;
}

void api_meet(const struct api *api, const struct head *head, struct responder *responder)
{
	responder->origin = cors_reader(&api->cors, responder->is_tls, head);
}

struct call *api_open(const struct api *api, const struct head *head, const struct body *body, struct responder *responder)
{
	const struct route *route = find(head->path);
	struct cors cors = api->cors;
	const struct entry_policy policy = {
		.cors = &cors,
		.is_draining = api->is_draining,
		.retry_after_s = api->retry_after_s,
		.auth = api->auth,
		.is_over_memory = exchange_is_over_memory(api->exchange),
		.connections = api->connections,
		.admission = responder->admission,
		.exchange = api->exchange,
	};
	struct api_request request = {.api = api, .head = head, .body = body, .responder = responder};
	struct entry entry;
	struct refusal refusal;
	cors.is_tls = responder->is_tls;
	responder->is_head_only = slice_is(head->method, "HEAD");
	responder->coding = !api->gzips ? RESPONDER_CODING_NONE
					: negotiate_gzip(head) ? RESPONDER_CODING_GZIP : RESPONDER_CODING_IDENTITY;
	if (!route)
		return api_refuse(&request, 404, "not_found", "no such path");
	if (!entry_judge(head, &policy, &entry, &refusal)) {
		responder_refuse(responder, &refusal);
		return NULL;
	}
	request.grants = entry.grants;
	struct call *call = NULL;
	if (!has_host(head))
		api_refuse(&request, 400, "bad_request", "exactly one Host is needed");
	else if (judge(&request, route))
		call = open_call(&request, route);
	grants_unref(entry.grants);
	return call;
}

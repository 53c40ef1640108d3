/* GET /v1/events: Server-Sent Events. The call is the port of a session whose front writes events as the stream has them; it asks
 * for the one subscription in the client's name and turns the reply into the head of the answer. What heals by itself
 * (Redis is away, the log is not known yet) is asked again on the open stream, because an EventSource gives up for good at any
 * status but 200. */
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/codec/sse.h"
#include "gateway/http/events_request.h"
#include "gateway/http/handlers.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/response.h"
#include "gateway/session/alarms.h"
#include "gateway/session/session.h"

#define RETRY "retry: 2000\n\n" /* ms that an EventSource waits before it reconnects */

struct events_call {
	struct call call;
	struct port port;
	struct session *session;
	struct exchange *exchange;
	struct buf request; /* the subscribe */
	struct alarm again; /* asks it once more */
	bool has_begun, has_ended;
	unsigned retry_after_s;
};

static struct events_call *events_of(const struct port *port)
{
	return (struct events_call *)((uintptr_t)port - offsetof(struct events_call, port));
}

static bool is_clear(const struct port *port)
{
	const struct events_call *events = events_of(port);
	return !events->has_ended && events->call.responder->ops->is_clear(events->call.responder);
}

static void end(struct events_call *events)
{
	if (!events->has_ended)
		events->call.responder->ops->finish(events->call.responder);
	events->has_ended = true;
}

static enum port_result write(struct events_call *events, struct slice bytes)
{
	static const enum port_result results[] = {
		[RESPONDER_SENT] = PORT_SENT,
		[RESPONDER_BUFFERED] = PORT_BUFFERED,
		[RESPONDER_DEAD] = PORT_DEAD,
	};
	return results[events->call.responder->ops->write(events->call.responder, bytes)];
}

/* The head, and in front of all the time to wait before reconnecting. */
static enum port_result begin_with(struct events_call *events, struct slice bytes)
{
	const struct response response = {
		.status = 200,
		.content_type = RESPONSE_EVENTS,
		.length = RESPONSE_STREAMED,
		.is_live = true,
	};
	struct buf first;
	events->has_begun = true;
	events->call.responder->ops->begin(events->call.responder, &response);
	if (events->call.responder->is_head_only) {
		end(events);
		return PORT_DEAD;
	}
	buf_init(&first);
	buf_append_text(&first, RETRY);
	buf_append_slice(&first, bytes);
	enum port_result result = PORT_DEAD;
	if (buf_has_failed(&first))
		end(events);
	else
		result = write(events, buf_slice(&first));
	buf_fini(&first);
	return result;
}

static enum port_result send_bytes(struct port *port, struct slice bytes)
{
	struct events_call *events = events_of(port);
	if (events->has_ended)
		return PORT_DEAD;
	return events->has_begun ? write(events, bytes) : begin_with(events, bytes);
}

static void refuse(struct events_call *events, unsigned status, const char *code, const char *message)
{
	const struct refusal refusal = {
		.status = status,
		.code = code,
		.message = message,
		.retry_after_s = status == 503 ? events->retry_after_s : 0,
	};
	events->has_ended = true;
	responder_refuse(events->call.responder, &refusal);
}

/* Bytes are always whole messages, so the stream ends between two. Somebody who is gone takes no end either. */
static void close_stream(struct port *port, uint16_t code, const char *reason)
{
	struct events_call *events = events_of(port);
	alarm_stop(&events->again);
	if (events->has_ended)
		return;
	if (events->has_begun && code == close_code(CLOSE_STALE)) {
		events->has_ended = true;
		events->call.responder->ops->cut(events->call.responder, "the client acknowledges nothing");
	} else if (events->has_begun) {
		end(events);
	} else if (code == close_code(CLOSE_DRAINING)) {
		refuse(events, 503, "draining", reason);
	} else if (code == close_code(CLOSE_EXPIRED)) {
		refuse(events, 401, "bad_credentials", reason);
	} else if (code == close_code(CLOSE_DISCONNECTED)) {
		refuse(events, 403, "not_allowed", reason);
	} else {
		refuse(events, 500, "internal", reason);
	}
}

static struct port_delivery delivery(const struct port *port)
{
	const struct responder *responder = events_of(port)->call.responder;
	return responder->ops->delivery ? responder->ops->delivery(responder) : (struct port_delivery){0};
}

/* The place where the subscription begins: with it a client that hears nothing before it is cut off resumes too. */
static void on_subscribed(struct events_call *events, const struct value *ok)
{
	const struct value *cursor = value_get(ok, "cursor");
	struct buf out;
	buf_init(&out);
	if (cursor && cursor->kind == VALUE_STRING)
		sse_cursor(&out, cursor->text);
	if (is_clear(&events->port) && (out.len || !events->has_begun))
		send_bytes(&events->port, buf_slice(&out));
	buf_fini(&out);
}

static void ask_later(struct events_call *events, uint64_t wait_ms)
{
	exchange_set_alarm(events->exchange, &events->again, wait_ms * NS_PER_MS);
	if (!events->has_begun)
		send_bytes(&events->port, SLICE_LITERAL(SSE_COMMENT));
}

static void on_refused(struct events_call *events, const struct value *error)
{
	const struct value *code = value_get(error, "code"), *message = value_get(error, "message");
	const struct value *wait = value_get(error, "retryAfterMs");
	if (wait && wait->kind == VALUE_UINT)
		ask_later(events, wait->uint);
	else if (events->has_begun)
		end(events);
	else if (slice_is(code->text, "internal"))
		refuse(events, 500, "internal", "the gateway is out of memory");
	else
		/* Codes and messages are NUL-terminated texts of the gateway. */
		refuse(events, slice_is(code->text, "not_allowed") ? 403 : 400, code->text.ptr, message->text.ptr);
}

static void on_answered(struct port *port, const struct value *message)
{
	struct events_call *events = events_of(port);
	const struct value *ok = value_get(message, "ok"), *error = value_get(message, "error");
	if (events->has_ended)
		return;
	if (ok)
		on_subscribed(events, ok);
	else if (error)
		on_refused(events, error);
}

static const struct port_ops events_port_ops = {
	.is_clear = is_clear,
	.send = send_bytes,
	.close = close_stream,
	.delivery = delivery,
	.answered = on_answered,
};

static void on_again(struct alarm *alarm)
{
	struct events_call *events = LIST_ENTRY(alarm, struct events_call, again);
	session_message(events->session, buf_slice(&events->request));
}

static void go_on(struct call *call)
{
	struct events_call *events = (struct events_call *)call;
	if (is_clear(&events->port))
		session_writable(events->session);
}

static void free_call(struct call *call)
{
	struct events_call *events = (struct events_call *)call;
	events->has_ended = true;
	alarm_stop(&events->again);
	if (events->session)
		session_closed(events->session);
	buf_fini(&events->request);
	free(events);
}

static const struct call_ops events_ops = {.go_on = go_on, .free = free_call};

struct call *events_open(const struct api_request *request)
{
	static const char *const offers[] = {RESPONSE_EVENTS};
	if (negotiate_accept(request->head, offers, 1) < 0)
		return api_refuse(request, 406, "not_acceptable", "this path gives text/event-stream");
	struct events_call *events = calloc(1, sizeof *events);
	if (!events)
		return api_refuse(request, 500, "internal", "the gateway is out of memory");
	events->call = (struct call){.ops = &events_ops, .responder = request->responder, .is_endless = true};
	events->port.ops = &events_port_ops;
	events->exchange = request->api->exchange;
	events->retry_after_s = request->api->retry_after_s;
	alarm_init(&events->again, on_again);
	buf_init(&events->request);
	if (!events_request_write(request, &events->request)) {
		free_call(&events->call);
		return NULL;
	}
	events->session = session_open(events->exchange, &front_sse, &events->port, request->grants);
	if (!events->session) {
		free_call(&events->call);
		return api_refuse(request, 500, "internal", "the gateway is out of memory");
	}
	events->call.session = events->session;
	session_message(events->session, buf_slice(&events->request));
	return &events->call;
}

#define _GNU_SOURCE
#include "gateway/wire/http_connection.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "gateway/metrics/metrics.h"
#include "gateway/wire/connection_log.h"
#include "gateway/wire/http_inside.h"

#define ROOM "wire"

void http_enter(struct http_connection *connection, enum http_phase phase)
{
	if (phase > connection->phase)
		connection->phase = phase;
	http_wake(connection);
}

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* Of the stream of events that it carries. NULL: it carries none, or that was refused. */
static const struct session *session_of(const struct http_connection *connection)
{
	return connection->call && connection->status < 400 ? connection->call->session : NULL;
}

/* Lets go of everything but the descriptor, the admission and in, which the caller passes on or drops first. */
static void forget(struct http_connection *connection)
{
	connection_log_closed(session_of(connection), &connection->admission.client);
	if (connection->call)
		connection->call->ops->free(connection->call);
	deadline_stop(&connection->stall);
	list_remove(&connection->woken.link);
	list_remove(&connection->link);
	connection->owner->count--;
	metric_gauge_add(METRIC_HTTP_REQUESTS, -1);
	buf_fini(&connection->request);
	buf_fini(&connection->in);
	buf_fini(&connection->out);
	*connection->owner->stirred = true;
	if (connection->has_poll)
		uv_close((uv_handle_t *)&connection->poll, on_poll_closed);
	else
		free(connection);
}

static void end(struct http_connection *connection)
{
	int fd = connection->fd;
	enum http_phase phase = connection->phase;
	bool is_chunked = connection->is_chunked;
	struct farewell *farewell = connection->owner->farewell;
	const struct tls_relays *relays = connection->owner->relays;
	connections_release(connection->owner->connections, &connection->admission);
	forget(connection);
	if (phase == HTTP_DEAD)
		close(fd);
	else if (phase == HTTP_CUT && !is_chunked)
		tls_relays_reset(relays, fd); /* where the end of the answer is that of the connection, only this says that it came too early */
	else
		farewell_take(farewell, fd, SLICE_NONE);
}

/* Back to the greeter, with what is there of the next request. */
static void give_back(struct http_connection *connection)
{
	struct greeter *greeter = connection->owner->greeter;
	int fd = connection->fd;
	struct admission admission = connection->admission;
	struct buf rest = connection->in;
	buf_init(&connection->in);
	forget(connection);
	greeter_resume(greeter, fd, &admission, &rest);
}

static void complete(struct http_connection *connection)
{
	bool has_rest = !body_is_over(&connection->body);
	if (connection->status < 400)
		log_debug(ROOM, "answered", log_int("status", connection->status), log_ip("address", &connection->admission.client));
	if (has_rest || connection->form.closes || connection->is_at_end || connection->owner->api.is_draining)
		end(connection);
	else
		give_back(connection);
}

/* What a connection does when something happened to it. It may be gone afterwards. */
static void go_on(struct http_connection *connection)
{
	*connection->owner->stirred = true;
	if (connection->is_blocked)
		http_flush(connection);
	if (connection->phase == HTTP_ANSWERING && !connection->is_blocked && connection->is_due && connection->call) {
		connection->is_due = false;
		connection->call->ops->go_on(connection->call);
	}
	http_read_body(connection);
	if (connection->phase == HTTP_FINISHED && !connection->is_blocked)
		complete(connection);
	else if (connection->phase == HTTP_CUT || connection->phase == HTTP_DEAD)
		end(connection);
	else
		http_watch(connection);
}

void http_wake(struct http_connection *connection)
{
	wakes_add(&connection->owner->wakes, &connection->woken);
}

static void on_woken(struct wake *wake)
{
	go_on(LIST_ENTRY(wake, struct http_connection, woken));
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct http_connection *connection = poll->data;
	if (status < 0 || events & UV_DISCONNECT)
		http_enter(connection, HTTP_DEAD);
	else if (events & UV_READABLE)
		http_hear(connection);
	go_on(connection);
}

static void set_deadline(struct http_connection *connection, bool is_owed)
{
	if (!is_owed)
		deadline_stop(&connection->stall);
	else if (!deadline_is_set(&connection->stall))
		deadlines_start(&connection->owner->stalls, &connection->stall);
}

void http_watch(struct http_connection *connection)
{
	bool reads = http_wants_input(connection) && connection->in.len < HTTP_READ_BYTES;
	bool is_endless = connection->call && connection->call->is_endless && connection->phase == HTTP_ANSWERING;
	int events = (reads ? UV_READABLE : 0) | (connection->is_blocked ? UV_WRITABLE : 0) | (is_endless ? UV_DISCONNECT : 0);
	set_deadline(connection, reads || connection->is_blocked);
	if (events == connection->events)
		return;
	if (!connection->has_poll && uv_poll_init_socket(connection->owner->loop, &connection->poll, connection->fd) != 0) {
		http_enter(connection, HTTP_DEAD);
		return;
	}
	connection->has_poll = true;
	connection->poll.data = connection;
	connection->events = events;
	if (events)
		uv_poll_start(&connection->poll, events, on_poll);
	else
		uv_poll_stop(&connection->poll);
}

/* The client owes bytes of its body, or has taken nothing of its answer, for too long. */
static void on_stalled(struct deadline *deadline)
{
	struct http_connection *connection = LIST_ENTRY(deadline, struct http_connection, stall);
	const struct refusal late = {
		.status = 408,
		.code = "request_timeout",
		.message = "the body did not come in time",
	};
	metric_add(METRIC_HTTP_STALLED, 1);
	log_debug(ROOM, "a client of the HTTP API stalls", log_int("status", connection->status),
		  log_ip("address", &connection->admission.client));
	if (!connection->status)
		responder_refuse(&connection->responder, &late);
	else
		http_enter(connection, HTTP_CUT);
}

void http_connections_init(struct http_connections *connections, uv_loop_t *loop, const struct http_settings *settings)
{
	*connections = (struct http_connections){
		.loop = loop,
		.api = settings->api,
		.connections = settings->connections,
		.farewell = settings->farewell,
		.greeter = settings->greeter,
		.relays = settings->relays,
		.stirred = settings->stirred,
	};
	list_init(&connections->open);
	wakes_init(&connections->wakes, loop, on_woken);
	deadlines_init(&connections->stalls, loop, settings->timeout_ns, on_stalled);
}

void http_connections_drain(struct http_connections *connections)
{
	connections->api.is_draining = true;
}

void http_connections_close(struct http_connections *connections)
{
	LIST_FOREACH(&connections->open, at, following) {
		struct http_connection *connection = LIST_ENTRY(at, struct http_connection, link);
		http_enter(connection, HTTP_CUT);
		end(connection);
	}
	wakes_close(&connections->wakes);
	deadlines_close(&connections->stalls);
}

static struct http_connection *prepare(struct http_connections *owner, struct greeted_request *request)
{
	struct http_connection *connection = calloc(1, sizeof *connection);
	if (!connection)
		return NULL;
	connection->responder.ops = &http_responder_ops;
	connection->responder.admission = &connection->admission;
	connection->responder.is_tls = tls_relays_have(owner->relays, request->fd);
	connection->owner = owner;
	connection->fd = request->fd;
	connection->admission = request->admission;
	connection->request = request->bytes;
	buf_init(&connection->in);
	buf_init(&connection->out);
	const struct head *head = request->head;
	buf_append(&connection->in, request->bytes.bytes + head->len, request->bytes.len - head->len);
	connection->form.minor = head->minor;
	connection->form.closes = head->minor < 1 || head_lists(head, "Connection", "close");
	connection->expects_continue = head->minor >= 1 && head_lists(head, "Expect", "100-continue");
	list_init(&connection->woken.link);
	list_append(&owner->open, &connection->link);
	owner->count++;
	metric_gauge_add(METRIC_HTTP_REQUESTS, 1);
	return connection;
}

static void open_call(struct http_connection *connection, const struct head *head)
{
	struct refusal refusal;
	api_meet(&connection->owner->api, head, &connection->responder);
	if (!body_open(&connection->body, head, &refusal)) {
		connection->form.closes = true;
		responder_refuse(&connection->responder, &refusal);
		return;
	}
	/* Only what is posted is read; a body of any other request stands in the way of the next one. */
	if (!body_is_over(&connection->body) && !slice_is(head->method, "POST"))
		connection->form.closes = true;
	connection->call = api_open(&connection->owner->api, head, &connection->body, &connection->responder);
	connection->has_body_end = !connection->call || !connection->call->ops->body;
	connection_log_opened(session_of(connection), &connection->admission.client);
}

void http_connections_take(struct http_connections *connections, struct greeted_request *request)
{
	struct http_connection *connection = prepare(connections, request);
	if (!connection) {
		buf_fini(&request->bytes);
		connections_release(connections->connections, &request->admission);
		close(request->fd);
		return;
	}
	*connections->stirred = true;
	open_call(connection, request->head);
	/* Goes on from the loop, not from here: a client that sends many requests at once would go deeper with each. */
	if (buf_has_failed(&connection->in))
		http_enter(connection, HTTP_DEAD);
	http_wake(connection);
}

#include "gateway/wire/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/base/clock.h"
#include "gateway/wire/arrival.h"
#include "gateway/wire/greeter.h"
#include "gateway/wire/farewell.h"
#include "gateway/wire/http2.h"
#include "gateway/wire/http_connection.h"
#include "gateway/wire/listener.h"
#include "gateway/wire/tls_relay.h"
#include "gateway/wire/websocket.h"

/* A loop with nothing to do turns this often, so that others can see that it is not stuck. */
#define IDLE_TURN_MS 500
#define TLS_LOOK_MS 1000 /* how often connections are held against new revocation lists */
#define HTTP_RETRY_AFTER_S 2

struct server {
	uv_loop_t loop;
	uv_async_t wake;
	uv_prepare_t prepare; /* makes the turn: once an iteration, behind all that was read in the one before */
	uv_timer_t due;
	uint64_t armed_ms; /* when it fires, while it is active */
	uv_idle_t again; /* runs while the next turn is due already, so that the loop does not sleep */
	bool stirred;    /* something happened since the last turn */
	bool is_stopping;

	struct exchange *exchange;
	server_turn *turn;
	void *context;

	struct listener *listeners;
	size_t listener_count;
	struct arrivals arrivals, tls_arrivals;
	struct tls_relays relays;
	uv_timer_t look;
	struct greeter greeter;
	struct farewell farewell;
	struct websockets websockets;
	struct http_connections http;
	struct http2_connections http2;
};

static void on_wake(uv_async_t *wake)
{
	((struct server *)wake->data)->stirred = true;
}

static void on_due(uv_timer_t *due)
{
	((struct server *)due->data)->stirred = true;
}

static void on_again(uv_idle_t *again)
{
	(void)again;
}

/* Sets the timer only when it would fire too late: one that fires too early costs a turn in which nothing is due, setting it
 * in each turn costs more. uv_now() is the time of clock_mono_ns() in whole milliseconds, as of the last poll. */
static void arm(struct server *server, uint64_t due_ns)
{
	if (due_ns <= clock_mono_ns()) {
		server->stirred = true;
		uv_idle_start(&server->again, on_again);
		return;
	}
	uv_idle_stop(&server->again);
	uint64_t now_ms = uv_now(&server->loop), due_ms = (due_ns - 1) / NS_PER_MS + 1;
	if (due_ms > now_ms + IDLE_TURN_MS)
		due_ms = now_ms + IDLE_TURN_MS;
	if (uv_is_active((uv_handle_t *)&server->due) && server->armed_ms <= due_ms)
		return;
	server->armed_ms = due_ms;
	uv_timer_start(&server->due, on_due, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct server *server = prepare->data;
	if (!server->stirred || server->is_stopping)
		return;
	server->stirred = false;
	server->turn(server->context);
	if (!server->is_stopping)
		arm(server, exchange_end_turn(server->exchange));
}

static void on_accepted(void *context, int fd, const struct sockaddr *peer)
{
	struct server *server = context;
	arrivals_accept(&server->arrivals, fd, peer);
}

static void on_arrived(void *context, int fd, const struct admission *admission, uint64_t head_due_ns)
{
	struct server *server = context;
	greeter_accept(&server->greeter, fd, admission, head_due_ns);
}

static void on_accepted_for_tls(void *context, int fd, const struct sockaddr *peer)
{
	struct server *server = context;
	arrivals_accept(&server->tls_arrivals, fd, peer);
}

static void on_arrived_for_tls(void *context, int fd, const struct admission *admission, uint64_t head_due_ns)
{
	struct server *server = context;
	tls_relays_accept(&server->relays, fd, admission, head_due_ns);
}

static void on_look(uv_timer_t *look)
{
	struct server *server = look->data;
	tls_relays_look(&server->relays);
}

static void on_upgraded(void *context, const struct handshake *handshake)
{
	struct server *server = context;
	websockets_adopt(&server->websockets, handshake);
}

static void on_requested(void *context, struct greeted_request *request)
{
	struct server *server = context;
	http_connections_take(&server->http, request);
}

static void on_prefaced(void *context, struct greeted_request *request)
{
	struct server *server = context;
	http2_connections_take(&server->http2, request);
}

static enum err open_listeners(struct server *server, const struct server_settings *settings, char why[256])
{
	server->listeners = calloc(settings->listen_count ? settings->listen_count : 1, sizeof *server->listeners);
	if (!server->listeners) {
		snprintf(why, 256, "%s", err_name(ERR_NOMEM));
		return ERR_NOMEM;
	}
	for (size_t i = 0; i < settings->listen_count; i++) {
		listener_accepted *accepted = settings->tls_keys && i >= settings->tls_from ? on_accepted_for_tls : on_accepted;
		enum err error = listener_open(&server->listeners[i], &server->loop, settings->listen[i],
					       settings->joins_listeners, accepted, server, why);
		if (error != OK)
			return error;
		server->listener_count++;
	}
	return OK;
}

static void open_handles(struct server *server)
{
	uv_async_init(&server->loop, &server->wake, on_wake);
	uv_prepare_init(&server->loop, &server->prepare);
	uv_timer_init(&server->loop, &server->due);
	uv_idle_init(&server->loop, &server->again);
	server->wake.data = server->prepare.data = server->due.data = server->again.data = server;
	uv_prepare_start(&server->prepare, on_prepare);
	server->stirred = true;
}

static void open_arrivals(struct server *server, const struct server_settings *settings)
{
	struct arrivals_settings arrivals = {
		.connections = settings->connections,
		.proxies = settings->proxies,
		.timeout_ns = settings->handshake_timeout_ns,
	};
	arrivals_init(&server->arrivals, &server->loop, &arrivals, &server->farewell, on_arrived, server);
	arrivals.speaks_tls = true;
	arrivals_init(&server->tls_arrivals, &server->loop, &arrivals, &server->farewell, on_arrived_for_tls, server);
}

static void open_relays(struct server *server, const struct server_settings *settings)
{
	struct tls_relays_settings relays = {
		.keys = settings->tls_keys,
		.connections = settings->connections,
		.farewell = &server->farewell,
		.opened = on_arrived,
		.context = server,
	};
	tls_relays_init(&server->relays, &server->loop, &relays);
	uv_timer_init(&server->loop, &server->look);
	server->look.data = server;
	if (settings->tls_keys)
		uv_timer_start(&server->look, on_look, 0, TLS_LOOK_MS);
}

static void open_greeter(struct server *server, const struct server_settings *settings)
{
	struct greeter_settings greeter = {
		.cors = {.origins = settings->origins, .origin_count = settings->origin_count},
		.auth = settings->auth,
		.relays = &server->relays,
		.deflates = settings->deflates,
		.header_bytes_max = settings->header_bytes_max,
		.timeout_ns = settings->handshake_timeout_ns,
		.connections = settings->connections,
		.proxies = settings->proxies,
		.exchange = server->exchange,
	};
	greeter_init(&server->greeter, &server->loop, &greeter, &server->farewell, on_upgraded, on_requested,
		     server);
}

static void open_http(struct server *server, const struct server_settings *settings)
{
	struct http_settings http = {
		.api =
			{
				.exchange = server->exchange,
				.cors = {.origins = settings->origins, .origin_count = settings->origin_count},
				.auth = settings->auth,
				.connections = settings->connections,
				.message_bytes_max = settings->message_bytes_max,
				.gzips = settings->gzips,
				.retry_after_s = HTTP_RETRY_AFTER_S,
			},
		.connections = settings->connections,
		.farewell = &server->farewell,
		.greeter = &server->greeter,
		.relays = &server->relays,
		.timeout_ns = settings->http_timeout_ns,
		.stirred = &server->stirred,
	};
	http_connections_init(&server->http, &server->loop, &http);
}

static void open_http2(struct server *server, const struct server_settings *settings)
{
	struct http2_settings http2 = {
		.api = &server->http.api,
		.connections = settings->connections,
		.proxies = settings->proxies,
		.farewell = &server->farewell,
		.relays = &server->relays,
		.header_bytes_max = settings->header_bytes_max,
		.idle_timeout_ns = settings->handshake_timeout_ns,
		.stall_timeout_ns = settings->http_timeout_ns,
		.stirred = &server->stirred,
	};
	http2_connections_init(&server->http2, &server->loop, &http2);
	if (settings->speaks_http2)
		server->greeter.prefaced = on_prefaced;
}

static enum err open_websockets(struct server *server, const struct server_settings *settings, char why[256])
{
	struct websockets_settings websockets = {
		.exchange = server->exchange,
		.connections = settings->connections,
		.farewell = &server->farewell,
		.relays = &server->relays,
		.message_bytes_max = settings->message_bytes_max,
		.close_timeout_ns = settings->close_timeout_ns,
		.stirred = &server->stirred,
	};
	enum err error = websockets_open(&server->websockets, &server->loop, &websockets);
	if (error != OK)
		snprintf(why, 256,
			 "libwebsockets cannot start: is its libuv plug-in installed (libwebsockets-evlib-uv)?");
	return error;
}

/* Closes all, lets the loop run until nothing is left on it, and frees. */
static void close_all(struct server *server, bool has_websockets)
{
	server_stop_listening(server);
	http_connections_close(&server->http);
	http2_connections_close(&server->http2);
	arrivals_close(&server->arrivals);
	arrivals_close(&server->tls_arrivals);
	tls_relays_close(&server->relays);
	greeter_close(&server->greeter);
	if (has_websockets)
		websockets_close_begin(&server->websockets);
	farewell_close(&server->farewell);
	uv_close((uv_handle_t *)&server->wake, NULL);
	uv_close((uv_handle_t *)&server->prepare, NULL);
	uv_close((uv_handle_t *)&server->due, NULL);
	uv_close((uv_handle_t *)&server->look, NULL);
	uv_close((uv_handle_t *)&server->again, NULL);
	uv_run(&server->loop, UV_RUN_DEFAULT);
	if (has_websockets)
		websockets_close_end(&server->websockets);
}

enum err server_new(const struct server_settings *settings, struct exchange *exchange, server_turn *turn, void *context,
		    struct server **ret_server, char ret_why[256])
{
	struct server *server = calloc(1, sizeof *server);
	if (!server || uv_loop_init(&server->loop) != 0) {
		snprintf(ret_why, 256, "%s", err_name(ERR_NOMEM));
		free(server);
		return ERR_NOMEM;
	}
	server->exchange = exchange;
	server->turn = turn;
	server->context = context;
	open_handles(server);
	farewell_init(&server->farewell, &server->loop);
	open_arrivals(server, settings);
	open_relays(server, settings);
	open_greeter(server, settings);
	open_http(server, settings);
	open_http2(server, settings);
	enum err error = open_websockets(server, settings, ret_why);
	bool has_websockets = error == OK;
	if (error == OK)
		error = open_listeners(server, settings, ret_why);
	if (error != OK) {
		server->is_stopping = true;
		close_all(server, has_websockets);
		server_free(server);
		return error;
	}
	*ret_server = server;
	return OK;
}

uint16_t server_port(const struct server *server, size_t listen_index)
{
	return listen_index < server->listener_count ? server->listeners[listen_index].port : 0;
}

void server_run(struct server *server)
{
	uv_run(&server->loop, UV_RUN_DEFAULT);
	close_all(server, true);
}

void server_close(struct server *server)
{
	server->is_stopping = true;
	close_all(server, true);
}

void server_stop_listening(struct server *server)
{
	greeter_drain(&server->greeter);
	http_connections_drain(&server->http);
	http2_connections_drain(&server->http2);
	for (size_t i = 0; i < server->listener_count; i++) {
		if (!server->is_stopping)
			listener_drain(&server->listeners[i]);
		listener_close(&server->listeners[i]);
	}
}

size_t server_request_count(const struct server *server)
{
	return server->http.count + server->http2.stream_count;
}

void server_stop(struct server *server)
{
	server->is_stopping = true;
	uv_stop(&server->loop);
}

void server_wake(struct server *server)
{
	uv_async_send(&server->wake);
}

void server_free(struct server *server)
{
	if (!server)
		return;
	uv_loop_close(&server->loop);
	free(server->listeners);
	free(server);
}

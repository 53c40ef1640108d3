#include "gateway/worker/admin_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/data/buf.h"
#include "gateway/wire/address.h"
#include "gateway/worker/disconnection.h"

#define HEAD_BYTES_MAX 16384
#define BODY_BYTES_MAX 8192
#define IDLE_SECONDS 15
#define ACCEPT_PAUSE_SECONDS 1
/* Workers come to an order within a turn; a hung one does not hold the answer up for ever. */
#define ORDER_LOOK_US 2000
#define ORDER_LOOKS_MAX 1000

struct admin_server {
	const struct admin *admin;
	struct admin_deeds deeds;
	struct list orders;  /* struct order: not answered yet */
	struct event *look;  /* timer: at those */
	struct evhttp *http;
	struct evconnlistener *listener; /* evhttp's */
	struct event *resume;            /* timer: accept again after a pause */
	uint16_t port;
	struct buf body;
};

/* An operator's order that the workers are at. */
struct order {
	struct list link;
	struct admin_server *server;
	struct evhttp_request *request;
	struct disconnection *disconnection; /* a reference */
	bool is_told;
	unsigned looks;
};

static const struct {
	enum evhttp_cmd_type type;
	const char *name;
} methods[] = {
    {EVHTTP_REQ_GET, "GET"},     {EVHTTP_REQ_HEAD, "HEAD"},     {EVHTTP_REQ_POST, "POST"},
    {EVHTTP_REQ_PUT, "PUT"},     {EVHTTP_REQ_DELETE, "DELETE"}, {EVHTTP_REQ_OPTIONS, "OPTIONS"},
    {EVHTTP_REQ_PATCH, "PATCH"},
};

static struct slice method_name(struct evhttp_request *request)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		if (methods[i].type == evhttp_request_get_command(request))
			return slice_of(methods[i].name);
	}
	return SLICE_LITERAL("?");
}

static struct slice request_path(struct evhttp_request *request)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	return slice_of(path ? path : "");
}

/* Sends what is in the server's body. */
static void reply(struct admin_server *server, struct evhttp_request *request, struct admin_answer answer)
{
	char length[24];
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evhttp_request_get_output_buffer(request);
	/* evhttp sends the body of a HEAD if there is one, and no length. */
	bool has_body = evhttp_request_get_command(request) != EVHTTP_REQ_HEAD;
	if (buf_has_failed(&server->body) ||
	    (has_body && evbuffer_add(body, server->body.bytes, server->body.len) < 0)) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	snprintf(length, sizeof length, "%zu", server->body.len);
	evhttp_add_header(headers, "Content-Length", length);
	evhttp_add_header(headers, "Content-Type", answer.content_type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	if (answer.allow)
		evhttp_add_header(headers, "Allow", answer.allow);
	evhttp_send_reply(request, answer.status, NULL, NULL);
}

static void order_free(struct order *order)
{
	list_remove(&order->link);
	disconnection_unref(order->disconnection);
	free(order);
}

/* Whoever gave the order did not wait for its answer. */
static void on_order_left(struct evhttp_connection *connection, void *argument)
{
	(void)connection;
	order_free(argument);
}

static void look_again(struct admin_server *server)
{
	const struct timeval wait = {.tv_usec = ORDER_LOOK_US};
	if (!list_is_empty(&server->orders))
		event_add(server->look, &wait);
}

static void answer_order(struct order *order)
{
	struct admin_server *server = order->server;
	struct evhttp_request *request = order->request;
	buf_clear(&server->body);
	struct admin_answer answer =
	    admin_answer_order(server->admin, atomic_load(&order->disconnection->ended), order->is_told, &server->body);
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
	order_free(order);
	reply(server, request, answer);
}

static void on_look(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct admin_server *server = argument;
	LIST_FOREACH(&server->orders, at, following)
	{
		struct order *order = LIST_ENTRY(at, struct order, link);
		if (atomic_load(&order->disconnection->waiting) == 0 || ++order->looks > ORDER_LOOKS_MAX)
			answer_order(order);
	}
	look_again(server);
}

/* Takes the order over from here on. False: no memory. */
static bool carry_out(struct admin_server *server, struct evhttp_request *request, const struct disconnect *what)
{
	struct order *order = calloc(1, sizeof *order);
	struct disconnection *disconnection = disconnection_new(what);
	if (!order || !disconnection) {
		free(order);
		disconnection_unref(disconnection);
		return false;
	}
	disconnection_log(what, "an operator disconnects");
	*order = (struct order){.server = server, .request = request, .disconnection = disconnection};
	list_append(&server->orders, &order->link);
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_order_left, order);
	order->is_told = server->deeds.disconnect(server->deeds.context, disconnection);
	look_again(server);
	return true;
}

static void on_order(struct admin_server *server, struct evhttp_request *request)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	struct evbuffer *input = evhttp_request_get_input_buffer(request);
	const char *type = evhttp_find_header(headers, "Content-Type");
	const size_t len = evbuffer_get_length(input);
	const char *bytes = (const char *)evbuffer_pullup(input, -1);
	const struct admin_request asked = {
	    .method = method_name(request),
	    .content_type = slice_of(type ? type : ""),
	    .body = {len ? bytes : "", bytes ? len : 0},
	    .has_length = evhttp_find_header(headers, "Content-Length") || evhttp_find_header(headers, "Transfer-Encoding"),
	};
	struct disconnect what;
	struct admin_answer answer = admin_read_order(&asked, &what, &server->body);
	if (answer.status)
		reply(server, request, answer);
	else if (!carry_out(server, request, &what))
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
}

static void on_request(struct evhttp_request *request, void *argument)
{
	struct admin_server *server = argument;
	buf_clear(&server->body);
	if (slice_is(request_path(request), ADMIN_DISCONNECT))
		on_order(server, request);
	else
		reply(server, request, admin_answer(server->admin, method_name(request), request_path(request), &server->body));
}

/* accept(2) failed, most likely for want of descriptors: the connection stays in the backlog and the socket readable,
 * so trying again at once would spin. */
static void on_accept_error(struct evconnlistener *listener, void *argument)
{
	(void)argument; /* evhttp's own */
	log_warn("admin", "cannot accept, pausing", log_text("cause", strerror(errno)));
	evconnlistener_disable(listener);
}

static void on_resume(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct admin_server *server = argument;
	evconnlistener_enable(server->listener); /* most of the time it is */
}

static enum err set_up(struct admin_server *server, struct event_base *base, int fd)
{
	server->http = evhttp_new(base);
	server->resume = event_new(base, -1, EV_PERSIST, on_resume, server);
	server->look = event_new(base, -1, 0, on_look, server);
	if (!server->http || !server->resume || !server->look)
		return ERR_NOMEM;
	evhttp_set_max_headers_size(server->http, HEAD_BYTES_MAX);
	evhttp_set_max_body_size(server->http, BODY_BYTES_MAX);
	evhttp_set_timeout(server->http, IDLE_SECONDS);
	evhttp_set_default_content_type(server->http, NULL);
	ev_uint16_t allowed = 0;
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		allowed |= (ev_uint16_t)methods[i].type;
	evhttp_set_allowed_methods(server->http, allowed);
	evhttp_set_gencb(server->http, on_request, server);
	struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(server->http, fd);
	if (!bound)
		return ERR_NOMEM;
	server->listener = evhttp_bound_socket_get_listener(bound); /* owns the socket from here on */
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	const struct timeval pause = {.tv_sec = ACCEPT_PAUSE_SECONDS};
	event_add(server->resume, &pause);
	return OK;
}

enum err admin_server_new(struct event_base *base, const char *address, const struct admin *admin,
                          struct admin_deeds deeds, struct admin_server **ret_server, char ret_why[256])
{
	int fd = -1;
	struct admin_server *server = calloc(1, sizeof *server);
	if (!server) {
		snprintf(ret_why, 256, "%s", err_name(ERR_NOMEM));
		return ERR_NOMEM;
	}
	server->admin = admin;
	server->deeds = deeds;
	list_init(&server->orders);
	buf_init(&server->body);
	enum err error = address_listen(slice_of(address), false, &fd, &server->port, ret_why);
	if (error)
		goto fail_server;
	error = set_up(server, base, fd);
	if (error) {
		snprintf(ret_why, 256, "%.180s: %s", address, err_name(error));
		goto fail_socket;
	}
	*ret_server = server;
	return OK;

fail_socket:
	if (!server->listener)
		close(fd);
fail_server:
	admin_server_free(server);
	return error;
}

void admin_server_free(struct admin_server *server)
{
	if (!server)
		return;
	if (server->resume)
		event_free(server->resume);
	if (server->look)
		event_free(server->look);
	LIST_FOREACH(&server->orders, at, following)
	{
		struct order *order = LIST_ENTRY(at, struct order, link);
		evhttp_connection_set_closecb(evhttp_request_get_connection(order->request), NULL, NULL);
		order_free(order);
	}
	if (server->http)
		evhttp_free(server->http);
	buf_fini(&server->body);
	free(server);
}

uint16_t admin_server_port(const struct admin_server *server)
{
	return server->port;
}

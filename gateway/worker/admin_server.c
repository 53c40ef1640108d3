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

#include "common/base/log.h"
#include "common/data/buf.h"
#include "gateway/wire/address.h"

#define HEAD_BYTES_MAX 16384
#define BODY_BYTES_MAX 1024
#define IDLE_SECONDS 15
#define ACCEPT_PAUSE_SECONDS 1

struct admin_server {
	const struct admin *admin;
	struct evhttp *http;
	struct evconnlistener *listener; /* evhttp's */
	struct event *resume;            /* timer: accept again after a pause */
	uint16_t port;
	struct buf body;
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

static void on_request(struct evhttp_request *request, void *argument)
{
	struct admin_server *server = argument;
	char length[24];
	buf_clear(&server->body);
	struct admin_answer answer =
	    admin_answer(server->admin, method_name(request), request_path(request), &server->body);
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
	if (answer.status == 405)
		evhttp_add_header(headers, "Allow", "GET, HEAD");
	evhttp_send_reply(request, answer.status, NULL, NULL);
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
	if (!server->http || !server->resume)
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
                          struct admin_server **ret_server, char ret_why[256])
{
	int fd = -1;
	struct admin_server *server = calloc(1, sizeof *server);
	if (!server) {
		snprintf(ret_why, 256, "%s", err_name(ERR_NOMEM));
		return ERR_NOMEM;
	}
	server->admin = admin;
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
	if (server->http)
		evhttp_free(server->http);
	buf_fini(&server->body);
	free(server);
}

uint16_t admin_server_port(const struct admin_server *server)
{
	return server->port;
}

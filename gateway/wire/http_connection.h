/* A connection while it carries one request of the HTTP API. The greeter has read the head and hands the socket over; the body is
 * read as the call takes it, the answer written as the client takes it, and then the socket goes back to the greeter for the
 * next request, or is closed. So requests on one connection are answered one after the other, pipelined or not. What a client
 * can cost is bounded: HTTP_READ_BYTES of what it sends, and one piece of the answer that it does not take. A client that owes
 * bytes of its body, or takes none of its answer, for the timeout is cut off. Owned by one loop, touched on its thread. */
#ifndef GATEWAY_WIRE_HTTP_CONNECTION_H
#define GATEWAY_WIRE_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/list.h"
#include "common/data/buf.h"
#include "gateway/http/api.h"
#include "gateway/limiter/connections.h"
#include "gateway/wire/deadlines.h"
#include "gateway/wire/farewell.h"
#include "gateway/wire/greeter.h"
#include "gateway/wire/wakes.h"

#define HTTP_READ_BYTES ((size_t)16 * 1024)

struct http_connections {
	uv_loop_t *loop;
	struct api api;
	struct connections *connections;
	struct farewell *farewell;
	const struct tls_relays *relays;
	struct greeter *greeter; /* where sockets go when their answer is whole */
	bool *stirred;           /* set whenever a call may have given the exchange something to do */
	struct list open;
	size_t count;
	struct wakes wakes;
	struct deadlines stalls;
};

struct http_settings {
	struct api api;
	struct connections *connections;
	struct farewell *farewell;
	const struct tls_relays *relays;
	struct greeter *greeter;
	uint64_t timeout_ns;
	bool *stirred;
};

void http_connections_init(struct http_connections *connections, uv_loop_t *loop, const struct http_settings *settings);
/* Answers are ended by closing their connection from now on, and new requests refused. */
void http_connections_drain(struct http_connections *connections);
void http_connections_close(struct http_connections *connections); /* cuts all; its memory is free to go after the loop ran once more */

/* A greeter_requested: takes over what the request holds. */
void http_connections_take(struct http_connections *connections, struct greeted_request *request);

#endif

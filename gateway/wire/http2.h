/* HTTP/2 connections (RFC 9113): requests of the HTTP API, many at once on one connection, so that a browser may have more than six
 * event streams. Frames are nghttp2's business; heads are judged and calls made as for HTTP/1.1 (gateway/http). WebSockets are
 * not offered over it: clients open those with HTTP/1.1, as they do wherever SETTINGS_ENABLE_CONNECT_PROTOCOL is not announced
 * (RFC 8441). What a client can cost is bounded: HTTP2_STREAMS_MAX requests at once, for each HTTP_READ_BYTES of a body and one piece of
 * an answer that it does not take, some frames that wait, and a rate of requests that come to nothing. One that stalls for the timeout loses that request; the head of a first one is due when it was for the
 * greeter, and later one without requests goes when it is idle for the greeter's timeout. Owned by one loop, touched on its thread. */
#ifndef GATEWAY_WIRE_HTTP2_H
#define GATEWAY_WIRE_HTTP2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/list.h"
#include "gateway/http/api.h"
#include "gateway/limiter/connections.h"
#include "gateway/wire/deadlines.h"
#include "gateway/wire/farewell.h"
#include "gateway/wire/greeter.h"
#include "gateway/wire/wakes.h"

#define HTTP2_STREAMS_MAX 100

struct http2_settings {
	const struct api *api; /* shared with HTTP/1.1; it says whether the node drains */
	struct connections *connections;
	struct proxies proxies;
	struct farewell *farewell;
	const struct tls_relays *relays;
	size_t header_bytes_max;
	uint64_t idle_timeout_ns, stall_timeout_ns;
	bool *stirred; /* set whenever a call may have given the exchange something to do */
};

struct http2_connections {
	struct http2_settings settings;
	uv_loop_t *loop;
	struct list open;
	size_t stream_count; /* requests that are being answered, of all */
	struct wakes wakes;
	struct deadlines idles, stalls;
};

void http2_connections_init(struct http2_connections *connections, uv_loop_t *loop, const struct http2_settings *settings);
void http2_connections_drain(struct http2_connections *connections); /* tells clients to send no more requests (GOAWAY) */
void http2_connections_close(struct http2_connections *connections); /* cuts all; its memory is free to go after the loop ran once more */

/* A greeter_requested of a connection that began with the preface: takes over what the request holds. */
void http2_connections_take(struct http2_connections *connections, struct greeted_request *request);

#endif

/* The WebSocket connections of one server: each is adopted by libwebsockets after the greeter accepted it, is the port
 * of one session, and lives until the library has closed its descriptor. This is the only place that knows the
 * library's callbacks. Touched only by the server's thread.
 *
 * The library parses what comes and answers pings. What goes out is written here: straight to the socket while nothing
 * is buffered, else behind the library's buffer, so frames never interleave. While something is buffered nothing is
 * read from that peer: what it could ask for could not be answered, and its close would cut the frame under way. Close
 * frames are ours too, because the library has no code for some violations, and no patience of a chosen length. */
#ifndef GATEWAY_WIRE_WEBSOCKET_H
#define GATEWAY_WIRE_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/err.h"
#include "gateway/limiter/connections.h"
#include "gateway/session/exchange.h"
#include "gateway/wire/compression.h"
#include "gateway/wire/deadlines.h"
#include "gateway/wire/greeter.h"
#include "gateway/wire/farewell.h"

struct lws_context;
struct websocket;

struct websockets {
	struct lws_context *context;
	struct exchange *exchange;
	struct connections *connections;
	struct farewell *farewell;
	const struct tls_relays *relays;
	struct deadlines closings;  /* close frames that wait for their answer */
	struct compression compression;
	struct websocket *adopting; /* between the adoption and the library's first callback for it */
	size_t message_bytes_max;
	bool is_stopping;
	bool *stirred; /* set whenever a session may have something to do: a turn is due */
};

struct websockets_settings {
	struct exchange *exchange;
	struct connections *connections;
	struct farewell *farewell;
	const struct tls_relays *relays;
	size_t message_bytes_max;
	uint64_t close_timeout_ns;
	bool *stirred;
};

/* ERR_UNSUPPORTED: the library could not start (its libuv plug-in is missing). */
enum err websockets_open(struct websockets *websockets, uv_loop_t *loop,
			 const struct websockets_settings *settings) MUST_USE;
/* Takes over the descriptor and the admission, answers 101, opens the session and takes the frames behind the head. */
void websockets_adopt(struct websockets *websockets, const struct handshake *handshake);
/* Two steps as in library.h; begin closes all connections and their sessions with CLOSE_SHUTDOWN. */
void websockets_close_begin(struct websockets *websockets);
void websockets_close_end(struct websockets *websockets);

#endif

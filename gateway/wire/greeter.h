/* The greeter receives each accepted socket before the library sees it: it collects the request head within one total
 * deadline that began when it was accepted, judges it (gateway/http) and hands good handshakes and requests of the HTTP API on; all others are answered and
 * closed. A connection whose request was answered comes back to it for the next. What a stranger
 * can cost is bounded: a small watcher, and memory only for bytes that he sent. Owned by one loop, touched on its
 * thread. */
#ifndef GATEWAY_WIRE_GREETER_H
#define GATEWAY_WIRE_GREETER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/list.h"
#include "common/base/slice.h"
#include "common/data/buf.h"
#include "gateway/http/cors.h"
#include "gateway/http/deflate_offer.h"
#include "gateway/http/forwarded.h"
#include "gateway/limiter/connections.h"
#include "gateway/session/front.h"
#include "gateway/wire/deadlines.h"
#include "gateway/wire/farewell.h"
#include "gateway/wire/tls_relay.h"

struct auth;
struct exchange;
struct grants;
struct head;

/* A good handshake. The receiver owns the descriptor and the admission; the slices live during the
 * call. */
struct handshake {
	int fd;
	struct admission admission;
	const struct front *front;
	struct grants *grants; /* borrowed; NULL: the client has yet to say who it is */
	struct slice key;    /* Sec-WebSocket-Key */
	struct deflate_terms deflate;
	bool names_protocol; /* the client offered the front's subprotocol, so the answer names it */
	struct slice behind; /* what came glued behind the head: the first frames */
};
typedef void greeter_upgraded(void *context, const struct handshake *handshake);

/* A request of the HTTP API. The receiver owns the descriptor, the admission and the bytes; the head lives
 * during the call and points into them. */
struct greeted_request {
	int fd;
	struct admission admission;
	struct buf bytes; /* the head, and what came behind it */
	const struct head *head;
	uint64_t head_due_ns; /* by when, monotonic, the head had to be whole; of HTTP/2 the first request's has to be */
};
typedef void greeter_requested(void *context, struct greeted_request *request);

struct greeter_settings {
	struct cors cors;
	struct auth *auth;
	const struct tls_relays *relays;
	bool deflates; /* permessage-deflate is agreed on with who offers it */
	size_t header_bytes_max;
	uint64_t timeout_ns; /* for the next head on a connection that was answered */
	struct connections *connections;
	struct proxies proxies;
	const struct exchange *exchange; /* whether it takes new work */
};

struct greeter {
	struct greeter_settings settings;
	uv_loop_t *loop;
	struct farewell *farewell;
	greeter_upgraded *upgraded;
	greeter_requested *requested;
	greeter_requested *prefaced; /* of a connection that speaks HTTP/2: there is no head; NULL: they are refused */
	void *context;
	bool is_draining; /* good handshakes are sent elsewhere */
	struct list greetings;
	struct deadlines deadlines;
};

void greeter_init(struct greeter *greeter, uv_loop_t *loop, const struct greeter_settings *settings,
		  struct farewell *farewell, greeter_upgraded *upgraded, greeter_requested *requested, void *context);
/* Owns both from now on. The head must be whole by head_due_ns. */
void greeter_accept(struct greeter *greeter, int fd, const struct admission *admission, uint64_t head_due_ns);
/* A connection that was answered, and what came of its next request (taken over); it is closed, without a word, when none comes in
 * time. Owns the descriptor and the admission from now on. */
void greeter_resume(struct greeter *greeter, int fd, const struct admission *admission, struct buf *bytes);
void greeter_drain(struct greeter *greeter); /* closes connections that wait for another request */
void greeter_close(struct greeter *greeter); /* closes all; its memory is free to go after the loop ran once more */

#endif

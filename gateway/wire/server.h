/* The wire: the only room that sees libwebsockets and libuv. One server per worker thread: a uv loop, a libwebsockets
 * context on it, listening sockets (SO_REUSEPORT), the greeter that reads and judges request heads before the library
 * sees them, and the WebSocket connections that are ports of sessions.
 * All functions are for the thread that runs it, except server_wake(). */
#ifndef GATEWAY_WIRE_SERVER_H
#define GATEWAY_WIRE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "gateway/http/forwarded.h"
#include "gateway/limiter/connections.h"
#include "gateway/session/exchange.h"

struct auth;
struct server;
struct tls_keys;

struct server_settings {
	const struct slice *listen; /* host:port as in the option "listen" */
	size_t listen_count;
	struct tls_keys *tls_keys; /* shared by all workers, its owner looks after it; NULL: no TLS */
	size_t tls_from;           /* addresses of listen from this one on speak TLS */
	bool joins_listeners; /* another server of this process has these ports already; else they must be free */
	struct auth *auth; /* judges credentials; shared by all workers */
	const struct slice *origins;
	size_t origin_count;
	bool gzips;    /* answers of the HTTP API, for who asks for it */
	bool deflates; /* permessage-deflate is agreed on with who offers it */
	size_t header_bytes_max, message_bytes_max;
	uint64_t handshake_timeout_ns, close_timeout_ns;
	bool speaks_http2;
	uint64_t http_timeout_ns; /* how long a client of the HTTP API may stall */
	struct connections *connections; /* shared by all workers */
	struct proxies proxies;          /* whose word about a client counts; its networks are borrowed */
};

/* Called on the server's thread once a turn, before exchange_end_turn(): take the mailbox here. */
typedef void server_turn(void *context);

/* Opens the listening sockets. ERR_IO and a text in ret_why (address in use, cannot resolve, ...) that names the
 * address. For port 0, the port that the first server got is written back by server_port() and given to the others in
 * listen. */
enum err server_new(const struct server_settings *settings, struct exchange *exchange, server_turn *turn, void *context,
		    struct server **ret_server, char ret_why[256]) MUST_USE;
uint16_t server_port(const struct server *server, size_t listen_index);
void server_run(struct server *server);            /* until server_stop() */
void server_stop_listening(struct server *server); /* refuses what is queued or not upgraded yet, with 503 */
size_t server_request_count(const struct server *server); /* requests of the HTTP API that are being answered */
/* Closes what is left and lets server_run() return; from turn() or a callback. */
void server_stop(struct server *server);
void server_wake(struct server *server);  /* any thread: a turn comes soon; many calls may be one turn */
void server_close(struct server *server); /* instead of server_run(), of a server that never ran */
void server_free(struct server *server);  /* after server_run() returned, or server_close() */

#endif

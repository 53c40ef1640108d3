#define _GNU_SOURCE
#include "gateway/wire/websocket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/codec/json.h"
#include "common/codec/wsframe.h"
#include "gateway/auth/grants.h"
#include "gateway/wire/connection_log.h"
#include "gateway/wire/library.h"
#include "gateway/wire/read_hook.h"
#include "gateway/wire/websocket_inside.h"

#define CLOSE_CODE_LAST 4999

/* The library has the connection: from now on its destruction is ours. */
static void on_instantiated(struct lws *wsi)
{
	struct websockets *owner = lws_context_user(lws_get_context(wsi));
	struct websocket *websocket = owner->adopting;
	if (!websocket)
		return;
	owner->adopting = NULL;
	websocket->wsi = wsi;
	lws_set_wsi_user(wsi, websocket);
}

static int on_add_headers(struct websocket *websocket, struct lws_process_html_args *args)
{
	unsigned char *at = (unsigned char *)args->p;
	const char *name = websocket->front->name;
	if (!websocket->names_protocol)
		return 0;
	if (lws_add_http_header_by_name(websocket->wsi, (const unsigned char *)"Sec-WebSocket-Protocol:",
					(const unsigned char *)name, (int)strlen(name), &at, at + args->max_len))
		return -1;
	args->p = (char *)at;
	return 0;
}

static int on_established(struct websocket *websocket)
{
	*websocket->owner->stirred = true;
	websocket->session = session_open(websocket->owner->exchange, websocket->front, &websocket->port, websocket->grants);
	grants_unref(websocket->grants);
	websocket->grants = NULL;
	if (websocket->session) {
		connection_log_opened(websocket->session, &websocket->admission.client);
		return 0;
	}
	websocket_port_ops.close(&websocket->port, close_code(CLOSE_INTERNAL), close_reason(CLOSE_INTERNAL));
	return -1;
}

/* Ends the connection for what the peer did: the close frame, then the socket, without waiting for an answer. */
static int fail(struct websocket *websocket, enum close_cause cause)
{
	websocket->lingers = true;
	session_close(websocket->session, cause);
	return -1;
}

/* Why a message that could not be read ends the connection. */
static enum close_cause cause_of(enum err error)
{
	return error == ERR_LIMIT ? CLOSE_TOO_BIG : error == ERR_INVALID ? CLOSE_NOT_UTF8 : CLOSE_INTERNAL;
}

static int deliver(struct websocket *websocket, struct slice message)
{
	struct websockets *owner = websocket->owner;
	enum err error = OK;
	if (websocket->is_compressed)
		error = compression_read(&owner->compression, message, owner->message_bytes_max, &message);
	if (error == OK && !websocket->front->codec->is_binary && !json_is_utf8(message))
		error = ERR_INVALID;
	if (error == OK)
		session_message(websocket->session, message);
	buf_fini(&websocket->message);
	websocket->empty_pieces = 0;
	return error == OK ? 0 : fail(websocket, cause_of(error));
}

/* The first frame of a message says of the whole of it whether it is compressed (RFC 7692 section 6). */
static void note_compression(struct websocket *websocket)
{
	if (websocket->message.len == 0 && websocket->empty_pieces == 0)
		websocket->is_compressed = lws_get_reserved_bits(websocket->wsi) & WSFRAME_RSV1;
}

/* One callback is a piece of a fragment of a message. */
static int on_receive(struct websocket *websocket, struct slice piece)
{
	struct lws *wsi = websocket->wsi;
	*websocket->owner->stirred = true;
	if (websocket->is_closing || websocket->is_dead)
		return 0;
	if (!lws_frame_is_binary(wsi) != !websocket->front->codec->is_binary)
		return fail(websocket, CLOSE_BINARY);
	note_compression(websocket);
	bool is_final = lws_is_final_fragment(wsi);
	size_t limit = websocket->owner->message_bytes_max;
	size_t bound = websocket->is_compressed ? compression_bound(limit) : limit;
	size_t ahead = lws_remaining_packet_payload(wsi);
	size_t room = bound - websocket->message.len - websocket->empty_pieces;
	if (!piece.len && !is_final)
		room = room ? room - 1 : 0, websocket->empty_pieces++;
	if (piece.len > room || ahead > room - piece.len || (!is_final && !room))
		return fail(websocket, CLOSE_TOO_BIG);
	if (is_final && websocket->message.len == 0)
		return deliver(websocket, piece);
	buf_append_slice(&websocket->message, piece);
	if (buf_has_failed(&websocket->message))
		return fail(websocket, CLOSE_INTERNAL);
	return is_final ? deliver(websocket, buf_slice(&websocket->message)) : 0;
}

static int on_pong(struct websocket *websocket)
{
	if (websocket->session)
		session_pong(websocket->session);
	return 0;
}

static unsigned code_of(struct slice payload)
{
	return payload.len < 2 ? 0 : (unsigned)(unsigned char)payload.ptr[0] << 8 | (unsigned char)payload.ptr[1];
}

/* The library lets a close frame of one byte pass (RFC 6455 section 5.5.1 does not), one whose reason is not UTF-8, and codes that do
 * not exist (section 7.4.2); it has put 1002 in place of a code that nobody may send. Any other is echoed. */
static int on_peer_close(struct websocket *websocket, struct slice payload)
{
	*websocket->owner->stirred = true;
	bool is_utf8 = payload.len < 2 || json_is_utf8((struct slice){payload.ptr + 2, payload.len - 2});
	if (payload.len == 1 || code_of(payload) > CLOSE_CODE_LAST || !is_utf8)
		return fail(websocket, CLOSE_PROTOCOL);
	char frame[4] = {(char)(0x80 | WSFRAME_CLOSE), 0};
	if (payload.len >= 2) {
		frame[1] = 2;
		memcpy(frame + 2, payload.ptr, 2);
	}
	websocket_send_close(websocket, (struct slice){frame, 2 + (size_t)frame[1]});
	return -1;
}

/* A frame that the walk stops at is kept from the library, and ends the connection as soon as what it has begun to say is said. */
static size_t on_read(void *context, const void *bytes, size_t len)
{
	struct websocket *websocket = context;
	websocket->has_read = true;
	size_t good = frame_walk_take(&websocket->walk, bytes, len);
	if (websocket->walk.is_violated && websocket->wsi)
		lws_callback_on_writable(websocket->wsi);
	return good;
}

static int on_writable(struct websocket *websocket)
{
	*websocket->owner->stirred = true;
	if (lws_partial_buffered(websocket->wsi))
		return 0;
	if (websocket->is_paused) {
		websocket->is_paused = false;
		lws_rx_flow_control(websocket->wsi, 1);
	}
	if (websocket->session && !websocket->is_closing && !websocket->is_dead)
		session_writable(websocket->session);
	bool is_violated = websocket->walk.is_violated && !websocket->is_closing && !websocket->is_dead;
	return is_violated && websocket->session ? fail(websocket, CLOSE_PROTOCOL) : 0;
}

/* Why the library is about to end a connection that nobody closed: the close reason that it noted, else whether the
 * peer went by itself. What is left are violations for which it notes nothing: lengths with the top bit set, long
 * control frames. */
static enum close_cause cause_of_end(const struct websocket *websocket)
{
	if (websocket->owner->is_stopping)
		return CLOSE_SHUTDOWN;
	if (lws_get_close_length(websocket->wsi) >= 2)
		return CLOSE_PROTOCOL;
	char byte;
	ssize_t got = recv(websocket->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	bool is_open = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
	return is_open ? CLOSE_PROTOCOL : CLOSE_PEER;
}

/* The library has decided to end the connection and would now send a close frame, or none. The right one goes out here,
 * and the write side is shut so that no second follows. */
static int on_ending(struct websocket *websocket)
{
	*websocket->owner->stirred = true;
	if (!websocket->session || lws_partial_buffered(websocket->wsi))
		return 0;
	if (!websocket->is_closing && !websocket->is_dead) {
		enum close_cause cause = cause_of_end(websocket);
		if (cause != CLOSE_PEER)
			fail(websocket, cause);
	}
	shutdown(websocket->fd, SHUT_WR);
	return 0;
}

static void bid_farewell(struct websocket *websocket)
{
	int fd = fcntl(websocket->fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		farewell_take(websocket->owner->farewell, fd, SLICE_NONE);
}

static int on_closed(struct websocket *websocket)
{
	*websocket->owner->stirred = true;
	deadline_stop(&websocket->closing);
	if (websocket->lingers && !websocket->is_dead && !websocket->owner->is_stopping)
		bid_farewell(websocket);
	websocket->is_dead = true;
	buf_fini(&websocket->message);
	if (websocket->session) {
		connection_log_closed(websocket->session, &websocket->admission.client);
		session_closed(websocket->session);
	}
	websocket->session = NULL;
	return 0;
}

static void destroy(struct websocket *websocket)
{
	deadline_stop(&websocket->closing);
	read_hook_clear(websocket->fd, websocket);
	buf_fini(&websocket->message);
	connections_release(websocket->owner->connections, &websocket->admission);
	grants_unref(websocket->grants);
	free(websocket);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct websocket *websocket = user;
	if (reason == LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED)
		on_instantiated(wsi);
	if (!websocket)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_ADD_HEADERS:
		return on_add_headers(websocket, in);
	case LWS_CALLBACK_ESTABLISHED:
		return on_established(websocket);
	case LWS_CALLBACK_RECEIVE:
		return websocket->session ? on_receive(websocket, (struct slice){in, len}) : -1;
	case LWS_CALLBACK_RECEIVE_PONG:
		return on_pong(websocket);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return websocket->session ? on_peer_close(websocket, (struct slice){in, len}) : -1;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return on_writable(websocket);
	case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
		return on_ending(websocket);
	case LWS_CALLBACK_CLOSED:
		return on_closed(websocket);
	case LWS_CALLBACK_WSI_DESTROY:
		destroy(websocket);
		return 0;
	default:
		return 0;
	}
}

static void on_closing_expired(struct deadline *deadline)
{
	websocket_kill(LIST_ENTRY(deadline, struct websocket, closing));
}

enum err websockets_open(struct websockets *websockets, uv_loop_t *loop, const struct websockets_settings *settings)
{
	*websockets = (struct websockets){
		.exchange = settings->exchange,
		.connections = settings->connections,
		.farewell = settings->farewell,
		.relays = settings->relays,
		.message_bytes_max = settings->message_bytes_max,
		.stirred = settings->stirred,
	};
	compression_init(&websockets->compression);
	websockets->context = library_open(loop, on_event, websockets);
	if (!websockets->context)
		return ERR_UNSUPPORTED;
	deadlines_init(&websockets->closings, loop, settings->close_timeout_ns, on_closing_expired);
	return OK;
}

/* The head as the library gets it. It was judged already; written anew it holds nothing that the library's parser,
 * which has limits and leniencies of its own, could take differently. Of extensions it says what was decided. */
static void write_head(struct buf *out, const struct handshake *handshake)
{
	buf_append_text(out, "GET / HTTP/1.1\r\nHost: tracegate\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
	buf_append_slice(out, handshake->key);
	if (handshake->deflate.server_bits)
		buf_printf(out, "\r\nSec-WebSocket-Extensions: permessage-deflate; %s", handshake->deflate.parameters);
	buf_append_text(out, "\r\n\r\n");
}

static struct websocket *prepare(struct websockets *websockets, const struct handshake *handshake)
{
	struct websocket *websocket = calloc(1, sizeof *websocket);
	if (!websocket)
		return NULL;
	websocket->port.ops = &websocket_port_ops;
	websocket->port.admission = &websocket->admission;
	websocket->owner = websockets;
	websocket->grants = handshake->grants ? grants_ref(handshake->grants) : NULL;
	websocket->front = front_deflated(handshake->front, handshake->deflate.server_bits);
	websocket->walk.is_deflated = handshake->deflate.server_bits > 0;
	websocket->names_protocol = handshake->names_protocol;
	websocket->fd = handshake->fd;
	websocket->has_read = true;
	websocket->admission = handshake->admission;
	return websocket;
}

/* Without a network event the library would leave the frames behind the head lying: with libuv nothing else makes it
 * look at them. */
static void serve_what_is_behind(struct websockets *websockets, int fd)
{
	struct lws_pollfd ready = {.fd = fd, .events = LWS_POLLIN, .revents = LWS_POLLIN};
	lws_service_fd(websockets->context, &ready);
}

void websockets_adopt(struct websockets *websockets, const struct handshake *handshake)
{
	struct websocket *websocket = prepare(websockets, handshake);
	struct buf bytes;
	buf_init(&bytes);
	write_head(&bytes, handshake);
	if (websocket)
		buf_append(&bytes, handshake->behind.ptr, on_read(websocket, handshake->behind.ptr, handshake->behind.len));
	if (!websocket || buf_has_failed(&bytes) || read_hook_set(handshake->fd, on_read, websocket) != OK) {
		struct admission admission = handshake->admission;
		connections_release(websockets->connections, &admission);
		close(handshake->fd);
		if (websocket)
			grants_unref(websocket->grants);
		free(websocket);
		buf_fini(&bytes);
		return;
	}
	websockets->adopting = websocket;
	compression_agree(&websockets->compression, handshake->deflate.parameters);
	struct lws_vhost *vhost = lws_get_vhost_by_name(websockets->context, "default");
	struct lws *wsi = lws_adopt_socket_vhost_readbuf(vhost, handshake->fd, bytes.bytes, bytes.len);
	if (websockets->adopting) { /* refused before it saw the connection; the descriptor is closed */
		websockets->adopting = NULL;
		destroy(websocket);
	} else if (wsi && handshake->behind.len) {
		if (websocket->walk.is_violated)
			lws_callback_on_writable(wsi);
		serve_what_is_behind(websockets, handshake->fd);
	}
	buf_fini(&bytes);
}

void websockets_close_begin(struct websockets *websockets)
{
	websockets->is_stopping = true;
	library_close_begin(websockets->context);
	deadlines_close(&websockets->closings);
}

void websockets_close_end(struct websockets *websockets)
{
	library_close_end(websockets->context);
	read_hook_end();
	compression_fini(&websockets->compression);
}

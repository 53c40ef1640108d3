#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>

#include "common/codec/wsframe.h"
#include "gateway/wire/websocket_inside.h"

static struct websocket *websocket_of(const struct port *port)
{
	return (struct websocket *)((uintptr_t)port - offsetof(struct websocket, port));
}

void websocket_kill(struct websocket *websocket)
{
	websocket->is_dead = true;
	/* Not the synchronous kind, which first waits for what is buffered (libwebsockets 4.1, lib/core-net/
	 * close.c). */
	lws_set_timeout(websocket->wsi, PENDING_TIMEOUT_CLOSE_ACK, LWS_TO_KILL_ASYNC);
	lws_cancel_service(lws_get_context(websocket->wsi));
}

static bool is_clear(const struct port *port)
{
	struct websocket *websocket = websocket_of(port);
	if (websocket->is_closing || websocket->is_dead || websocket->is_paused)
		return false;
	/* By itself the library sends only in answer to what it read, and its memory is one more that is not in the cache. */
	if (websocket->has_read)
		websocket->has_read = lws_partial_buffered(websocket->wsi);
	return !websocket->has_read;
}

/* Gives the rest to the library, which sends it before anything else of its own and then says that it can be
 * written. */
static enum port_result buffer(struct websocket *websocket, struct slice rest)
{
	unsigned char *bytes = (unsigned char *)(uintptr_t)rest.ptr; /* only read, for LWS_WRITE_RAW */
	if (lws_write(websocket->wsi, bytes, rest.len, LWS_WRITE_RAW) < 0) {
		websocket_kill(websocket);
		return PORT_DEAD;
	}
	websocket->is_paused = true;
	lws_rx_flow_control(websocket->wsi, 0);
	lws_callback_on_writable(websocket->wsi);
	return PORT_BUFFERED;
}

/* Only while the library has nothing buffered, else the bytes would overtake it. */
static enum port_result write_now(struct websocket *websocket, struct slice frame)
{
	ssize_t sent = send(websocket->fd, frame.ptr, frame.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent == (ssize_t)frame.len)
		return PORT_SENT;
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		websocket_kill(websocket);
		return PORT_DEAD;
	}
	size_t done = sent < 0 ? 0 : (size_t)sent;
	return buffer(websocket, (struct slice){frame.ptr + done, frame.len - done});
}

static enum port_result send_frame(struct port *port, struct slice frame)
{
	struct websocket *websocket = websocket_of(port);
	if (websocket->is_closing || websocket->is_dead)
		return PORT_DEAD;
	return write_now(websocket, frame);
}

void websocket_send_close(struct websocket *websocket, struct slice frame)
{
	if (websocket->is_closing || websocket->is_dead)
		return;
	websocket->is_closing = true;
	enum port_result result =
		lws_partial_buffered(websocket->wsi) ? buffer(websocket, frame) : write_now(websocket, frame);
	if (result != PORT_DEAD)
		deadlines_start(&websocket->owner->closings, &websocket->closing);
}

static void close_port(struct port *port, uint16_t code, const char *reason)
{
	uint8_t frame[2 + WSFRAME_CONTROL_MAX];
	size_t len = wsframe_close(frame, code, slice_of(reason));
	websocket_send_close(websocket_of(port), (struct slice){(const char *)frame, len});
}

static struct port_delivery delivery(const struct port *port)
{
	const struct websocket *websocket = websocket_of(port);
	return tls_relays_delivery(websocket->owner->relays, websocket->fd);
}

const struct port_ops websocket_port_ops = {
	.is_clear = is_clear,
	.send = send_frame,
	.close = close_port,
	.delivery = delivery,
};

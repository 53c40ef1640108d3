/* One WebSocket connection, for the files of websocket.h only. Owned by the library's connection (its user pointer),
 * freed when that is destroyed; the session goes before. */
#ifndef GATEWAY_WIRE_WEBSOCKET_INSIDE_H
#define GATEWAY_WIRE_WEBSOCKET_INSIDE_H

#include <libwebsockets.h>

#include "common/data/buf.h"
#include "gateway/session/front.h"
#include "gateway/session/port.h"
#include "gateway/session/session.h"
#include "gateway/wire/frame_walk.h"
#include "gateway/wire/websocket.h"

struct websocket {
	/* What every frame looks at stands together, as in a session. */
	struct port port;
	struct lws *wsi;
	int fd;
	bool is_closing; /* our close frame is sent or buffered: nothing may follow it */
	bool is_dead;    /* nothing can be sent any more */
	bool is_paused;  /* not read from, since something is buffered */
	bool has_read;   /* something was read since it was seen that the library buffers nothing: it may have answered a ping */
	struct websockets *owner;
	struct session *session; /* NULL before the upgrade and after the end */
	const struct front *front;
	struct grants *grants; /* for the session that is to be opened: a reference, or NULL */
	struct deadline closing;
	struct frame_walk walk; /* over what it sends */
	struct buf message;  /* compressed or not, the pieces of a message that is not complete; empty else, and then without memory */
	size_t empty_pieces; /* fragments of that message that held nothing: each counts as a byte against the limit */
	struct admission admission;
	bool names_protocol;
	bool is_compressed;  /* the message at hand */
	bool lingers;    /* the peer may be in the middle of sending: its socket is not closed under its words */
};

extern const struct port_ops websocket_port_ops;

/* Closes the connection soon, whatever is buffered; not inside the call. */
void websocket_kill(struct websocket *websocket);
/* Sends a close frame with these bytes (code and reason, or nothing) unless one was sent. */
void websocket_send_close(struct websocket *websocket, struct slice frame);

#endif

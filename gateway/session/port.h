/* A port is how a session reaches its peer, whatever the transport: a vtable that the wire fills and a test fakes.
 * The owner embeds it; it outlives its session. Same thread as the session. */
#ifndef GATEWAY_SESSION_PORT_H
#define GATEWAY_SESSION_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

struct admission;
struct port;
struct value;

enum port_result {
	PORT_SENT,     /* all of it went to the kernel */
	PORT_BUFFERED, /* the rest was copied and goes by itself; session_writable() comes when it has gone */
	PORT_DEAD,     /* the transport failed; session_closed() comes later, never inside the call */
};

struct port_delivery {
	uint64_t acked_bytes;
	bool has_unacked;
};

struct port_ops {
	bool (*is_clear)(const struct port *port);                        /* nothing is buffered: send() may be called */
	enum port_result (*send)(struct port *port, struct slice frame); /* one or more whole frames, only while clear */
	/* Starts the close: code and reason (at most 123 bytes) go to the peer behind what is buffered. session_closed() comes
	 * later, at the latest after close.timeout, never inside the call. A second call does nothing. */
	void (*close)(struct port *port, uint16_t code, const char *reason);
	/* How far the peer's end has come: bytes it acknowledged since the start, and whether bytes still wait for that. NULL where
	 * the transport cannot tell. */
	struct port_delivery (*delivery)(const struct port *port);
	/* Where the peer only listens, whoever asks in its name gets what is for that: welcome and the replies; the message lives during the
	 * call. NULL: the peer asks for itself, and is sent them. */
	void (*answered)(struct port *port, const struct value *message);
};

struct port {
	const struct port_ops *ops;
	struct admission *admission; /* of its connection; NULL: not counted */
};

#endif

/* One HTTP exchange seen from its two ends, whatever carries it. A call is a request that is being answered, made by an API
 * handler; a responder is the way to the client, filled by the wire and faked by tests. Nothing queues without bound: a call
 * writes only while its responder is clear, and is offered the request's body piece by piece as it takes it.
 * Both belong to one worker; same thread. */
#ifndef GATEWAY_HTTP_RESPONDER_H
#define GATEWAY_HTTP_RESPONDER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/slice.h"
#include "gateway/session/bearer.h"
#include "gateway/session/port.h"

struct admission;
struct call;
struct responder;
struct response;
struct session;

enum responder_result {
	RESPONDER_SENT,
	RESPONDER_BUFFERED, /* the rest was copied and goes by itself; call->go_on() comes when it has gone */
	RESPONDER_DEAD,     /* the client is gone; the call is freed later, never inside the call */
};

struct responder_ops {
	void (*begin)(struct responder *responder, const struct response *response); /* once, before anything is written */
	/* Of the body; only while clear, and once more behind that where finish() comes next. */
	enum responder_result (*write)(struct responder *responder, struct slice bytes);
	bool (*is_clear)(const struct responder *responder);
	void (*again)(struct responder *responder);  /* go_on() comes on another turn */
	void (*finish)(struct responder *responder); /* the answer is whole; the call is freed later, never inside the call */
	/* Ends the connection so that the client sees that the answer is not whole. Else as finish. */
	void (*cut)(struct responder *responder, const char *why);
	/* How far the client's end has come, as in port.h. NULL: cannot tell. */
	struct port_delivery (*delivery)(const struct responder *responder);
};

/* What may become of the bodies of good answers on their way. */
enum responder_coding {
	RESPONDER_CODING_NONE,     /* nothing, whoever asks */
	RESPONDER_CODING_IDENTITY, /* nothing for this client */
	RESPONDER_CODING_GZIP,
};

struct responder {
	const struct responder_ops *ops;
	bool is_head_only;        /* HEAD: the head is sent, what is written is not */
	bool is_tls;              /* the client speaks TLS to this node */
	struct admission *admission; /* of its connection, or its own part of it; NULL: not counted */
	enum responder_coding coding;
	struct slice origin;      /* the allowed origin of a browser, for its answer (api_meet()); empty: none */
};

struct call_ops {
	/* A piece of the body. Gives how many bytes of its front were taken; fewer: the rest is offered after the next go_on(). NULL:
	 * the call takes no body. */
	size_t (*body)(struct call *call, struct slice piece);
	void (*body_end)(struct call *call);
	void (*go_on)(struct call *call); /* the responder is clear again, or again() was called */
	void (*free)(struct call *call);  /* the exchange is over, however; not inside a call of the responder */
};

struct call {
	const struct call_ops *ops;
	/* Its answer has no end of its own: a client that sends no more is gone. Whoever writes it counts its bytes. */
	bool is_endless;
	bool is_body_short; /* its body is one message: all of it must come in the time that a stall may last */
	struct responder *responder;
	const struct session *session; /* of a stream of events, for logs; NULL: it has none */
	struct bearer bearer; /* opened by the router, closed where the call is freed; not of one that is a session's */
};

/* The whole of a short answer: begin, write, finish. */
void responder_send(struct responder *responder, const struct response *response, struct slice body);

#endif

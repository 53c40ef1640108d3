/* HTTP/2 connections and their streams, for the files of http2.h only. */
#ifndef GATEWAY_WIRE_HTTP2_INSIDE_H
#define GATEWAY_WIRE_HTTP2_INSIDE_H

#include <nghttp2/nghttp2.h>

#include "common/data/buf.h"
#include "gateway/http/body.h"
#include "gateway/http/head_text.h"
#include "gateway/http/response.h"
#include "gateway/limiter/bucket.h"
#include "gateway/wire/http2.h"
#include "gateway/wire/http_connection.h"

enum http2_phase {
	HTTP2_HEAD,      /* its fields are coming */
	HTTP2_ANSWERING,
	HTTP2_FINISHED,  /* the answer is whole; it may wait for the client still */
	HTTP2_CUT,       /* it never will be: nghttp2 is to reset the stream */
	HTTP2_GONE,      /* nghttp2 has closed it: freed in the next turn */
};

struct http2_connection;

struct http2_stream {
	struct responder responder;
	struct http2_connection *connection;
	struct admission admission; /* its part of the connection's: through a proxy each stream may be of another client */
	struct list link; /* on the connection's streams */
	struct deadline stall;
	int32_t id;
	enum http2_phase phase;
	struct call *call;      /* NULL: not made yet, or answered without one */
	struct head_text text;  /* while the head comes */
	size_t head_bytes;      /* of text, as lines of HTTP/1.1 */
	bool is_head_too_big;   /* text is not all of it */
	struct buf request;     /* the head: what slices of it point into */
	struct body body;       /* what the call is told of the length */
	struct buf in;          /* of the body, what the call has not taken */
	struct buf out;         /* of the answer's body, what nghttp2 has not framed */
	unsigned status;        /* of the answer; 0: it has not begun */
	bool is_due;            /* the call's go_on() is */
	bool is_waiting;        /* the call was told that its bytes are buffered */
	bool is_held;           /* the call did not take all it was offered */
	bool is_input_over, has_body_end; /* the client sends no more; the call was told, or wants no body */
	bool is_idle;           /* nghttp2 waits for more of the answer */
	bool is_counted;        /* as a request that is being answered */
};

struct http2_connection {
	struct http2_connections *owner;
	struct list link;  /* on the owner's open */
	struct wake woken;
	struct deadline idle;
	uv_poll_t poll;
	int events; /* that poll waits for */
	int fd;
	struct admission admission;
	nghttp2_session *session;
	struct list streams;
	size_t request_count; /* streams behind HTTP2_HEAD */
	struct buf out;       /* frames that the kernel did not take */
	bool is_blocked;      /* out waits for the kernel */
	bool has_drained;     /* it did, and waits no longer: the streams are not told yet */
	bool is_inside;       /* nghttp2 is at work, and may not be asked to send */
	bool is_dead;         /* the client is gone */
	bool has_asked;       /* a request's head was whole */
	bool is_leaving;      /* GOAWAY was said */
	struct bucket resets; /* requests that the client took back at once */
};

extern const struct responder_ops http2_responder_ops;

void http2_wake(struct http2_connection *connection); /* goes on in the next iteration of the loop */
void http2_die(struct http2_connection *connection);  /* it ends in the next iteration of the loop, without a word */
void http2_pump(struct http2_connection *connection); /* frames what may go and gives it to the kernel */

struct http2_stream *http2_stream_new(struct http2_connection *connection, int32_t id); /* NULL: no memory */
void http2_stream_field(struct http2_stream *stream, struct slice name, struct slice value);
void http2_stream_open(struct http2_stream *stream, bool has_body); /* its head is whole: the call is made, or the answer given */
void http2_stream_hear(struct http2_stream *stream, struct slice piece); /* of the body */
void http2_stream_end_input(struct http2_stream *stream);
void http2_stream_wake(struct http2_stream *stream); /* the connection is not in its way any more */
void http2_stream_sent(struct http2_stream *stream); /* some bytes of its answer were framed */
/* What a stream does when something happened to it. It may be gone afterwards. */
void http2_stream_go_on(struct http2_stream *stream);
void http2_stream_free(struct http2_stream *stream);
void http2_stream_stalled(struct deadline *stall);

#endif

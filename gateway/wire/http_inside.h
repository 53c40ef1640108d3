/* One connection that carries a request, for the files of http_connection.h only. */
#ifndef GATEWAY_WIRE_HTTP_INSIDE_H
#define GATEWAY_WIRE_HTTP_INSIDE_H

#include "gateway/http/response.h"
#include "gateway/wire/http_connection.h"

enum http_phase {
	HTTP_ANSWERING,
	HTTP_FINISHED, /* the answer is whole; it may wait for the client still */
	HTTP_CUT,      /* it never will be */
	HTTP_DEAD,     /* the client is gone */
};

struct http_connection {
	struct responder responder;
	struct http_connections *owner;
	struct list link;  /* on the owner's open */
	struct wake woken;
	struct deadline stall;
	uv_poll_t poll;
	bool has_poll;
	int events; /* that poll waits for */
	int fd;
	struct admission admission;
	enum http_phase phase;
	struct call *call;   /* NULL: the request was answered without one */
	struct buf request;  /* its head: what slices of it point into */
	struct buf in;       /* of the body, and what came behind it */
	struct buf out;      /* the head of the answer, and what the kernel did not take */
	struct body body;
	struct response_form form;
	unsigned status;     /* of the answer; 0: it has not begun */
	bool is_chunked;     /* the answer */
	bool is_blocked;     /* out waits for the kernel */
	bool is_due;         /* the call's go_on() is */
	bool is_held;        /* the call did not take all it was offered */
	bool has_body_end;   /* the call was told, or wants no body */
	bool expects_continue;
	bool is_at_end;      /* the client sends no more */
};

extern const struct responder_ops http_responder_ops;

static inline struct http_connection *http_connection_of(const struct responder *responder)
{
	return (struct http_connection *)(uintptr_t)responder;
}

/* The only place that changes the phase; forwards only. */
void http_enter(struct http_connection *connection, enum http_phase phase);
void http_wake(struct http_connection *connection);  /* goes on in the next iteration of the loop */
void http_watch(struct http_connection *connection); /* for what it waits for now */
void http_flush(struct http_connection *connection); /* gives the kernel what it takes of out */
void http_read_body(struct http_connection *connection); /* offers the call what there is of the body */
void http_hear(struct http_connection *connection);      /* reads from the socket, as much as may wait here */
void http_count_status(unsigned status);
bool http_wants_input(const struct http_connection *connection);

#endif

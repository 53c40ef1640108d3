/* The request's way in: what the socket gives, offered to the call as it takes it. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>

#include "gateway/http/body.h"
#include "gateway/wire/http_inside.h"

static const char continues[] = "HTTP/1.1 100 Continue\r\n\r\n";

bool http_wants_input(const struct http_connection *connection)
{
	return connection->phase == HTTP_ANSWERING && !connection->has_body_end && !connection->is_held &&
	       !connection->is_at_end;
}

/* The client waits for a word before it sends the body (RFC 9110 section 10.1.1); the socket has nothing else to send. */
static void ask_for_body(struct http_connection *connection)
{
	if (connection->expects_continue && !connection->status && connection->in.len == 0)
		(void)!send(connection->fd, continues, sizeof continues - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	connection->expects_continue = false;
}

static void give_up(struct http_connection *connection, unsigned status, const char *code, const char *why)
{
	struct refusal refusal = {.status = status, .code = code, .message = why};
	connection->form.closes = true;
	if (connection->status)
		connection->responder.ops->cut(&connection->responder, why);
	else
		responder_refuse(&connection->responder, &refusal);
}

static void end_body(struct http_connection *connection)
{
	connection->has_body_end = true;
	if (connection->call && connection->call->ops->body_end)
		connection->call->ops->body_end(connection->call);
}

/* Offers one piece. False: nothing more can be offered at present. */
static bool offer(struct http_connection *connection, struct slice *input)
{
	struct slice piece;
	const char *why = NULL;
	switch (body_next(&connection->body, input, &piece, &why)) {
	case BODY_DATA: {
		size_t taken = connection->call->ops->body(connection->call, piece);
		body_take(&connection->body, input, taken);
		connection->is_held = taken < piece.len;
		return !connection->is_held;
	}
	case BODY_END:
		end_body(connection);
		return false;
	case BODY_BAD:
		give_up(connection, 400, "bad_request", why);
		return false;
	case BODY_MORE:
		break;
	}
	if (connection->is_at_end)
		give_up(connection, 400, "bad_request", "the connection ended inside the body");
	else
		ask_for_body(connection);
	return false;
}

void http_read_body(struct http_connection *connection)
{
	if (connection->has_body_end || connection->is_held || connection->phase != HTTP_ANSWERING)
		return;
	struct slice input = buf_slice(&connection->in);
	while (connection->phase == HTTP_ANSWERING && offer(connection, &input))
		continue;
	buf_drop_front(&connection->in, connection->in.len - input.len);
}

void http_hear(struct http_connection *connection)
{
	char bytes[HTTP_READ_BYTES];
	size_t room = connection->in.len < sizeof bytes ? sizeof bytes - connection->in.len : 0;
	if (room == 0 || !http_wants_input(connection))
		return;
	ssize_t got = recv(connection->fd, bytes, room, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0)
		buf_append(&connection->in, bytes, (size_t)got);
	if (got < 0 || buf_has_failed(&connection->in)) {
		http_enter(connection, HTTP_DEAD);
		return;
	}
	connection->is_at_end = got == 0;
	if (!connection->call || !connection->call->is_body_short)
		deadline_stop(&connection->stall);
}

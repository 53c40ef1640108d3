/* The answer's way out: head, chunks, and what the kernel does not take at once. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/base/log.h"
#include "gateway/metrics/metrics.h"
#include "gateway/wire/http_inside.h"

#define ROOM "wire"
#define CHUNK_LINE_BYTES 20
#define PIECES 4

void http_count_status(unsigned status)
{
	metric_add(status < 300 ? METRIC_HTTP_2XX : status < 500 ? METRIC_HTTP_4XX : METRIC_HTTP_5XX, 1);
}

/* Errors while a body is on its way end the connection: nobody would read the rest. */
static void begin(struct responder *responder, const struct response *response)
{
	struct http_connection *connection = http_connection_of(responder);
	if (connection->status)
		return;
	bool leaves_body = response->status >= 400 && !body_is_over(&connection->body);
	bool has_no_end = response->length == RESPONSE_STREAMED && connection->form.minor == 0;
	connection->status = response->status;
	connection->form.closes |= leaves_body || has_no_end || connection->owner->api.is_draining || connection->is_at_end;
	connection->form.origin = responder->origin;
	connection->is_chunked = response_is_chunked(response, &connection->form);
	response_write_head(&connection->out, response, &connection->form);
	http_count_status(response->status);
	if (response->error)
		log_debug(ROOM, "request refused", log_int("status", response->status), log_text("code", response->error),
			  log_ip("address", &connection->admission.client));
}

static ssize_t send_pieces(int fd, struct iovec *pieces, size_t count)
{
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Keeps what the kernel did not take; out, the first piece, may hold some of it already. */
static void keep_rest(struct http_connection *connection, const struct iovec *pieces, size_t sent)
{
	size_t out_sent = sent < pieces[0].iov_len ? sent : pieces[0].iov_len;
	buf_drop_front(&connection->out, out_sent);
	sent -= out_sent;
	for (size_t i = 1; i < PIECES; i++) {
		size_t skipped = sent < pieces[i].iov_len ? sent : pieces[i].iov_len;
		sent -= skipped;
		if (skipped < pieces[i].iov_len)
			buf_append(&connection->out, (const char *)pieces[i].iov_base + skipped, pieces[i].iov_len - skipped);
	}
}

static enum responder_result after_send(struct http_connection *connection, ssize_t sent)
{
	if ((sent < 0 && errno != EAGAIN && errno != EINTR) || buf_has_failed(&connection->out)) {
		http_enter(connection, HTTP_DEAD);
		return RESPONDER_DEAD;
	}
	if (sent > 0 && !(connection->call && connection->call->is_endless))
		metric_add(METRIC_BYTES_OUT, (uint64_t)sent);
	connection->is_blocked = connection->out.len > 0;
	if (!connection->is_blocked)
		return RESPONDER_SENT;
	http_watch(connection);
	return connection->phase == HTTP_DEAD ? RESPONDER_DEAD : RESPONDER_BUFFERED;
}

static bool is_clear(const struct responder *responder)
{
	const struct http_connection *connection = http_connection_of(responder);
	return connection->phase == HTTP_ANSWERING && !connection->is_blocked;
}

static enum responder_result write_body(struct responder *responder, struct slice bytes)
{
	struct http_connection *connection = http_connection_of(responder);
	char line[CHUNK_LINE_BYTES];
	bool is_framed = connection->is_chunked && bytes.len && !responder->is_head_only;
	if (connection->phase != HTTP_ANSWERING)
		return RESPONDER_DEAD;
	if (responder->is_head_only)
		bytes = SLICE_NONE;
	struct iovec pieces[PIECES] = {
		{connection->out.bytes, connection->out.len},
		{line, is_framed ? (size_t)snprintf(line, sizeof line, "%zx\r\n", bytes.len) : 0},
		{(void *)(uintptr_t)bytes.ptr, bytes.len},
		{(void *)(uintptr_t)"\r\n", is_framed ? 2 : 0},
	};
	ssize_t sent = send_pieces(connection->fd, pieces, PIECES);
	if (sent >= 0 || errno == EAGAIN || errno == EINTR)
		keep_rest(connection, pieces, sent < 0 ? 0 : (size_t)sent);
	return after_send(connection, sent);
}

void http_flush(struct http_connection *connection)
{
	struct iovec pieces[PIECES] = {{connection->out.bytes, connection->out.len}};
	if (connection->out.len == 0)
		return;
	size_t before = connection->out.len;
	ssize_t sent = send_pieces(connection->fd, pieces, 1);
	if (sent > 0)
		buf_drop_front(&connection->out, (size_t)sent);
	if (after_send(connection, sent) == RESPONDER_SENT) {
		connection->is_due = true;
		connection->is_held = false;
	}
	if (connection->out.len < before && deadline_is_set(&connection->stall))
		deadlines_start(&connection->owner->stalls, &connection->stall);
}

static void again(struct responder *responder)
{
	struct http_connection *connection = http_connection_of(responder);
	connection->is_due = true;
	connection->is_held = false;
	http_wake(connection);
}

static void finish(struct responder *responder)
{
	struct http_connection *connection = http_connection_of(responder);
	if (connection->phase != HTTP_ANSWERING)
		return;
	if (connection->is_chunked && !responder->is_head_only)
		buf_append_text(&connection->out, "0\r\n\r\n");
	http_enter(connection, buf_has_failed(&connection->out) ? HTTP_DEAD : HTTP_FINISHED);
	if (connection->phase == HTTP_FINISHED && !connection->is_blocked)
		http_flush(connection);
	http_wake(connection);
}

static void cut(struct responder *responder, const char *why)
{
	struct http_connection *connection = http_connection_of(responder);
	if (connection->phase != HTTP_ANSWERING)
		return;
	log_warn(ROOM, "an answer over HTTP was cut off", log_int("status", connection->status), log_text("cause", why),
		 log_ip("address", &connection->admission.client));
	metric_add(METRIC_HTTP_CUT, 1);
	http_enter(connection, HTTP_CUT);
	http_wake(connection);
}

static struct port_delivery delivery(const struct responder *responder)
{
	const struct http_connection *connection = http_connection_of(responder);
	return tls_relays_delivery(connection->owner->relays, connection->fd);
}

const struct responder_ops http_responder_ops = {
	.begin = begin,
	.write = write_body,
	.is_clear = is_clear,
	.again = again,
	.finish = finish,
	.cut = cut,
	.delivery = delivery,
};

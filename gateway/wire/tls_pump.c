/* How a relay moves bytes: a piece at a time, and no further one while the last was not taken. A piece is as long as the longest record
 * of TLS, so a read leaves nothing in OpenSSL that the loop could not see. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>

#include "gateway/wire/tls_relay_inside.h"

#define PIECE_BYTES SSL3_RT_MAX_PLAIN_LENGTH
#define PIECES_PER_TURN 4 /* each way, so that a busy client does not starve others */

static void keep(struct tls_relay *relay, struct buf *rest, const char *bytes, size_t len)
{
	buf_append(rest, bytes, len);
	if (buf_has_failed(rest))
		tls_relay_end(relay);
}

/* False: not all of it was taken; the rest is kept. */
static bool give_inner(struct tls_relay *relay, const char *bytes, size_t len)
{
	ssize_t sent = send(relay->inner_fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent == (ssize_t)len)
		return true;
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		tls_relay_leave(relay); /* nobody hears there any more */
	else
		keep(relay, &relay->to_inner, bytes + (sent > 0 ? sent : 0), len - (size_t)(sent > 0 ? sent : 0));
	return false;
}

static bool flush_inner(struct tls_relay *relay)
{
	struct buf rest = relay->to_inner;
	if (rest.len == 0)
		return true;
	buf_init(&relay->to_inner);
	bool is_taken = give_inner(relay, rest.bytes, rest.len);
	buf_fini(&rest);
	return is_taken;
}

/* After a read that gave nothing. */
static void judge_read(struct tls_relay *relay, int result)
{
	switch (SSL_get_error(relay->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_WANT_WRITE:
		relay->wants_write = true;
		break;
	case SSL_ERROR_ZERO_RETURN:
		relay->client_ended = true;
		break;
	default:
		tls_relay_end(relay);
	}
}

static void hear_client(struct tls_relay *relay)
{
	char bytes[PIECE_BYTES];
	relay->wants_write = false;
	for (unsigned i = 0; i < PIECES_PER_TURN && relay->phase == TLS_OPEN && !relay->client_ended; i++) {
		if (!flush_inner(relay))
			return;
		ERR_clear_error();
		int got = SSL_read(relay->ssl, bytes, sizeof bytes);
		if (got <= 0) {
			judge_read(relay, got);
			break;
		}
		if (!give_inner(relay, bytes, (size_t)got))
			return;
	}
	if (relay->phase == TLS_OPEN && relay->client_ended && !relay->inner_told && flush_inner(relay)) {
		shutdown(relay->inner_fd, SHUT_WR);
		relay->inner_told = true;
	}
}

/* False: OpenSSL did not take it, and wants the same bytes again. */
static bool give_client(struct tls_relay *relay, const char *bytes, size_t len)
{
	ERR_clear_error();
	int taken = SSL_write(relay->ssl, bytes, (int)len);
	if (taken > 0)
		return true;
	int error = SSL_get_error(relay->ssl, taken);
	if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ)
		tls_relay_end(relay);
	return false;
}

static bool flush_client(struct tls_relay *relay)
{
	if (relay->to_client.len && !give_client(relay, relay->to_client.bytes, relay->to_client.len))
		return false;
	buf_fini(&relay->to_client);
	return true;
}

static void hear_inner(struct tls_relay *relay)
{
	char bytes[PIECE_BYTES];
	for (unsigned i = 0; i < PIECES_PER_TURN && relay->phase == TLS_OPEN && flush_client(relay); i++) {
		ssize_t got = recv(relay->inner_fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0)
			tls_relay_leave(relay);
		else if (!give_client(relay, bytes, (size_t)got) && relay->phase == TLS_OPEN)
			keep(relay, &relay->to_client, bytes, (size_t)got);
		if (got < (ssize_t)sizeof bytes && relay->phase == TLS_OPEN)
			return;
	}
}

/* False: the kernel does not take it yet. */
static bool say_goodbye(struct tls_relay *relay)
{
	ERR_clear_error();
	int result = relay->said_goodbye ? 1 : SSL_shutdown(relay->ssl);
	relay->said_goodbye = result >= 0 || SSL_get_error(relay->ssl, result) != SSL_ERROR_WANT_WRITE;
	return relay->said_goodbye;
}

void tls_relay_move(struct tls_relay *relay)
{
	if (relay->phase == TLS_OPEN)
		hear_client(relay);
	if (relay->phase == TLS_OPEN)
		hear_inner(relay);
	if (relay->phase == TLS_LEAVING && flush_client(relay) && say_goodbye(relay))
		tls_relay_part(relay);
}

int tls_relay_wants(const struct tls_relay *relay)
{
	bool reads = relay->phase == TLS_OPEN && !relay->client_ended && relay->to_inner.len == 0;
	bool writes = relay->to_client.len || relay->wants_write || relay->phase == TLS_LEAVING;
	return (reads ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0);
}

int tls_relay_wants_inner(const struct tls_relay *relay)
{
	bool reads = relay->phase == TLS_OPEN && relay->to_client.len == 0;
	bool writes = relay->phase == TLS_OPEN && relay->to_inner.len;
	return (reads ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0);
}

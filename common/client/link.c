#define _GNU_SOURCE /* strerror_r that gives the text */
#include "common/client/link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/codec/json.h"

#define READ_BYTES ((size_t)64 * 1024)
#define KEEP_BYTES ((size_t)64 * 1024)
#define REFUSAL_BYTES_MAX 4096
#define MS_PER_SECOND 1000

void tgc_link_init(struct tgc_link *link, size_t message_bytes_max, size_t output_bytes_max)
{
	*link = (struct tgc_link){.fd = -1, .deadline_ms = UINT64_MAX, .out_max = output_bytes_max};
	tgc_inbox_init(&link->inbox, message_bytes_max);
	buf_init(&link->out);
}

void tgc_link_fini(struct tgc_link *link)
{
	tgc_link_close(link);
	tgc_inbox_fini(&link->inbox);
	buf_fini(&link->out);
}

static void close_socket(struct tgc_link *link)
{
	if (link->secure)
		tgc_secure_goodbye(link->secure);
	tgc_secure_free(link->secure);
	link->secure = NULL;
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

void tgc_link_close(struct tgc_link *link)
{
	close_socket(link);
	link->phase = TGC_LINK_NONE;
	link->deadline_ms = UINT64_MAX;
	buf_shrink(&link->out, KEEP_BYTES);
	link->out_at = 0;
}

static bool resolve(struct tgc_link *link)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
	int error = getaddrinfo(link->url->host, link->url->port, &hints, &found);
	if (error) {
		snprintf(link->why, sizeof link->why, "cannot resolve %.150s: %s", link->url->host, gai_strerror(error));
		return false;
	}
	for (const struct addrinfo *at = found; at && link->address_count < TGC_ADDRESSES_MAX; at = at->ai_next) {
		struct tgc_address *address = &link->addresses[link->address_count];
		if (at->ai_addrlen > sizeof address->bytes)
			continue;
		memcpy(&address->bytes, at->ai_addr, at->ai_addrlen);
		address->len = at->ai_addrlen;
		link->address_count++;
	}
	freeaddrinfo(found);
	return true;
}

/* Begins to connect to one address; 0, or what errno said. */
static int connect_to(struct tgc_link *link, const struct tgc_address *address)
{
	int on = 1;
	link->fd = socket(address->bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		return errno;
	setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(link->fd, (const struct sockaddr *)&address->bytes, address->len) == 0 || errno == EINPROGRESS || errno == EINTR)
		return 0;
	int error = errno;
	close_socket(link);
	return error;
}

/* Goes to the next address that lets itself be tried. False: there is none, and error is what the last one said. */
static bool try_next_address(struct tgc_link *link, int error, uint64_t now_ms)
{
	close_socket(link);
	while (link->address_at < link->address_count) {
		error = connect_to(link, &link->addresses[link->address_at++]);
		if (error == 0) {
			link->phase = TGC_LINK_CONNECTING;
			link->deadline_ms = now_ms + link->timeout_ms / link->address_count + 1;
			return true;
		}
	}
	char text[96];
	snprintf(link->why, sizeof link->why, "cannot connect: %s", strerror_r(error, text, sizeof text));
	return false;
}

bool tgc_link_open(struct tgc_link *link, const struct tgc_url *url, const char *token, uint64_t timeout_ms, uint64_t now_ms)
{
	tgc_inbox_reset(&link->inbox);
	link->url = url;
	link->token = token;
	link->timeout_ms = timeout_ms;
	link->address_count = link->address_at = 0;
	link->cannot_send = link->has_ended = false;
	link->status = 0;
	link->retry_after_ms = 0;
	link->why[0] = '\0';
	return resolve(link) && try_next_address(link, EADDRNOTAVAIL, now_ms);
}

short tgc_link_events(const struct tgc_link *link)
{
	if (link->phase == TGC_LINK_CONNECTING)
		return POLLOUT;
	short secure_events = link->secure ? tgc_secure_events(link->secure) : 0;
	if (link->phase == TGC_LINK_SECURING)
		return secure_events;
	bool has_output = link->out.len > link->out_at && !link->cannot_send;
	return (short)(POLLIN | secure_events | (has_output ? POLLOUT : 0));
}

static ssize_t send_bytes(struct tgc_link *link, const char *bytes, size_t len)
{
	return link->secure ? tgc_secure_write(link->secure, bytes, len) : send(link->fd, bytes, len, MSG_NOSIGNAL);
}

static ssize_t receive_bytes(struct tgc_link *link, char *ret_bytes, size_t len)
{
	return link->secure ? tgc_secure_read(link->secure, ret_bytes, len) : recv(link->fd, ret_bytes, len, 0);
}

void tgc_link_flush(struct tgc_link *link)
{
	while (link->phase >= TGC_LINK_UPGRADING && !link->cannot_send && link->out_at < link->out.len) {
		ssize_t sent = send_bytes(link, link->out.bytes + link->out_at, link->out.len - link->out_at);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (sent < 0)
			link->cannot_send = true; /* the close frame that says why may wait to be read */
		else
			link->out_at += (size_t)sent;
	}
	if (link->out_at == link->out.len || link->cannot_send) {
		buf_shrink(&link->out, KEEP_BYTES);
		link->out_at = 0;
	}
}

static bool random_bytes(void *ret_bytes, size_t len)
{
	return getrandom(ret_bytes, len, 0) == (ssize_t)len;
}

enum err tgc_link_send(struct tgc_link *link, enum wsframe_op op, struct slice payload)
{
	uint8_t header[WSFRAME_HEADER_MAX], mask[4];
	if (link->cannot_send || !random_bytes(mask, sizeof mask))
		return ERR_IO;
	size_t waiting = link->out.len - link->out_at;
	if (payload.len > link->out_max || waiting > link->out_max - payload.len)
		return ERR_LIMIT;
	if (link->out_at >= KEEP_BYTES) {
		buf_drop_front(&link->out, link->out_at);
		link->out_at = 0;
	}
	size_t header_len = wsframe_header_masked(header, op, payload.len, mask);
	char *place = buf_extend(&link->out, header_len + payload.len);
	if (!place)
		return ERR_NOMEM;
	memcpy(place, header, header_len);
	if (payload.len)
		memcpy(place + header_len, payload.ptr, payload.len);
	wsframe_mask((uint8_t *)place + header_len, payload.len, mask);
	return OK;
}

static enum tgc_link_news fail(struct tgc_link *link, const char *why)
{
	snprintf(link->why, sizeof link->why, "%s", why);
	return TGC_LINK_FAILED;
}

static enum tgc_link_news begin_upgrade(struct tgc_link *link, uint64_t now_ms)
{
	uint8_t nonce[TGC_NONCE_BYTES];
	if (!random_bytes(nonce, sizeof nonce))
		return fail(link, "the system gives no random numbers");
	tgc_upgrade_key(nonce, link->key);
	tgc_upgrade_request(&link->out, link->url, link->key, link->token, NULL, link->offers_deflate);
	if (buf_has_failed(&link->out))
		return fail(link, "no memory for the handshake");
	link->phase = TGC_LINK_UPGRADING;
	link->deadline_ms = now_ms + link->timeout_ms;
	return TGC_LINK_NOTHING;
}

static enum tgc_link_news step_securing(struct tgc_link *link, uint64_t now_ms)
{
	switch (tgc_secure_shake(link->secure, link->why)) {
	case TGC_SHAKE_DONE:
		return begin_upgrade(link, now_ms);
	case TGC_SHAKE_FAILED:
		return TGC_LINK_FAILED;
	case TGC_SHAKE_AGAIN:
		break;
	}
	return now_ms >= link->deadline_ms ? fail(link, "TLS: no answer to the handshake in time") : TGC_LINK_NOTHING;
}

static enum tgc_link_news begin_secure(struct tgc_link *link, uint64_t now_ms)
{
	link->secure = tgc_secure_new(link->trust, link->fd, link->url->host);
	if (!link->secure)
		return fail(link, "no memory for TLS");
	link->phase = TGC_LINK_SECURING;
	link->deadline_ms = now_ms + link->timeout_ms;
	return step_securing(link, now_ms);
}

static enum tgc_link_news step_connecting(struct tgc_link *link, uint64_t now_ms)
{
	struct pollfd poll_fd = {.fd = link->fd, .events = POLLOUT}; /* revents may be of a socket before this one */
	int error = 0;
	socklen_t len = sizeof error;
	if (poll(&poll_fd, 1, 0) > 0)
		getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	else if (now_ms >= link->deadline_ms)
		error = ETIMEDOUT;
	else
		return TGC_LINK_NOTHING;
	if (error)
		return try_next_address(link, error, now_ms) ? TGC_LINK_NOTHING : TGC_LINK_FAILED;
	return link->url->is_secure ? begin_secure(link, now_ms) : begin_upgrade(link, now_ms);
}

/* Reads once. False: nothing came; has_ended says whether more can. */
static bool receive(struct tgc_link *link)
{
	char *room = tgc_inbox_room(&link->inbox, READ_BYTES);
	if (!room) {
		link->has_ended = true;
		fail(link, "no memory to read into");
		return false;
	}
	ssize_t got = receive_bytes(link, room, READ_BYTES);
	int error = errno;
	tgc_inbox_received(&link->inbox, READ_BYTES, got > 0 ? (size_t)got : 0);
	if (got > 0)
		return true;
	if (got < 0 && (error == EAGAIN || error == EWOULDBLOCK || error == EINTR))
		return false;
	link->has_ended = true;
	char text[96];
	if (got == 0)
		fail(link, "the connection was closed without a word");
	else
		snprintf(link->why, sizeof link->why, "the connection was lost: %s", strerror_r(error, text, sizeof text));
	return false;
}

static void describe_refusal(struct tgc_link *link, struct slice body)
{
	struct slice raw = SLICE_NONE;
	enum json_kind kind = JSON_NULL;
	if (json_is_valid(body, NULL, NULL) && json_find(body, SLICE_LITERAL("/error/message"), &raw, &kind) &&
	    kind == JSON_STRING && raw.len < TGC_WHY_MAX) {
		char text[TGC_WHY_MAX];
		size_t len = json_unescape((struct slice){raw.ptr + 1, raw.len - 2}, text);
		snprintf(link->why, sizeof link->why, "refused with status %u: %.*s", link->status, (int)len, text);
	} else {
		snprintf(link->why, sizeof link->why, "refused with status %u", link->status);
	}
}

/* A status that is not 101: failed once its body, which says why, is there. */
static enum tgc_link_news take_refusal(struct tgc_link *link, const struct tgc_upgrade_answer *answer, struct slice body)
{
	int64_t wanted = answer->content_length;
	if (!link->has_ended && wanted > (int64_t)body.len && wanted <= REFUSAL_BYTES_MAX)
		return TGC_LINK_NOTHING;
	if (wanted >= 0 && (uint64_t)wanted < body.len)
		body.len = (size_t)wanted;
	link->status = answer->status;
	if (answer->retry_after_s > 0)
		link->retry_after_ms = (uint64_t)answer->retry_after_s * MS_PER_SECOND;
	describe_refusal(link, body);
	return TGC_LINK_FAILED;
}

static enum tgc_link_news step_upgrading(struct tgc_link *link, uint64_t now_ms)
{
	struct tgc_inbox *inbox = &link->inbox;
	struct tgc_upgrade_answer answer;
	bool is_late = now_ms >= link->deadline_ms;
	if (!receive(link) && !link->has_ended && !is_late)
		return TGC_LINK_NOTHING;
	struct slice bytes = {inbox->bytes.bytes ? inbox->bytes.bytes + inbox->at : NULL, inbox->bytes.len - inbox->at};
	enum err error = tgc_upgrade_read(bytes, link->key, &answer);
	if (error == OK && answer.status != 101) {
		enum tgc_link_news news = take_refusal(link, &answer, (struct slice){bytes.ptr + answer.head_len, bytes.len - answer.head_len});
		return news == TGC_LINK_NOTHING && is_late ? fail(link, "no whole answer to the handshake in time") : news;
	}
	if (error == OK && answer.deflates && !link->offers_deflate)
		return fail(link, "the 101 response chose an extension that was not offered");
	if (error == OK) {
		inbox->at += answer.head_len;
		inbox->takes_deflate = answer.deflates;
		link->phase = TGC_LINK_OPEN;
		link->deadline_ms = UINT64_MAX;
		return TGC_LINK_IS_OPEN;
	}
	if (error != ERR_AGAIN)
		return fail(link, answer.why);
	if (link->has_ended)
		return TGC_LINK_FAILED;
	return is_late ? fail(link, "no answer to the handshake in time") : TGC_LINK_NOTHING;
}

enum tgc_link_news tgc_link_step(struct tgc_link *link, short revents, uint64_t now_ms)
{
	switch (link->phase) {
	case TGC_LINK_CONNECTING:
		return step_connecting(link, now_ms);
	case TGC_LINK_SECURING:
		return step_securing(link, now_ms);
	case TGC_LINK_UPGRADING:
		tgc_link_flush(link);
		return step_upgrading(link, now_ms);
	case TGC_LINK_OPEN:
		if (!(revents & ~POLLOUT))
			return TGC_LINK_NOTHING;
		return receive(link) ? TGC_LINK_HEARD : link->has_ended ? TGC_LINK_FAILED : TGC_LINK_NOTHING;
	case TGC_LINK_NONE:
		break;
	}
	return TGC_LINK_NOTHING;
}

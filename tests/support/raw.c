#define _GNU_SOURCE /* memmem */
#include "tests/support/raw.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/recording.h"

#define READ_BYTES 65536
#define WHOLE_TEXT 0x81
static const uint8_t MASK[4] = {0x12, 0x34, 0x56, 0x78};

/* False: refused. */
static bool try_connect(struct raw *raw, uint16_t port, int receive_buffer_bytes)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;
	buf_init(&raw->in);
	buf_init(&raw->last);
	raw->recording = recording_open();
	raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(raw->fd, 0);
	if (receive_buffer_bytes)
		setsockopt(raw->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
	setsockopt(raw->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(raw->fd, (struct sockaddr *)&address, sizeof address)) {
		close(raw->fd);
		raw->fd = -1;
		return false;
	}
	fcntl(raw->fd, F_SETFL, O_NONBLOCK);
	return true;
}

void raw_connect(struct raw *raw, uint16_t port)
{
	raw_connect_small(raw, port, 0);
}

void raw_connect_small(struct raw *raw, uint16_t port, int receive_buffer_bytes)
{
	ck_assert_msg(try_connect(raw, port, receive_buffer_bytes), "connect to port %d: %s", port, strerror(errno));
}

void raw_close(struct raw *raw)
{
	if (raw->fd >= 0)
		close(raw->fd);
	raw->fd = -1;
	buf_fini(&raw->in);
	buf_fini(&raw->last);
}

void raw_reset(struct raw *raw)
{
	struct linger at_once = {.l_onoff = 1};
	setsockopt(raw->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	raw_close(raw);
}

bool raw_try_send(struct raw *raw, struct slice bytes)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (bytes.len) {
		ssize_t sent = send(raw->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
		if (sent > 0) {
			bytes.ptr += sent;
			bytes.len -= (size_t)sent;
		} else if (errno != EAGAIN || !deadline_wait_fd(raw->fd, POLLOUT, deadline)) {
			return false;
		}
	}
	return true;
}

void raw_send(struct raw *raw, struct slice bytes)
{
	ck_assert_msg(raw_try_send(raw, bytes), "the peer does not take what is sent: %s", strerror(errno));
}

void raw_send_text(struct raw *raw, const char *text)
{
	raw_send(raw, slice_of(text));
}

/* Appends what comes. RAW_FRAME here means: there are more bytes. */
static enum raw_read receive(struct raw *raw, struct deadline deadline)
{
	if (!deadline_wait_fd(raw->fd, POLLIN, deadline))
		return RAW_LATE;
	char bytes[READ_BYTES];
	ssize_t got = recv(raw->fd, bytes, sizeof bytes, 0);
	if (got > 0)
		buf_append(&raw->in, bytes, (size_t)got);
	else if (got == 0 || errno != EAGAIN)
		return RAW_END;
	return RAW_FRAME;
}

char *raw_read_head(struct raw *raw)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	for (;;) {
		const char *end = raw->in.len ? memmem(raw->in.bytes, raw->in.len, "\r\n\r\n", 4) : NULL;
		if (end) {
			size_t len = (size_t)(end - raw->in.bytes) + 4;
			char *head = strndup(raw->in.bytes, len);
			buf_drop_front(&raw->in, len);
			return head;
		}
		if (receive(raw, deadline) != RAW_FRAME)
			return NULL;
	}
}

int raw_head_status(const char *head)
{
	int status = 0;
	if (!head || sscanf(head, "HTTP/1.%*1d %3d", &status) != 1)
		return 0;
	return status;
}

int raw_handshake(struct raw *raw, const char *target, const char *headers)
{
	struct buf request;
	buf_init(&request);
	buf_printf(&request,
		   "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
		   target, headers);
	raw_send(raw, buf_slice(&request));
	buf_fini(&request);
	char *head = raw_read_head(raw);
	int status = raw_head_status(head);
	free(head);
	return status;
}

void raw_open(struct raw *raw, uint16_t port)
{
	struct raw_frame welcome;
	raw_connect(raw, port);
	ck_assert_int_eq(raw_handshake(raw, "/v1/stream", ""), 101);
	raw_read_frame(raw, &welcome);
	ck_assert_ptr_nonnull(memmem(welcome.payload.ptr, welcome.payload.len, "\"welcome\"", 9));
}

void raw_frame_append(struct buf *out, uint8_t first, struct slice payload)
{
	uint8_t header[WSFRAME_HEADER_MAX];
	size_t len = 0;
	header[len++] = first;
	header[len++] = (uint8_t)(0x80 | (payload.len < 126 ? payload.len : payload.len < 65536 ? 126 : 127));
	for (int shift = payload.len < 126 ? -8 : payload.len < 65536 ? 8 : 56; shift >= 0; shift -= 8)
		header[len++] = (uint8_t)((uint64_t)payload.len >> shift);
	memcpy(header + len, MASK, sizeof MASK);
	buf_append(out, header, len + sizeof MASK);
	for (size_t i = 0; i < payload.len; i++)
		buf_append_char(out, (char)((uint8_t)payload.ptr[i] ^ MASK[i % 4]));
	ck_assert(!buf_has_failed(out));
}

void raw_send_frame(struct raw *raw, uint8_t first, struct slice payload)
{
	struct buf frame;
	buf_init(&frame);
	if (first == WHOLE_TEXT)
		recording_add(raw->recording, '>', payload);
	raw_frame_append(&frame, first, payload);
	raw_send(raw, buf_slice(&frame));
	buf_fini(&frame);
}

void raw_send_close(struct raw *raw, uint16_t code)
{
	char payload[2] = {(char)(code >> 8), (char)code};
	raw_send_frame(raw, 0x88, (struct slice){payload, 2});
}

/* The length of the whole frame at the front of the buffer, 0 when more is needed. Does not judge it: that is the test's. */
static size_t split_frame(const struct buf *in, struct raw_frame *ret_frame)
{
	const uint8_t *bytes = (const uint8_t *)in->bytes;
	if (in->len < 2)
		return 0;
	uint64_t len = bytes[1] & 0x7F;
	size_t more = len == 126 ? 2 : len == 127 ? 8 : 0;
	size_t head = 2 + more + (bytes[1] & 0x80 ? 4 : 0);
	if (in->len < head)
		return 0;
	for (size_t i = 0; i < more; i++)
		len = (i ? len << 8 : 0) | bytes[2 + i];
	if (in->len - head < len)
		return 0;
	*ret_frame = (struct raw_frame){bytes[0], bytes[1] & 0x80, {in->bytes + head, (size_t)len}};
	return head + (size_t)len;
}

enum raw_read raw_try_frame(struct raw *raw, struct raw_frame *ret_frame, struct deadline deadline)
{
	for (;;) {
		size_t len = split_frame(&raw->in, ret_frame);
		if (len) {
			buf_clear(&raw->last);
			buf_append_slice(&raw->last, ret_frame->payload);
			ret_frame->payload = buf_slice(&raw->last);
			buf_drop_front(&raw->in, len);
			if (ret_frame->first == WHOLE_TEXT)
				recording_add(raw->recording, '<', ret_frame->payload);
			return RAW_FRAME;
		}
		enum raw_read got = receive(raw, deadline);
		if (got != RAW_FRAME)
			return got;
	}
}

void raw_read_frame(struct raw *raw, struct raw_frame *ret_frame)
{
	enum raw_read got = raw_try_frame(raw, ret_frame, deadline_in(DEADLINE_MS));
	ck_assert_msg(got == RAW_FRAME, got == RAW_END ? "the peer closed in place of a frame" : "no frame came in time");
}

void raw_expect_text(struct raw *raw, const char *text, struct raw_frame *ret_frame)
{
	struct raw_frame frame;
	do
		raw_read_frame(raw, &frame);
	while (frame.first != 0x81 || !frame.payload.len || !memmem(frame.payload.ptr, frame.payload.len, text, strlen(text)));
	if (ret_frame)
		*ret_frame = frame;
}

void raw_expect_close(struct raw *raw, uint16_t code)
{
	struct raw_frame frame;
	do
		raw_read_frame(raw, &frame);
	while (frame.first != 0x88);
	ck_assert_uint_ge(frame.payload.len, 2);
	unsigned got = (unsigned)((uint8_t)frame.payload.ptr[0] << 8 | (uint8_t)frame.payload.ptr[1]);
	ck_assert_msg(got == code, "close code %u (%.*s), not %u", got, (int)frame.payload.len - 2, frame.payload.ptr + 2, code);
	raw_send_close(raw, code);
	raw_expect_end(raw);
}

void raw_expect_end(struct raw *raw)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	enum raw_read got;
	while ((got = receive(raw, deadline)) == RAW_FRAME)
		buf_clear(&raw->in);
	ck_assert_msg(got == RAW_END, "the peer keeps the connection open");
}

void raw_expect_silence(struct raw *raw, uint64_t ms)
{
	struct raw_frame frame;
	enum raw_read got = raw_try_frame(raw, &frame, deadline_in(ms));
	ck_assert_msg(got == RAW_LATE, got == RAW_END ? "the peer closed" : "the peer sent something");
}

int raw_http_get(uint16_t port, const char *path, struct buf *ret_body)
{
	struct raw raw;
	struct buf request;
	if (!try_connect(&raw, port, 0))
		return 0;
	buf_init(&request);
	buf_printf(&request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path);
	char *head = raw_try_send(&raw, buf_slice(&request)) ? raw_read_head(&raw) : NULL;
	buf_fini(&request);
	int status = raw_head_status(head);
	free(head);
	while (status && receive(&raw, deadline_in(DEADLINE_MS)) == RAW_FRAME)
		;
	if (ret_body)
		buf_append_slice(ret_body, buf_slice(&raw.in));
	raw_close(&raw);
	return status;
}

#define _GNU_SOURCE /* accept4, memmem */
#include "tests/support/fake_node.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/client/sha1.h"
#include "common/codec/base64.h"
#include "common/codec/wsframe.h"
#include "tests/support/deadline.h"

#define BEAT_MS 5
#define READ_BYTES 65536
#define KEY_HEADER "Sec-WebSocket-Key: "
#define KEY_CHARS 24

void fake_node_open(struct fake_node *node)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	*node = (struct fake_node){.fd = -1};
	node->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert(bind(node->listener, (struct sockaddr *)&address, len) == 0 && listen(node->listener, 8) == 0);
	ck_assert_int_eq(getsockname(node->listener, (struct sockaddr *)&address, &len), 0);
	node->port = ntohs(address.sin_port);
	snprintf(node->url, sizeof node->url, "ws://127.0.0.1:%u", node->port);
}

void fake_node_deafen(struct fake_node *node)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(node->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;
	close(node->listener);
	node->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(node->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	ck_assert_int_eq(bind(node->listener, (struct sockaddr *)&address, sizeof address), 0);
}

static void hang_up(struct fake_node *node)
{
	if (node->fd >= 0)
		close(node->fd);
	node->fd = -1;
	buf_clear(&node->in);
}

void fake_node_close(struct fake_node *node)
{
	hang_up(node);
	close(node->listener);
	buf_fini(&node->head);
	buf_fini(&node->in);
	buf_fini(&node->message);
}

void fake_node_cut(struct fake_node *node)
{
	struct linger linger = {.l_onoff = 1};
	setsockopt(node->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	hang_up(node);
}

static void turn(struct tgc_client *client, struct deadline deadline, const char *wanted)
{
	ck_assert_msg(!deadline_has_passed(deadline), "%s never came", wanted);
	if (!client || tgc_poll(client, BEAT_MS) == TGC_ENDED)
		deadline_next_look(deadline);
}

/* False: the end of what the client says. */
static bool receive(struct fake_node *node, struct tgc_client *client, struct deadline deadline, const char *wanted)
{
	char bytes[READ_BYTES];
	for (;;) {
		ssize_t got = recv(node->fd, bytes, sizeof bytes, 0);
		if (got > 0)
			buf_append(&node->in, bytes, (size_t)got);
		if (got >= 0 || errno != EAGAIN)
			return got > 0;
		turn(client, deadline, wanted);
	}
}

void fake_node_accept(struct fake_node *node, struct tgc_client *client)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	const char *end;
	ck_assert_int_eq(node->fd, -1);
	while ((node->fd = accept4(node->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
		turn(client, deadline, "a connection");
	while (!node->in.len || !(end = memmem(node->in.bytes, node->in.len, "\r\n\r\n", 4)))
		ck_assert_msg(receive(node, client, deadline, "a request"), "the client hung up in place of a request");
	size_t len = (size_t)(end - node->in.bytes) + 4;
	buf_clear(&node->head);
	buf_append(&node->head, node->in.bytes, len);
	buf_append_char(&node->head, '\0');
	buf_drop_front(&node->in, len);
}

void fake_node_write(struct fake_node *node, struct slice bytes)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (bytes.len) {
		ssize_t sent = send(node->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
		ck_assert_msg(sent > 0 || errno == EAGAIN, "the client takes nothing: %s", strerror(errno));
		if (sent > 0)
			bytes = (struct slice){bytes.ptr + sent, bytes.len - (size_t)sent};
		else
			ck_assert(deadline_next_look(deadline));
	}
}

void fake_node_upgrade(struct fake_node *node)
{
	char text[KEY_CHARS + 37], accept[BASE64_LEN(TGC_SHA1_BYTES)];
	uint8_t digest[TGC_SHA1_BYTES];
	const char *key = strstr(node->head.bytes, KEY_HEADER);
	ck_assert_ptr_nonnull(key);
	snprintf(text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", KEY_CHARS, key + strlen(KEY_HEADER));
	tgc_sha1(slice_of(text), digest);
	base64_encode((struct slice){(const char *)digest, sizeof digest}, accept);
	struct buf answer;
	buf_init(&answer);
	buf_printf(&answer,
		   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
		   (int)sizeof accept, accept);
	fake_node_write(node, buf_slice(&answer));
	buf_fini(&answer);
}

void fake_node_welcome(struct fake_node *node, struct tgc_client *client, unsigned heartbeat_ms)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	struct tgc_status status;
	char welcome[160];
	snprintf(welcome, sizeof welcome,
		 "{\"op\":\"welcome\",\"node\":\"n\",\"client\":\"1\",\"heartbeatMs\":%u,\"auth\":true,\"limits\":{\"messageBytes\":65536}}",
		 heartbeat_ms);
	fake_node_accept(node, client);
	fake_node_upgrade(node);
	fake_node_send(node, welcome);
	if (!client)
		return;
	for (tgc_status(client, &status); status.state != TGC_OPEN; tgc_status(client, &status))
		turn(client, deadline, "an open client");
}

void fake_node_send(struct fake_node *node, const char *json)
{
	uint8_t header[WSFRAME_HEADER_MAX];
	size_t len = wsframe_header(header, WSFRAME_TEXT, strlen(json));
	fake_node_write(node, (struct slice){(const char *)header, len});
	fake_node_write(node, slice_of(json));
}

void fake_node_send_close(struct fake_node *node, uint16_t code, const char *reason)
{
	uint8_t frame[2 + WSFRAME_CONTROL_MAX];
	fake_node_write(node, (struct slice){(const char *)frame, wsframe_close(frame, code, slice_of(reason))});
}

struct slice fake_node_read_frame(struct fake_node *node, struct tgc_client *client, unsigned op)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	struct wsframe frame;
	enum err error;
	while ((error = wsframe_read(buf_slice(&node->in), &frame)) == ERR_AGAIN || node->in.len < frame.header_len + frame.payload_len)
		ck_assert_msg(receive(node, client, deadline, "a frame"), "the client hung up in place of a frame");
	ck_assert_int_eq(error, OK);
	ck_assert_msg(frame.masked && frame.final, "a frame that a client must not send");
	ck_assert_uint_eq(frame.op, op);
	buf_clear(&node->message);
	buf_append(&node->message, node->in.bytes + frame.header_len, (size_t)frame.payload_len);
	buf_append_char(&node->message, '\0');
	wsframe_mask((uint8_t *)node->message.bytes, (size_t)frame.payload_len, frame.mask);
	buf_drop_front(&node->in, frame.header_len + (size_t)frame.payload_len);
	return (struct slice){node->message.bytes, (size_t)frame.payload_len};
}

const char *fake_node_read(struct fake_node *node, struct tgc_client *client)
{
	return fake_node_read_frame(node, client, WSFRAME_TEXT).ptr;
}

void fake_node_expect_end(struct fake_node *node, struct tgc_client *client)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (receive(node, client, deadline, "the client's end"))
		;
	hang_up(node);
}

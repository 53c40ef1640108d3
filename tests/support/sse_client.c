#define _GNU_SOURCE
#include "tests/support/sse_client.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES 65536
#define LOOK_MS 50

static void ask(struct sse_client *client, const char *target, const char *fields)
{
	char request[2048];
	int len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n%s\r\n",
			   target, fields);
	ck_assert_int_lt(len, (int)sizeof request);
	raw_send_text(&client->raw, request);
	sse_client_begin(client);
}

void sse_client_open(struct sse_client *client, uint16_t port, const char *target, const char *fields)
{
	raw_connect(&client->raw, port);
	ask(client, target, fields);
}

void sse_client_open_small(struct sse_client *client, uint16_t port, const char *target, const char *fields)
{
	raw_connect_small(&client->raw, port, 4096);
	ask(client, target, fields);
}

void sse_client_reopen(struct sse_client *client, uint16_t port, const char *target)
{
	char field[128], last_id[sizeof client->last_id];
	memcpy(last_id, client->last_id, sizeof last_id);
	snprintf(field, sizeof field, "Last-Event-ID: %s\r\n", last_id);
	sse_client_open(client, port, target, last_id[0] ? field : "");
	memcpy(client->last_id, last_id, sizeof last_id);
}

void sse_client_begin(struct sse_client *client)
{
	char *head = raw_read_head(&client->raw);
	ck_assert_msg(raw_head_status(head) == 200, "%s%.*s", head ? head : "no answer", (int)client->raw.in.len,
		      client->raw.in.bytes ? client->raw.in.bytes : "");
	ck_assert_uint_lt(strlen(head), sizeof client->head);
	strcpy(client->head, head);
	free(head);
	ck_assert_ptr_nonnull(strstr(client->head, "\r\nContent-Type: text/event-stream\r\n"));
	client->is_chunked = strstr(client->head, "\r\nTransfer-Encoding: chunked\r\n") != NULL;
	client->chunk_left = 0;
	client->has_chunk = client->has_ended = client->is_whole = false;
	client->last_id[0] = '\0';
	sse_reader_init(&client->reader);
}

void sse_client_close(struct sse_client *client)
{
	raw_close(&client->raw);
	sse_reader_fini(&client->reader);
}

static void end(struct sse_client *client, bool is_whole)
{
	client->has_ended = true;
	client->is_whole = is_whole;
}

/* Takes the line in front of a chunk, and the line end behind the one before. False: it is not there yet, or the stream has ended. */
static bool begin_chunk(struct sse_client *client)
{
	struct buf *in = &client->raw.in;
	size_t skipped = client->has_chunk ? 2 : 0;
	const char *line_end = in->len > skipped ? memmem(in->bytes + skipped, in->len - skipped, "\r\n", 2) : NULL;
	if (!line_end)
		return false;
	ck_assert(memcmp(in->bytes, "\r\n", skipped) == 0);
	char *after;
	client->chunk_left = strtoul(in->bytes + skipped, &after, 16);
	ck_assert_ptr_eq(after, line_end);
	client->has_chunk = true;
	if (client->chunk_left == 0)
		end(client, true);
	buf_drop_front(in, (size_t)(line_end - in->bytes) + 2);
	return client->chunk_left > 0;
}

/* Gives what was received to the reader. */
static void feed(struct sse_client *client)
{
	struct buf *in = &client->raw.in;
	while (in->len && !client->has_ended) {
		if (client->is_chunked && client->chunk_left == 0 && !begin_chunk(client))
			return;
		size_t len = client->is_chunked && client->chunk_left < in->len ? client->chunk_left : in->len;
		sse_reader_feed(&client->reader, (struct slice){in->bytes, len});
		buf_drop_front(in, len);
		client->chunk_left -= client->is_chunked ? len : 0;
	}
}

static void receive(struct sse_client *client)
{
	static char bytes[READ_BYTES];
	ssize_t got = recv(client->raw.fd, bytes, sizeof bytes, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		end(client, got == 0 && !client->is_chunked);
	else
		buf_append(&client->raw.in, bytes, (size_t)got);
}

static void note_id(struct sse_client *client)
{
	const struct buf *id = &client->reader.last_id;
	ck_assert_uint_lt(id->len, sizeof client->last_id);
	snprintf(client->last_id, sizeof client->last_id, "%.*s", (int)id->len, id->bytes ? id->bytes : "");
}

enum sse_read sse_client_next(struct sse_client *client, struct sse_message *ret_message, struct deadline deadline)
{
	for (;;) {
		feed(client);
		bool has_one = sse_reader_next(&client->reader, ret_message);
		if (client->reader.last_id.len)
			note_id(client);
		if (has_one)
			return SSE_MESSAGE;
		if (client->has_ended)
			return SSE_END;
		if (!deadline_wait_fd(client->raw.fd, POLLIN, deadline))
			return SSE_LATE;
		receive(client);
	}
}

void sse_client_expect(struct sse_client *client, const char *type, const char *part)
{
	struct sse_message message;
	enum sse_read read = sse_client_next(client, &message, deadline_in(DEADLINE_MS));
	ck_assert_msg(read == SSE_MESSAGE, "%s instead of a %s with %s", read == SSE_END ? "the end" : "silence", type, part);
	ck_assert_msg(slice_is(message.type, type) && memmem(message.data.ptr, message.data.len, part, strlen(part)),
		      "%.*s %.*s is no %s with %s", (int)message.type.len, message.type.ptr, (int)message.data.len, message.data.ptr,
		      type, part);
}

void sse_client_wait_comments(struct sse_client *client, size_t comments)
{
	struct sse_message message;
	struct deadline deadline = deadline_in(DEADLINE_MS);
	do {
		ck_assert_int_eq(sse_client_next(client, &message, deadline_in(LOOK_MS)), SSE_LATE);
		ck_assert_msg(!deadline_has_passed(deadline), "%zu comments only", client->reader.comments);
	} while (client->reader.comments < comments);
}

void sse_client_expect_end(struct sse_client *client)
{
	struct sse_message message;
	ck_assert_int_eq(sse_client_next(client, &message, deadline_in(DEADLINE_MS)), SSE_END);
	ck_assert_msg(client->is_whole, "the stream was cut off");
	ck_assert_uint_eq(client->reader.line.len + client->reader.data.len, 0);
}

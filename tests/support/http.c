#define _GNU_SOURCE
#include "tests/support/http.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES 65536

void http_answer_free(struct http_answer *answer)
{
	buf_fini(&answer->body);
	answer->status = 0;
}

/* False: the connection has ended. */
static bool receive(struct raw *raw)
{
	static char bytes[READ_BYTES];
	ck_assert_msg(deadline_wait_fd(raw->fd, POLLIN, deadline_in(DEADLINE_MS)), "no more of the answer comes: %.*s",
		      (int)raw->in.len, raw->in.bytes ? raw->in.bytes : "");
	ssize_t got = recv(raw->fd, bytes, sizeof bytes, 0);
	if (got < 0 && errno == EAGAIN)
		return true;
	if (got > 0)
		buf_append(&raw->in, bytes, (size_t)got);
	return got > 0;
}

/* Moves bytes from what was received to the body. False: the connection ended before. */
static bool take(struct raw *raw, size_t bytes, struct buf *body)
{
	while (bytes) {
		size_t len = raw->in.len < bytes ? raw->in.len : bytes;
		buf_append(body, raw->in.bytes, len);
		buf_drop_front(&raw->in, len);
		bytes -= len;
		if (bytes && !receive(raw))
			return false;
	}
	return true;
}

static bool read_chunks(struct raw *raw, size_t enough, struct buf *body)
{
	for (;;) {
		char *end;
		while (!raw->in.len || !(end = memmem(raw->in.bytes, raw->in.len, "\r\n", 2)))
			if (!receive(raw))
				return false;
		*end = '\0';
		char *after;
		size_t size = strtoul(raw->in.bytes, &after, 16);
		ck_assert_msg(after == end && end != raw->in.bytes, "the size of a chunk is \"%s\"", raw->in.bytes);
		buf_drop_front(&raw->in, (size_t)(end - raw->in.bytes) + 2);
		struct buf crlf;
		buf_init(&crlf);
		bool is_there = take(raw, size, body) && take(raw, 2, &crlf);
		ck_assert(!is_there || slice_is(buf_slice(&crlf), "\r\n"));
		buf_fini(&crlf);
		if (!is_there || size == 0 || body->len >= enough)
			return is_there;
	}
}

bool http_has_field(const struct http_answer *answer, const char *line)
{
	char text[512];
	snprintf(text, sizeof text, "\r\n%s\r\n", line);
	return strstr(answer->head, text) != NULL;
}

static void read_head(struct raw *raw, struct http_answer *ret_answer)
{
	*ret_answer = (struct http_answer){.status = 0};
	buf_init(&ret_answer->body);
	char *head = raw_read_head(raw);
	if (!head)
		return;
	ck_assert_uint_lt(strlen(head), sizeof ret_answer->head);
	strcpy(ret_answer->head, head);
	free(head);
	ret_answer->status = raw_head_status(ret_answer->head);
	ck_assert_int_ne(ret_answer->status, 0);
}

void http_read_head_only(struct raw *raw, struct http_answer *ret_answer)
{
	read_head(raw, ret_answer);
	ret_answer->is_whole = ret_answer->status != 0;
}

void http_read_some(struct raw *raw, size_t bytes, struct http_answer *ret_answer)
{
	read_head(raw, ret_answer);
	if (!ret_answer->status)
		return;
	struct buf *body = &ret_answer->body;
	const char *length = strstr(ret_answer->head, "\r\nContent-Length: ");
	ret_answer->is_chunked = http_has_field(ret_answer, "Transfer-Encoding: chunked");
	ret_answer->has_length = length != NULL;
	ck_assert(!ret_answer->is_chunked || !length);
	if (ret_answer->is_chunked) {
		ret_answer->is_whole = read_chunks(raw, bytes, body);
	} else if (length) {
		size_t whole = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
		ret_answer->is_whole = take(raw, whole < bytes ? whole : bytes, body);
	} else {
		ck_assert(http_has_field(ret_answer, "Connection: close"));
		ret_answer->is_whole = true;
		do
			take(raw, raw->in.len, body); /* some of it may have come with the head */
		while (body->len < bytes && receive(raw));
	}
	buf_append_char(body, '\0');
	body->len--;
}

void http_read(struct raw *raw, struct http_answer *ret_answer)
{
	http_read_some(raw, SIZE_MAX, ret_answer);
}

void http_ask(struct raw *raw, const char *head, const char *body, struct http_answer *ret_answer)
{
	struct buf request;
	buf_init(&request);
	buf_append_text(&request, head);
	if (body)
		buf_printf(&request, "Content-Length: %zu\r\n", strlen(body));
	buf_append_text(&request, "\r\n");
	buf_append_text(&request, body ? body : "");
	raw_send(raw, buf_slice(&request));
	buf_fini(&request);
	if (strncmp(head, "HEAD ", 5) == 0 || strncmp(head, "OPTIONS ", 8) == 0)
		http_read_head_only(raw, ret_answer);
	else
		http_read(raw, ret_answer);
}

void http_ask_once(uint16_t port, const char *head, const char *body, struct http_answer *ret_answer)
{
	struct raw raw;
	raw_connect(&raw, port);
	http_ask(&raw, head, body, ret_answer);
	raw_close(&raw);
}

void http_expect(const struct http_answer *answer, int status, const char *part)
{
	ck_assert_msg(answer->status == status, "status %d: %s%s", answer->status, answer->head,
		      answer->body.bytes ? answer->body.bytes : "");
	ck_assert_msg(answer->is_whole, "the connection ended inside the body");
	if (part)
		ck_assert_msg(answer->body.bytes && strstr(answer->body.bytes, part), "no %s in %s", part,
			      answer->body.bytes ? answer->body.bytes : "nothing");
}

#include "tests/support/watcher.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/client/elements.h"
#include "common/codec/json.h"

#define SMALL_BYTES 4096

static struct slice find(struct slice json, const char *pointer)
{
	struct slice raw = SLICE_NONE;
	enum json_kind kind;
	(void)json_find(json, slice_of(pointer), &raw, &kind);
	return raw;
}

static struct slice unquote(struct slice raw)
{
	return raw.len >= 2 && raw.ptr[0] == '"' ? (struct slice){raw.ptr + 1, raw.len - 2} : SLICE_NONE;
}

static void open_with(struct watcher *watcher, uint16_t port, const char *members, int receive_buffer_bytes)
{
	struct buf request;
	*watcher = (struct watcher){.rest = SLICE_NONE};
	raw_connect_small(&watcher->raw, port, receive_buffer_bytes);
	ck_assert_int_eq(raw_handshake(&watcher->raw, "/v1/stream", ""), 101);
	raw_expect_text(&watcher->raw, "\"op\":\"welcome\"", NULL);
	buf_init(&request);
	buf_printf(&request, "{\"id\":1,\"op\":\"subscribe\"%s%s}", *members ? "," : "", members);
	buf_append_char(&request, '\0');
	struct slice reply = watcher_ask(watcher, request.bytes);
	buf_append_slice(&watcher->sub, unquote(find(reply, "/ok/sub")));
	ck_assert_msg(watcher->sub.len > 0, "%s: %.*s", request.bytes, (int)reply.len, reply.ptr);
	buf_fini(&request);
}

void watcher_open(struct watcher *watcher, uint16_t port, const char *members)
{
	open_with(watcher, port, members, 0);
}

void watcher_open_small(struct watcher *watcher, uint16_t port, const char *members)
{
	open_with(watcher, port, members, SMALL_BYTES);
}

void watcher_close(struct watcher *watcher)
{
	raw_close(&watcher->raw);
	buf_fini(&watcher->message);
	buf_fini(&watcher->sub);
	buf_fini(&watcher->text);
}

static enum watched_kind take_event(struct watcher *watcher, struct slice element, struct watched *watched)
{
	struct slice channel = unquote(find(element, "/channel"));
	buf_clear(&watcher->text);
	char *text = buf_extend(&watcher->text, channel.len + 1);
	ck_assert_ptr_nonnull(text);
	watched->json = element;
	watched->sub = unquote(find(buf_slice(&watcher->message), "/sub"));
	watched->channel = (struct slice){text, json_unescape(channel, text)};
	watched->data = find(element, "/data");
	watched->format = unquote(find(element, "/format"));
	return watched->kind = WATCHED_EVENT;
}

/* What one message is; of a batch, its first event. */
static enum watched_kind take_message(struct watcher *watcher, struct watched *watched)
{
	struct slice message = buf_slice(&watcher->message), op = unquote(find(message, "/op")), element, dropped;
	struct json_error error;
	ck_assert_msg(json_is_valid(message, NULL, &error), "no JSON: %s at %zu", error.message, error.at);
	watched->json = message;
	watched->sub = unquote(find(message, "/sub"));
	if (slice_is(op, "events")) {
		watcher->rest = find(message, "/events");
		ck_assert_msg(tgc_elements_next(&watcher->rest, &element), "a batch without events");
		return take_event(watcher, element, watched);
	}
	if (slice_is(op, "notice"))
		return watched->kind = WATCHED_NOTICE;
	if (op.len == 0)
		return watched->kind = WATCHED_REPLY;
	ck_assert_msg(slice_is(op, "gap"), "an unknown message: %.*s", (int)message.len, message.ptr);
	dropped = find(message, "/dropped");
	watched->dropped = dropped.len ? strtoull(dropped.ptr, NULL, 10) : 0;
	return watched->kind = WATCHED_GAP;
}

static enum watched_kind take_close(const struct raw_frame *frame, struct watched *watched)
{
	ck_assert_uint_eq(frame->first, 0x88);
	if (frame->payload.len >= 2)
		watched->code = (unsigned)((uint8_t)frame->payload.ptr[0] << 8 | (uint8_t)frame->payload.ptr[1]);
	return watched->kind = WATCHED_CLOSE;
}

enum watched_kind watcher_next(struct watcher *watcher, struct watched *ret_watched, struct deadline deadline)
{
	struct slice element;
	struct raw_frame frame;
	*ret_watched = (struct watched){.kind = WATCHED_END};
	if (tgc_elements_next(&watcher->rest, &element))
		return take_event(watcher, element, ret_watched);
	for (;;) {
		enum raw_read got = raw_try_frame(&watcher->raw, &frame, deadline);
		if (got != RAW_FRAME)
			return ret_watched->kind = got == RAW_END ? WATCHED_END : WATCHED_LATE;
		ck_assert_msg(!frame.masked, "a masked frame from the server");
		if (frame.first == 0x89) {
			raw_send_frame(&watcher->raw, 0x8A, frame.payload);
			continue;
		}
		if (frame.first != 0x81)
			return take_close(&frame, ret_watched);
		buf_clear(&watcher->message);
		buf_append_slice(&watcher->message, frame.payload);
		return take_message(watcher, ret_watched);
	}
}

void watcher_expect(struct watcher *watcher, const char *data)
{
	struct watched watched;
	enum watched_kind kind = watcher_next(watcher, &watched, deadline_in(DEADLINE_MS));
	ck_assert_msg(kind == WATCHED_EVENT && slice_is(watched.data, data), "kind %d, %.*s, not the event %s", (int)kind,
		      (int)watched.json.len, watched.json.ptr ? watched.json.ptr : "", data);
}

uint64_t watcher_skip_to(struct watcher *watcher, const char *data, uint64_t *ret_dropped)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	struct watched watched;
	for (uint64_t events = 0;; events += watched.kind == WATCHED_EVENT) {
		enum watched_kind kind = watcher_next(watcher, &watched, deadline);
		if (kind == WATCHED_GAP && ret_dropped)
			*ret_dropped += watched.dropped;
		ck_assert_msg(kind <= WATCHED_REPLY, "the event %s never came; kind %d, code %u", data, (int)kind, watched.code);
		if (kind == WATCHED_EVENT && slice_is(watched.data, data))
			return events;
	}
}

struct slice watcher_ask(struct watcher *watcher, const char *request)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	struct watched watched;
	raw_send_frame(&watcher->raw, 0x81, slice_of(request));
	do
		ck_assert_msg(watcher_next(watcher, &watched, deadline) <= WATCHED_REPLY, "no reply to %s", request);
	while (watched.kind != WATCHED_REPLY);
	return watched.json;
}

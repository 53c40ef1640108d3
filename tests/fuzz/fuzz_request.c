/* Each line is a message of a client, is recorded and delivered, and stands in a log that questions about the past are answered
 * from; every fifth fails. Whatever the lines are, the session answers in whole frames of valid JSON, and can be closed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/codec/json.h"
#include "common/codec/wsframe.h"
#include "gateway/auth/grants.h"
#include "gateway/feed/intake.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/session.h"
#include "tests/fuzz/past.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool is_closed; /* by the session */
static bool is_clear(const struct port *port)
{
	(void)port;
	return true;
}

static enum port_result judge_frames(struct port *port, struct slice frames)
{
	(void)port;
	while (frames.len) {
		struct wsframe frame;
		check(wsframe_read(frames, &frame) == OK && frame.payload_len <= frames.len - frame.header_len);
		struct slice payload = {frames.ptr + frame.header_len, (size_t)frame.payload_len};
		check(frame.op == WSFRAME_PING || (frame.op == WSFRAME_TEXT && json_is_valid(payload, NULL, NULL)));
		frames.ptr += frame.header_len + payload.len;
		frames.len -= frame.header_len + payload.len;
	}
	return PORT_SENT;
}

static void note_close(struct port *port, uint16_t code, const char *reason)
{
	(void)port;
	check(wsframe_is_close_code(code) && strlen(reason) <= WSFRAME_REASON_MAX);
	is_closed = true;
}

static void say_and_publish(struct exchange *exchange, struct session *session, struct slice line)
{
	session_message(session, line);
	past_record(exchange, slice_of("trace:s1"), line);
	clock_fake_advance_ms(1);
	exchange_end_turn(exchange);
	past_answer(exchange, 2);
}

static void converse(struct exchange *exchange, const char *at, const char *end)
{
	static const struct port_ops ops = {.is_clear = is_clear, .send = judge_frames, .close = note_close};
	struct port port = {.ops = &ops};
	struct grants *grants = grants_new(SLICE_LITERAL("anonymous"));
	struct session *session = grants ? session_open(exchange, &front_json, &port, grants) : NULL;
	grants_unref(grants);
	check(session);
	is_closed = false;
	past_begin(exchange);
	while (at < end && !is_closed) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		struct slice line = {at, (size_t)((line_end ? line_end : end) - at)};
		say_and_publish(exchange, session, line);
		at += line.len + (line_end != NULL);
	}
	past_answer(exchange, 100);
	session_close(session, CLOSE_NORMAL);
	check(is_closed);
	session_closed(session);
	past_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct exchange_settings settings = past_settings();
	clock_fake(NS_PER_S, WALL_MS);
	check(metrics_join() == OK);
	struct exchange *exchange = exchange_new(&settings);
	check(exchange);
	if (len)
		converse(exchange, (const char *)bytes, (const char *)bytes + len);
	exchange_free(exchange);
	metrics_reset();
	clock_real();
	return 0;
}

/* A peer for tests of the session room: a port that keeps what it is sent, can be made to buffer, and is asked for whole
 * messages. And an exchange on a fake clock, with short words for the usual steps. */
#ifndef TESTS_UNIT_SESSION_FAKE_PEER_H
#define TESTS_UNIT_SESSION_FAKE_PEER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/codec/wsframe.h"
#include "common/data/buf.h"
#include "gateway/auth/grants.h"
#include "gateway/feed/intake.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange.h"
#include "gateway/session/session.h"

#define UNUSED __attribute__((unused))
#define WALL_MS UINT64_C(1764031200123)

struct peer {
	struct port port;
	struct buf received;
	size_t read;          /* bytes of received that were looked at */
	bool is_stuck;        /* the next send is buffered, and the port is not clear */
	bool is_buffering;
	uint16_t close_code;  /* 0: not closed */
	char close_reason[128];
	struct port_delivery delivery;
	struct session *session;
};

static inline struct peer *peer_of(const struct port *port)
{
	return (struct peer *)(uintptr_t)port;
}

static inline bool fake_is_clear(const struct port *port)
{
	return !peer_of(port)->is_buffering;
}

static inline enum port_result fake_send(struct port *port, struct slice frame)
{
	struct peer *peer = peer_of(port);
	ck_assert(!peer->is_buffering);
	buf_append_slice(&peer->received, frame);
	peer->is_buffering = peer->is_stuck;
	return peer->is_stuck ? PORT_BUFFERED : PORT_SENT;
}

static inline void fake_close(struct port *port, uint16_t code, const char *reason)
{
	struct peer *peer = peer_of(port);
	if (peer->close_code)
		return;
	peer->close_code = code;
	snprintf(peer->close_reason, sizeof peer->close_reason, "%s", reason);
}

static inline struct port_delivery fake_delivery(const struct port *port)
{
	return peer_of(port)->delivery;
}

static const struct port_ops fake_ops = {.is_clear = fake_is_clear, .send = fake_send, .close = fake_close, .delivery = fake_delivery};

static const struct slice fake_patterns[] = {{"trace:*", 7}, {"agent:*", 7}, {"swarm:*", 7}, {"performance:*", 13}};

static inline struct exchange_settings fake_settings(void)
{
	return (struct exchange_settings){
		.node = "n1",
		.version = "test",
		.served = {fake_patterns, 4},
		.heartbeat_ns = 20 * NS_PER_S,
		.batch_max_delay_ns = 50 * NS_PER_MS,
		.batch_max_events = 1000,
		.batch_max_bytes = 64 * 1024,
		.slow_threshold_bytes = 4096,
		.subscriptions_max = 3,
		.message_bytes_max = 4096,
		.commands_per_second = 0,
		.delta_bytes_max = 64 * 1024,
	};
}

static inline void fake_start(void)
{
	clock_fake(NS_PER_S, WALL_MS);
	ck_assert_int_eq(metrics_join(), OK);
}

static inline void fake_end(void)
{
	metrics_reset();
	clock_real();
}

/* All is granted to it, as to an anonymous client. */
static inline struct grants *fake_grants(void)
{
	struct grants *grants = grants_new(SLICE_LITERAL("anonymous"));
	ck_assert_ptr_nonnull(grants);
	grants->has_system = true;
	return grants;
}

/* grants: NULL: the peer has yet to say who it is. */
static UNUSED void peer_connect_as(struct peer *peer, struct exchange *exchange, struct grants *grants)
{
	*peer = (struct peer){.port = {.ops = &fake_ops}};
	peer->session = session_open(exchange, &front_json, &peer->port, grants);
	ck_assert_ptr_nonnull(peer->session);
}

static UNUSED void peer_connect(struct peer *peer, struct exchange *exchange)
{
	struct grants *grants = fake_grants();
	peer_connect_as(peer, exchange, grants);
	grants_unref(grants);
}

static UNUSED void peer_leave(struct peer *peer)
{
	session_closed(peer->session);
	buf_fini(&peer->received);
}

/* The next message that the peer got, NUL-terminated, valid until the next call; NULL: there is none. */
static UNUSED const char *peer_next(struct peer *peer)
{
	static char text[1 << 20];
	struct slice rest = {peer->received.bytes + peer->read, peer->received.len - peer->read};
	struct wsframe frame;
	if (rest.len == 0)
		return NULL;
	ck_assert_int_eq(wsframe_read(rest, &frame), OK);
	ck_assert(frame.final && !frame.masked);
	ck_assert_uint_le(frame.header_len + frame.payload_len, rest.len);
	ck_assert_uint_lt(frame.payload_len, sizeof text);
	memcpy(text, rest.ptr + frame.header_len, frame.payload_len);
	text[frame.payload_len] = '\0';
	peer->read += frame.header_len + (size_t)frame.payload_len;
	return frame.op == WSFRAME_PING ? "<ping>" : text;
}

static UNUSED void peer_expect(struct peer *peer, const char *wanted)
{
	const char *got = peer_next(peer);
	if (wanted)
		ck_assert_pstr_eq(got, wanted);
	else
		ck_assert_msg(!got, "expected nothing, got %s", got);
}

static UNUSED void peer_expect_part(struct peer *peer, const char *part)
{
	const char *got = peer_next(peer);
	ck_assert_msg(got && strstr(got, part), "expected ...%s..., got %s", part, got ? got : "nothing");
}

static UNUSED void peer_says(struct peer *peer, const char *message)
{
	session_message(peer->session, slice_of(message));
}

/* The peer reads again: what was buffered has gone. */
static UNUSED void peer_unstick(struct peer *peer)
{
	peer->is_stuck = peer->is_buffering = false;
	session_writable(peer->session);
}

/* Subscribes and gives the key, valid until the next call. */
static UNUSED const char *peer_subscribes(struct peer *peer, const char *members)
{
	static char request[4096], key[64];
	snprintf(request, sizeof request, "{\"id\":1,\"op\":\"subscribe\"%s%s}", *members ? "," : "", members);
	peer_says(peer, request);
	const char *reply = peer_next(peer);
	ck_assert_ptr_nonnull(reply);
	const char *sub = strstr(reply, "\"sub\":\"");
	ck_assert_msg(sub, "no key in %s", reply);
	ck_assert_int_eq(sscanf(sub, "\"sub\":\"%63[^\"]", key), 1);
	return key;
}

static UNUSED void deliver(struct exchange *exchange, const char *channel, const char *payload)
{
	struct record_batch *batch = record_batch_new(1);
	struct record *record = intake_record(&intake_fields_default, slice_of(channel), slice_of(payload), clock_wall_ms(),
					      clock_mono_ns());
	ck_assert_ptr_nonnull(batch);
	ck_assert_ptr_nonnull(record);
	record_batch_add(batch, record);
	exchange_deliver(exchange, batch);
	record_batch_unref(batch);
}

/* Delivers one event in a turn of its own. */
static UNUSED void publish(struct exchange *exchange, const char *channel, const char *payload)
{
	deliver(exchange, channel, payload);
	exchange_end_turn(exchange);
}

#endif

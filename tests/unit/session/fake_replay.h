/* Short words for tests of replays: a recorded past with times of its own, a replay by request, and a clock that goes
 * from one moment at which something is due to the next. */
#ifndef TESTS_UNIT_SESSION_FAKE_REPLAY_H
#define TESTS_UNIT_SESSION_FAKE_REPLAY_H

#include "fake_past.h"

#include "gateway/session/replay.h"
#include "gateway/session/session_inside.h"

static struct exchange *exchange;
static struct peer peer;

/* Records an event of the session at that time; its number is its place in the log, from 1 on. */
static UNUSED void record_at(uint64_t ms, uint64_t seq, int session)
{
	struct record_id after = fake_last();
	fake_append(
	    (struct fake_event){.id = fake_id(ms, seq), .session = session, .number = (unsigned)past.count + 1});
	deliver_since(exchange, after, past.count - 1);
}

static UNUSED void replay_test_begin(struct exchange_settings settings)
{
	fake_start();
	fake_past_start();
	settings.heartbeat_ns = 1000000 * NS_PER_S;
	exchange = exchange_new(&settings);
	ck_assert_ptr_nonnull(exchange);
	peer_connect(&peer, exchange);
	peer_next(&peer);
	tell_feed(exchange, true);
}

static UNUSED void replay_test_end(void)
{
	peer_leave(&peer);
	ck_assert_int_eq(metric_read(METRIC_REPLAYS), 0);
	ck_assert_int_eq(metric_read(METRIC_SUBSCRIPTIONS), 0);
	ck_assert_uint_eq(past.waiting_count, 0);
	exchange_free(exchange);
	fake_past_end();
	fake_end();
}

/* Asks for a replay, which is given its first key. */
static UNUSED void replays(const char *members)
{
	char request[512];
	snprintf(request, sizeof request, "{\"id\":1,\"op\":\"replay\"%s%s}", *members ? "," : "", members);
	peer_says(&peer, request);
}

static UNUSED void controls(const char *members)
{
	char request[512];
	snprintf(request, sizeof request, "{\"id\":2,\"op\":\"control\",\"replay\":\"r1\",\"do\":%s}", members);
	peer_says(&peer, request);
}

/* The clock stands at the next moment at which something is due. False: nothing is, within some hours. */
static UNUSED bool go_on(void)
{
	settle(exchange);
	uint64_t next_ns = exchange_end_turn(exchange), now_ns = clock_mono_ns();
	if (next_ns == UINT64_MAX || next_ns - now_ns > 20000 * NS_PER_S)
		return false;
	clock_fake(next_ns, WALL_MS + next_ns / NS_PER_MS);
	return true;
}

/* The numbers of the events of a message, at most 4096; 0: it has none. */
static UNUSED size_t numbers_of(const char *message, unsigned *ret_numbers)
{
	size_t count = 0;
	for (const char *at = message; (at = strstr(at, "\"n\":")); at += 4) {
		ck_assert_uint_lt(count, 4096);
		ret_numbers[count++] = (unsigned)strtoul(at + 4, NULL, 10);
	}
	return count;
}

/* The next messages are batches of the replay with these events, each once and in order. */
static UNUSED void expect_replayed(unsigned from, unsigned to)
{
	unsigned numbers[4096], next = from;
	while (next <= to) {
		const char *message = peer_next(&peer);
		ck_assert_msg(message && strstr(message, "{\"op\":\"events\",\"replay\":\"r1\","),
		              "expected event %u, got %s", next, message ? message : "nothing");
		size_t count = numbers_of(message, numbers);
		for (size_t i = 0; i < count; i++)
			ck_assert_uint_eq(numbers[i], next++);
	}
	ck_assert_uint_eq(next, to + 1);
}

#endif

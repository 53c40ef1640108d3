/* Replays on a real node and a real Redis: at the recorded pace, moved about at random, going live under a publisher,
 * through an outage of Redis. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "tests/support/gateway.h"
#include "tests/support/raw.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define SPEED 4
#define TRIALS 5 /* of a measurement, on a machine that may be busy */

static struct redis_server *redis;
static struct gateway *node;
static struct raw client;

static void start(void)
{
	const char *flags[] = {"--history.timeout",
	                       "500ms",
	                       "--limits.commands_per_second",
	                       "0",
	                       "--history.ring_events",
	                       "64",
	                       "--heartbeat.interval",
	                       "5m",
	                       NULL};
	redis = redis_server_start(NULL);
	node = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	raw_open(&client, gateway_port(node));
}

static void stop(void)
{
	raw_close(&client);
	gateway_wait_metric(node, "replays", "", 0);
	gateway_end(node);
	redis_server_free(redis);
}

/* An entry of the session's stream as a recorder would write it: {"n":<number>}. */
static void write_entry(unsigned long long ms, unsigned n)
{
	redis_server_do(redis, "XADD tg:session:s %llu-0 c trace:s p {\"n\":%u}", ms, n);
}

static void say(const char *request)
{
	raw_send_frame(&client, 0x81, slice_of(request));
}

static bool holds(struct slice text, const char *part)
{
	return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* The next message, valid until the next read. What the node says of Redis is no part of a replay. */
static struct slice hear(void)
{
	struct raw_frame frame;
	do
		raw_read_frame(&client, &frame);
	while ((frame.first & 0x0f) != WSFRAME_TEXT || holds(frame.payload, "\"code\":\"redis"));
	return frame.payload;
}

static void expect(const char *part)
{
	struct slice message = hear();
	ck_assert_msg(holds(message, part), "expected ...%s..., got %.*s", part,
	              (int)(message.len < 400 ? message.len : 400), message.ptr);
}

/* Takes the next number out of a message. False: there is none more. */
static bool next_number(struct slice *rest, unsigned *ret_number)
{
	const char *at = memmem(rest->ptr, rest->len, "\"n\":", 4);
	if (!at)
		return false;
	*ret_number = (unsigned)strtoul(at + 4, NULL, 10);
	*rest = (struct slice){at + 4, rest->len - (size_t)(at + 4 - rest->ptr)};
	return true;
}

/* --- Pace
 * ------------------------------------------------------------------------------------------------------------- */

/* How far the time between the first and the last event is off, as a part of what it should be. Events come in order,
 * each once. */
static double measure(unsigned count, uint64_t recorded_ms, int trial)
{
	char request[128];
	uint64_t first_ns = 0, last_ns = 0;
	snprintf(request, sizeof request, "{\"id\":1,\"op\":\"replay\",\"session\":\"s\",\"speed\":%d}", SPEED);
	say(request);
	snprintf(request, sizeof request, "\"replay\":\"r%d\"", trial);
	expect(request);
	for (unsigned wanted = 1, number; wanted <= count;) {
		struct slice message = hear();
		last_ns = clock_mono_ns();
		first_ns = first_ns ? first_ns : last_ns;
		while (next_number(&message, &number))
			ck_assert_uint_eq(number, wanted++);
	}
	expect("replayEnd");
	snprintf(request, sizeof request, "{\"id\":2,\"op\":\"control\",\"replay\":\"r%d\",\"do\":\"stop\"}", trial);
	say(request);
	expect("stopped");
	double due_ns = (double)(recorded_ms * NS_PER_MS) / SPEED, off_ns = (double)(last_ns - first_ns) - due_ns;
	return (off_ns < 0 ? -off_ns : off_ns) / due_ns;
}

START_TEST(takes_its_recorded_time_by_the_speed_within_two_percent)
{
	uint64_t ms = UINT64_C(1764031200000), begin_ms = ms;
	unsigned count = 0;
	double off = 1;
	for (; ms <= begin_ms + 6000; ms += count % 10 == 0 ? 300 : 1 + count % 7 * 10)
		write_entry(ms, ++count);
	write_entry(begin_ms + 6400, ++count);
	for (int trial = 1; trial <= TRIALS && off > 0.02; trial++)
		off = measure(count, 6400, trial);
	ck_assert_msg(off <= 0.02, "it is off by %.1f %%", off * 100);
}
END_TEST

/* --- Moving about
 * ------------------------------------------------------------------------------------------------------ */

#define EVENTS 3000

/* After the reply to a seek everything comes from there on. */
static void expect_from(const char *reply, unsigned wanted)
{
	unsigned number;
	while (!holds(hear(), reply))
		continue;
	struct slice message = hear();
	while (!next_number(&message, &number))
		message = hear();
	do
		ck_assert_uint_eq(number, wanted++);
	while (next_number(&message, &number));
}

START_TEST(is_moved_about_at_random_while_it_plays)
{
	struct random dice = {.state = 4711};
	char request[160], reply[64];
	for (unsigned n = 1; n <= EVENTS; n++)
		write_entry(1000 + n * 10, n);
	say("{\"id\":0,\"op\":\"replay\",\"session\":\"s\",\"speed\":1000}");
	for (unsigned i = 1; i <= 200; i++) {
		unsigned place = 1 + (unsigned)random_below(&dice, EVENTS);
		snprintf(request, sizeof request,
		         "{\"id\":%u,\"op\":\"control\",\"replay\":\"r1\",\"do\":\"seek\",\"to\":\"%u-0\"}", i,
		         1000 + place * 10);
		snprintf(reply, sizeof reply, "{\"id\":%u,\"ok\":{\"at\":\"%u-18446744073709551615\"", i,
		         999 + place * 10);
		say(request);
		say("{\"op\":\"control\",\"replay\":\"r1\",\"do\":\"play\"}"); /* it may have come to its end */
		expect_from(reply, place);
	}
}
END_TEST

START_TEST(is_walked_through_step_by_step_to_the_end_and_back)
{
	char reply[96];
	for (unsigned n = 1; n <= 50; n++)
		write_entry(1000 + n, n);
	say("{\"id\":0,\"op\":\"replay\",\"session\":\"s\",\"from\":\"1001-0\",\"speed\":0.1}");
	expect("\"ok\"");
	expect("\"n\":1}");
	for (unsigned step = 1; step < 99; step++) {
		unsigned wanted = step < 50 ? step + 1 : 99 - step;
		say(step < 50 ? "{\"id\":1,\"op\":\"control\",\"replay\":\"r1\",\"do\":\"step\"}"
		              : "{\"id\":1,\"op\":\"control\",\"replay\":\"r1\",\"do\":\"step\",\"count\":-1}");
		snprintf(reply, sizeof reply, "\"n\":%u}", wanted);
		expect(reply);
		snprintf(reply, sizeof reply, "{\"id\":1,\"ok\":{\"at\":\"%u-0\",\"state\":\"paused\",\"events\":1}}",
		         1000 + wanted);
		expect(reply);
	}
}
END_TEST

/* --- Live
 * ---------------------------------------------------------------------------------------------------------------- */

static unsigned published;

static void publish(unsigned count)
{
	struct publication publications[1000];
	char payloads[1000][32];
	for (unsigned i = 0; i < count; i++) {
		snprintf(payloads[i], sizeof payloads[i], "{\"n\":%u}", ++published);
		publications[i] = (struct publication){slice_of("trace:s"), slice_of(payloads[i])};
	}
	redis_server_publish_many(redis, publications, count);
}

/* Publishes some with every message that comes; gives the number of the last event that it saw. */
static void follow_while_publishing(const char *replay)
{
	bool is_live = false;
	unsigned last = 0, live = 0, number;
	say(replay);
	expect("\"ok\"");
	while (live < 300 || last < published) {
		struct slice message = hear();
		if (holds(message, "\"op\":\"notice\""))
			continue;
		if (holds(message, "\"op\":\"replayEnd\"")) {
			ck_assert(!is_live && holds(message, "\"sub\":\""));
			is_live = true;
			continue;
		}
		ck_assert_msg(holds(message, "\"op\":\"events\""), "%.*s", (int)message.len, message.ptr);
		ck_assert_int_eq(holds(message, "\"sub\":\""), is_live);
		while (next_number(&message, &number)) {
			ck_assert_uint_eq(number, ++last);
			live += is_live;
		}
		if (live < 300)
			publish(7);
	}
}

static void follow_live(const char *replay)
{
	published = 0;
	publish(1000);
	publish(1000);
	gateway_wait_metric_at_least(node, "records_total", "", 2000);
	follow_while_publishing(replay);
}

START_TEST(goes_live_while_a_publisher_publishes)
{
	follow_live("{\"id\":1,\"op\":\"replay\",\"session\":\"s\",\"speed\":\"max\",\"then\":\"live\"}");
}
END_TEST

START_TEST(goes_live_from_the_log_at_a_pace)
{
	follow_live(
	    "{\"id\":1,\"op\":\"replay\",\"channels\":[\"trace:*\"],\"speed\":1000,\"maxGapMs\":1,\"then\":\"live\"}");
}
END_TEST

/* --- Trouble
 * ------------------------------------------------------------------------------------------------------------- */

START_TEST(waits_for_a_redis_that_hangs_and_goes_on_where_it_was)
{
	unsigned last = 0, number;
	bool was_told = false;
	for (unsigned n = 1; n <= EVENTS; n++)
		write_entry(1000 + n * 10, n);
	say("{\"id\":1,\"op\":\"replay\",\"session\":\"s\",\"from\":1010,\"speed\":0.1}");
	expect("\"ok\"");
	expect("\"n\":1}");
	redis_server_pause(redis);
	say("{\"id\":2,\"op\":\"control\",\"replay\":\"r1\",\"do\":\"seek\",\"to\":\"earliest\"}");
	say("{\"id\":3,\"op\":\"control\",\"replay\":\"r1\",\"do\":\"speed\",\"speed\":\"max\"}");
	while (!was_told)
		was_told = holds(hear(), "{\"op\":\"notice\",\"code\":\"replayWaiting\",\"replay\":\"r1\"}");
	redis_server_continue(redis);
	while (last < EVENTS) {
		struct slice message = hear();
		while (next_number(&message, &number))
			ck_assert_uint_eq(number, ++last);
	}
	expect("replayEnd");
}
END_TEST

START_TEST(a_client_that_leaves_takes_its_replays_along)
{
	for (unsigned n = 1; n <= EVENTS; n++)
		write_entry(1000 + n * 10, n);
	for (int i = 0; i < 4; i++)
		say("{\"id\":1,\"op\":\"replay\",\"session\":\"s\",\"speed\":1}");
	gateway_wait_metric(node, "replays", "", 4);
	raw_reset(&client);
	gateway_wait_metric(node, "replays", "", 0);
	raw_open(&client, gateway_port(node));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("replay");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, takes_its_recorded_time_by_the_speed_within_two_percent);
	tcase_add_test(tests, is_moved_about_at_random_while_it_plays);
	tcase_add_test(tests, is_walked_through_step_by_step_to_the_end_and_back);
	tcase_add_test(tests, goes_live_while_a_publisher_publishes);
	tcase_add_test(tests, goes_live_from_the_log_at_a_pace);
	tcase_add_test(tests, waits_for_a_redis_that_hangs_and_goes_on_where_it_was);
	tcase_add_test(tests, a_client_that_leaves_takes_its_replays_along);
	Suite *suite = suite_create("replay");
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

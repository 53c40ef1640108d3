#include "fake_peer.h"

#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/writers.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peers[2];

struct scribe {
	struct writer writer;
	char name;
	int pieces; /* left to write */
};

static struct scribe scribes[4];
static char written[64];
static size_t written_count;

static bool write_one(struct writer *writer)
{
	struct scribe *scribe = LIST_ENTRY(writer, struct scribe, writer);
	ck_assert(session_is_clear(writer->session));
	session_write(writer->session, (struct slice){&scribe->name, 1});
	written[written_count++] = scribe->name;
	written[written_count] = '\0';
	return --scribe->pieces > 0;
}

static void begin(uint64_t events_per_second)
{
	struct exchange_settings settings = fake_settings();
	settings.events_per_second = events_per_second;
	exchange = exchange_new(&settings);
	written_count = 0;
	written[0] = '\0';
	for (int i = 0; i < 2; i++)
		peer_connect(&peers[i], exchange);
	for (int i = 0; i < 4; i++) {
		scribes[i] = (struct scribe){.name = (char)('a' + i), .pieces = 3};
		writer_init(&scribes[i].writer, peers[i / 2].session, true, write_one);
	}
}

static void setup(void)
{
	fake_start();
	begin(0);
}

static void teardown(void)
{
	for (int i = 0; i < 4; i++)
		writer_rest(&scribes[i].writer);
	for (int i = 0; i < 2; i++)
		peer_leave(&peers[i]);
	exchange_free(exchange);
	fake_end();
}

START_TEST(writers_of_a_session_and_sessions_of_an_exchange_take_turns)
{
	for (int i = 0; i < 4; i++)
		writer_want(&scribes[i].writer);
	ck_assert(!writers_run(exchange));
	ck_assert_str_eq(written, "acbdacbdacbd");
}
END_TEST

START_TEST(wanting_twice_is_wanting_once_and_who_rests_has_no_turn)
{
	writer_want(&scribes[0].writer);
	writer_want(&scribes[0].writer);
	writer_want(&scribes[1].writer);
	writer_rest(&scribes[0].writer);
	writers_run(exchange);
	ck_assert_str_eq(written, "bbb");
}
END_TEST

START_TEST(who_wrote_last_before_the_port_was_full_is_last_when_it_is_clear_again)
{
	peers[0].is_stuck = true;
	writer_want(&scribes[0].writer);
	writer_want(&scribes[1].writer);
	for (int i = 0; i < 4; i++) {
		writers_run(exchange);
		peers[0].is_buffering = false;
		session_writable(peers[0].session);
	}
	ck_assert_str_eq(written, "abab");
}
END_TEST

START_TEST(a_full_port_keeps_nobody_else_from_writing)
{
	peers[0].is_stuck = peers[0].is_buffering = true;
	writer_want(&scribes[0].writer);
	writer_want(&scribes[2].writer);
	ck_assert(!writers_run(exchange));
	ck_assert_str_eq(written, "ccc");
}
END_TEST

START_TEST(paced_writers_wait_for_the_rate_and_others_do_not)
{
	teardown();
	fake_start();
	begin(100);
	scribes[1].writer.is_paced = false;
	ck_assert(bucket_take(&peers[0].session->events, 100, clock_mono_ns()));
	writer_want(&scribes[0].writer);
	writer_want(&scribes[1].writer);
	while (exchange_end_turn(exchange) <= clock_mono_ns())
		continue;
	ck_assert_str_eq(written, "bbb");
	ck_assert_uint_eq(exchange_end_turn(exchange), clock_mono_ns() + 50 * NS_PER_MS);
	clock_fake_advance_ms(50);
	exchange_end_turn(exchange);
	ck_assert_str_eq(written, "bbbaaa");
}
END_TEST

START_TEST(a_session_that_closes_has_no_turn)
{
	writer_want(&scribes[0].writer);
	session_close(peers[0].session, CLOSE_INTERNAL);
	writers_run(exchange);
	ck_assert_str_eq(written, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("writers");
	TCase *tests = tcase_create("writers");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, writers_of_a_session_and_sessions_of_an_exchange_take_turns);
	tcase_add_test(tests, wanting_twice_is_wanting_once_and_who_rests_has_no_turn);
	tcase_add_test(tests, who_wrote_last_before_the_port_was_full_is_last_when_it_is_clear_again);
	tcase_add_test(tests, a_full_port_keeps_nobody_else_from_writing);
	tcase_add_test(tests, paced_writers_wait_for_the_rate_and_others_do_not);
	tcase_add_test(tests, a_session_that_closes_has_no_turn);
	return suite_run(suite);
}

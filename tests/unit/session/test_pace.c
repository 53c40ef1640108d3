#include <check.h>

#include "gateway/session/pace.h"
#include "tests/support/suite.h"
#include "tests/unit/session/fake_peer.h"

static struct exchange *exchange;
static struct pace pace;
static unsigned calls;

static void on_go_on(struct pace *one)
{
	ck_assert_ptr_eq(one, &pace);
	calls++;
}

static void start_with(uint64_t events_per_second)
{
	fake_start();
	struct exchange_settings settings = fake_settings();
	settings.ring_records_max = 16;
	settings.ring_bytes_max = 65536;
	settings.events_per_second = events_per_second;
	exchange = exchange_new(&settings);
	ck_assert_ptr_nonnull(exchange);
	calls = 0;
	pace_init(&pace, exchange, NULL, on_go_on);
}

static void stop(void)
{
	pace_stop(&pace);
	exchange_free(exchange);
	fake_end();
}

START_TEST(goes_on_when_the_rate_lets_it)
{
	start_with(10);
	for (unsigned i = 0; i < 10; i++)
		ck_assert(pace_take(&pace));
	ck_assert(!pace_take(&pace));
	clock_fake_advance_ms(99);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(calls, 0);
	clock_fake_advance_ms(2);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(calls, 1);
	ck_assert(pace_take(&pace));
	ck_assert(!pace_take(&pace));
	stop();
}
END_TEST

START_TEST(a_fast_pace_rests_a_little_and_none_has_no_limit)
{
	start_with(100000);
	while (pace_take(&pace))
		continue;
	clock_fake_advance_ms(49);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(calls, 0);
	clock_fake_advance_ms(1);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(calls, 1);
	stop();
	start_with(0);
	for (unsigned i = 0; i < 100000; i++)
		ck_assert(pace_take(&pace));
	stop();
}
END_TEST

START_TEST(who_stops_is_not_called)
{
	start_with(1);
	ck_assert(pace_take(&pace));
	ck_assert(!pace_take(&pace));
	pace_stop(&pace);
	clock_fake_advance_ms(5000);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(calls, 0);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pace");
	TCase *tests = tcase_create("pace");
	tcase_add_test(tests, goes_on_when_the_rate_lets_it);
	tcase_add_test(tests, a_fast_pace_rests_a_little_and_none_has_no_limit);
	tcase_add_test(tests, who_stops_is_not_called);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "gateway/limiter/rates.h"
#include "tests/support/suite.h"

#define RATE 10
#define PLACES 65536 /* of all names together */

static struct rates *rates;
static uint64_t wait_ms;

static void set_up(void)
{
	clock_fake(NS_PER_S, 0);
	rates = rates_new();
	ck_assert_ptr_nonnull(rates);
}

static void tear_down(void)
{
	rates_free(rates);
	clock_real();
}

static struct address_key address_number(unsigned number)
{
	struct address_key key = address_key_none;
	key.bytes[0] = 4;
	memcpy(key.bytes + 1, &number, sizeof number);
	return key;
}

static bool identity_takes(const char *identity, uint64_t rate)
{
	return rates_take(rates, slice_of(identity), &address_key_none, rate, clock_mono_ns(), &wait_ms);
}

static bool address_takes(unsigned number, uint64_t rate)
{
	struct address_key key = address_number(number);
	return rates_take(rates, SLICE_NONE, &key, rate, clock_mono_ns(), &wait_ms);
}

static unsigned taken_by(const char *identity, uint64_t rate, unsigned tries)
{
	unsigned taken = 0;
	for (unsigned i = 0; i < tries; i++)
		taken += identity_takes(identity, rate);
	return taken;
}

START_TEST(each_name_has_one_seconds_worth_of_its_own)
{
	ck_assert_uint_eq(taken_by("ann", RATE, 3 * RATE), RATE);
	ck_assert_uint_eq(taken_by("bob", RATE, 3 * RATE), RATE);
	for (unsigned i = 0; i < RATE; i++)
		ck_assert(address_takes(1, RATE));
	ck_assert(!address_takes(1, RATE));
	ck_assert(address_takes(2, RATE));
}
END_TEST

START_TEST(says_when_the_next_token_comes_and_it_does)
{
	ck_assert_uint_eq(taken_by("ann", RATE, RATE), RATE);
	ck_assert(!identity_takes("ann", RATE));
	ck_assert_uint_eq(wait_ms, 1000 / RATE);
	clock_fake_advance_ms(wait_ms - 1);
	ck_assert(!identity_takes("ann", RATE));
	ck_assert_uint_eq(wait_ms, 1);
	clock_fake_advance_ms(wait_ms);
	ck_assert(identity_takes("ann", RATE));
	ck_assert(!identity_takes("ann", RATE));
}
END_TEST

START_TEST(one_at_a_time_is_counted_over_many_seconds)
{
	unsigned taken = 0;
	for (unsigned i = 0; i < 1000; i++) { /* a hundred a second */
		taken += identity_takes("ann", RATE);
		clock_fake_advance_ms(10);
	}
	ck_assert_uint_ge(taken, 10 * RATE);
	ck_assert_uint_le(taken, 11 * RATE);
}
END_TEST

START_TEST(who_paused_has_one_seconds_worth_and_no_more)
{
	ck_assert_uint_eq(taken_by("ann", RATE, RATE), RATE);
	clock_fake_advance_ms(UINT64_C(40) * 24 * 3600 * 1000);
	ck_assert_uint_eq(taken_by("ann", RATE, 3 * RATE), RATE);
}
END_TEST

START_TEST(a_clock_that_goes_back_gives_and_takes_nothing)
{
	uint64_t later_ns = clock_mono_ns() + NS_PER_S;
	for (unsigned i = 0; i < RATE - 1; i++)
		ck_assert(rates_take(rates, slice_of("ann"), &address_key_none, RATE, later_ns, &wait_ms));
	ck_assert(identity_takes("ann", RATE));
	ck_assert(!identity_takes("ann", RATE));
	ck_assert(!rates_take(rates, slice_of("ann"), &address_key_none, RATE, later_ns, &wait_ms));
}
END_TEST

START_TEST(credentials_of_one_identity_share_its_bucket_whatever_their_rates)
{
	ck_assert_uint_eq(taken_by("ann", 100, 50), 50);
	ck_assert_uint_eq(taken_by("ann", RATE, 3 * RATE), RATE / 2);
	ck_assert_uint_eq(taken_by("ann", 1000, 3), 0);
	ck_assert(identity_takes("ann", 0)); /* this one has no limit, and takes nothing from the others */
	clock_fake_advance_ms(1000 / RATE);
	ck_assert_uint_eq(taken_by("ann", RATE, RATE), 1);
}
END_TEST

START_TEST(who_has_no_name_or_no_rate_has_no_limit)
{
	for (unsigned i = 0; i < 1000; i++) {
		ck_assert(rates_take(rates, SLICE_NONE, &address_key_none, 1, clock_mono_ns(), &wait_ms));
		ck_assert(address_takes(1, 0));
		ck_assert(identity_takes("ann", 0));
	}
}
END_TEST

START_TEST(an_identity_is_never_taken_for_an_address)
{
	struct address_key key = address_number(1);
	char twin[sizeof key.bytes + 1] = "";
	memcpy(twin, key.bytes, sizeof key.bytes);
	struct slice identity = {twin, sizeof key.bytes};
	ck_assert(address_takes(1, 1));
	ck_assert(rates_take(rates, identity, &key, 1, clock_mono_ns(), &wait_ms));
	ck_assert(!rates_take(rates, identity, &key, 1, clock_mono_ns(), &wait_ms));
}
END_TEST

/* Many times as many names as there are places: who is over his rate stays so, and nobody is refused because of them. */
START_TEST(a_crowd_gets_nobody_refused_and_who_is_over_the_rate_is_forgiven_last)
{
	ck_assert_uint_eq(taken_by("greedy", RATE, 2 * RATE), RATE);
	for (unsigned i = 0; i < 4 * PLACES; i++)
		ck_assert(address_takes(i, RATE));
	ck_assert(!identity_takes("greedy", RATE));
	ck_assert(identity_takes("late", RATE));
}
END_TEST

/* All their buckets are empty when the next ones come, but full again a second later: then those have the places. */
START_TEST(names_of_a_second_ago_are_in_nobodys_way)
{
	for (unsigned i = 0; i < 2 * PLACES; i++)
		ck_assert(address_takes(i, 1));
	clock_fake_advance_ms(1000);
	unsigned forgiven = 0;
	for (unsigned i = 0; i < 100; i++) {
		ck_assert(address_takes(2 * PLACES + i, 1));
		forgiven += address_takes(2 * PLACES + i, 1);
	}
	ck_assert_uint_eq(forgiven, 0);
}
END_TEST

#define THREADS 4
#define ROUNDS 20000

static void *ask_often(void *argument)
{
	size_t *taken = argument;
	uint64_t wait;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct address_key key = address_number(i);
		*taken += rates_take(rates, SLICE_LITERAL("ann"), &address_key_none, RATE, NS_PER_S, &wait);
		ck_assert(rates_take(rates, SLICE_NONE, &key, RATE, NS_PER_S, &wait));
	}
	return NULL;
}

START_TEST(threads_share_what_there_is)
{
	pthread_t threads[THREADS];
	size_t taken[THREADS] = {0}, sum = 0;
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often, &taken[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += taken[i];
	}
	ck_assert_uint_eq(sum, RATE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rates");
	TCase *tests = tcase_create("rates");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, each_name_has_one_seconds_worth_of_its_own);
	tcase_add_test(tests, says_when_the_next_token_comes_and_it_does);
	tcase_add_test(tests, one_at_a_time_is_counted_over_many_seconds);
	tcase_add_test(tests, who_paused_has_one_seconds_worth_and_no_more);
	tcase_add_test(tests, a_clock_that_goes_back_gives_and_takes_nothing);
	tcase_add_test(tests, credentials_of_one_identity_share_its_bucket_whatever_their_rates);
	tcase_add_test(tests, who_has_no_name_or_no_rate_has_no_limit);
	tcase_add_test(tests, an_identity_is_never_taken_for_an_address);
	tcase_add_test(tests, a_crowd_gets_nobody_refused_and_who_is_over_the_rate_is_forgiven_last);
	tcase_add_test(tests, names_of_a_second_ago_are_in_nobodys_way);
	tcase_add_test(tests, threads_share_what_there_is);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

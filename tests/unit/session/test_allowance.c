/* How much a client gets: by configuration, by its grants, and after a change. */
#include "fake_past.h"

#include "gateway/session/allowance.h"
#include "gateway/session/session_inside.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peer;

static struct exchange_settings limited(void)
{
	struct exchange_settings settings = past_settings();
	settings.events_per_second = 100;
	settings.history_events_per_second = 50;
	settings.commands_per_second = 10;
	settings.subscriptions_max = 7;
	settings.past_requests_max = 3;
	settings.connections_per_identity = 9;
	return settings;
}

static void setup(void)
{
	fake_start();
	fake_past_start();
	struct exchange_settings settings = limited();
	exchange = exchange_new(&settings);
	peer_connect(&peer, exchange);
}

static void teardown(void)
{
	peer_leave(&peer);
	exchange_free(exchange);
	fake_past_end();
	fake_end();
}

static struct grants *granted(enum grant_limit limit, uint64_t value)
{
	struct grants *grants = grants_new(SLICE_LITERAL("ann"));
	ck_assert_ptr_nonnull(grants);
	grants->limits.is_set[limit] = true;
	grants->limits.value[limit] = value;
	return grants;
}

START_TEST(without_grants_the_configuration_holds)
{
	struct exchange_settings settings = limited();
	struct allowance allowance = allowance_of(&settings, NULL);
	ck_assert_uint_eq(allowance.limit[LIMIT_EVENTS_PER_SECOND], 100);
	ck_assert_uint_eq(allowance.limit[LIMIT_HISTORY_EVENTS_PER_SECOND], 50);
	ck_assert_uint_eq(allowance.limit[LIMIT_COMMANDS_PER_SECOND], 10);
	ck_assert_uint_eq(allowance.limit[LIMIT_SUBSCRIPTIONS], 7);
	ck_assert_uint_eq(allowance.limit[LIMIT_REQUESTS], 3);
	ck_assert_uint_eq(allowance.limit[LIMIT_CONNECTIONS], 9);
}
END_TEST

START_TEST(grants_are_tighter_wider_or_without_limit_each_by_itself)
{
	static const uint64_t values[] = {1, 1000000, 0};
	struct exchange_settings settings = limited();
	struct allowance plain = allowance_of(&settings, NULL);
	for (int limit = 0; limit < LIMITS; limit++) {
		for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
			struct grants *grants = granted((enum grant_limit)limit, values[i]);
			struct allowance allowance = allowance_of(&settings, grants);
			for (int other = 0; other < LIMITS; other++)
				ck_assert_uint_eq(allowance.limit[other], other == limit ? values[i] : plain.limit[other]);
			grants_unref(grants);
		}
	}
}
END_TEST

START_TEST(an_anonymous_client_has_no_identity)
{
	struct grants *grants = grants_new(SLICE_LITERAL("anonymous"));
	ck_assert(slice_is(allowance_identity(grants), "anonymous"));
	grants->is_anonymous = true;
	ck_assert_uint_eq(allowance_identity(grants).len, 0);
	ck_assert_uint_eq(allowance_identity(NULL).len, 0);
	grants_unref(grants);
}
END_TEST

START_TEST(welcome_shows_every_limit)
{
	ck_assert_ptr_nonnull(strstr(peer_next(&peer), "\"limits\":{\"messageBytes\":"));
	struct exchange_settings settings = limited();
	struct allowance allowance = allowance_of(&settings, NULL);
	struct arena arena;
	arena_init(&arena, 1 << 16);
	const struct value *map = allowance_write(&arena, &allowance, &settings);
	for (int i = 0; i < LIMITS; i++)
		ck_assert_uint_eq(value_get(map, grant_limit_names[i])->uint, allowance.limit[i]);
	arena_fini(&arena);
}
END_TEST

START_TEST(other_grants_take_and_give_no_tokens)
{
	struct session *session = peer.session;
	uint64_t now_ns = clock_mono_ns();
	struct grants *wide = granted(LIMIT_EVENTS_PER_SECOND, 1000), *tight = granted(LIMIT_EVENTS_PER_SECOND, 10);
	ck_assert(bucket_take(&session->events, 80, now_ns));
	session_allow(session, wide);
	ck_assert(!bucket_take(&session->events, 201, now_ns));
	ck_assert(bucket_take(&session->events, 100, now_ns));
	session_allow(session, tight);
	ck_assert(!bucket_take(&session->events, 2, now_ns));
	ck_assert(bucket_take(&session->events, 1, now_ns));
	session_allow(session, tight);
	ck_assert(!bucket_take(&session->events, 1, now_ns));
	grants_unref(wide);
	grants_unref(tight);
}
END_TEST

START_TEST(events_of_the_past_count_in_both_buckets_or_in_none)
{
	struct session *session = peer.session;
	uint64_t now_ns = clock_mono_ns();
	for (int i = 0; i < 50; i++)
		ck_assert(session_take_past(session, now_ns));
	ck_assert(!session_take_past(session, now_ns));
	ck_assert(bucket_take(&session->events, 50, now_ns));
	ck_assert(!bucket_take(&session->events, 1, now_ns));
	clock_fake_advance_ms(20);
	now_ns = clock_mono_ns();
	ck_assert(bucket_take(&session->events, 2, now_ns));
	ck_assert(!session_take_past(session, now_ns));
	ck_assert(bucket_take(&session->past_events, 1, now_ns));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("allowance");
	TCase *tests = tcase_create("allowance");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, without_grants_the_configuration_holds);
	tcase_add_test(tests, grants_are_tighter_wider_or_without_limit_each_by_itself);
	tcase_add_test(tests, an_anonymous_client_has_no_identity);
	tcase_add_test(tests, welcome_shows_every_limit);
	tcase_add_test(tests, other_grants_take_and_give_no_tokens);
	tcase_add_test(tests, events_of_the_past_count_in_both_buckets_or_in_none);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

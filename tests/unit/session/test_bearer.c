#include "fake_peer.h"

#include "gateway/auth/auth.h"
#include "gateway/session/bearer.h"
#include "tests/support/suite.h"

/* Whoever bears a credential, and what it was told. */
struct holder {
	struct bearer bearer;
	unsigned warned, ended;
	enum close_cause cause;
	const char *reason;
};

static struct exchange *exchange;
static struct holder holder;

static void on_warn(struct bearer *bearer)
{
	((struct holder *)(void *)bearer)->warned++;
}

static void on_end(struct bearer *bearer, enum close_cause cause, const char *reason)
{
	struct holder *ended = (struct holder *)(void *)bearer;
	ended->ended++;
	ended->cause = cause;
	ended->reason = reason;
}

static const struct bearer_ops ops = {.warn = on_warn, .end = on_end};
static const struct bearer_ops deaf_ops = {.end = on_end};

static void set_up(void)
{
	fake_start();
	struct exchange_settings settings = fake_settings();
	settings.auth_timeout_ns = NS_PER_S;
	exchange = exchange_new(&settings);
	holder = (struct holder){.warned = 0};
}

static void tear_down(void)
{
	bearer_close(&holder.bearer);
	exchange_free(exchange);
	fake_end();
}

static void begin(const struct bearer_ops *of, uint64_t lives_ms)
{
	struct grants *grants = fake_grants();
	grants->expires_ms = lives_ms ? clock_wall_ms() + lives_ms : 0;
	bearer_open(&holder.bearer, exchange, of, grants, 7);
	grants_unref(grants);
}

static void pass(uint64_t ms)
{
	clock_fake_advance_ms(ms);
	exchange_end_turn(exchange);
}

START_TEST(one_that_never_expires_stays)
{
	begin(&ops, 0);
	pass(1000000000);
	ck_assert_uint_eq(holder.warned + holder.ended, 0);
}
END_TEST

START_TEST(is_warned_once_and_ended_once)
{
	begin(&ops, 1000);
	pass(899);
	ck_assert_uint_eq(holder.warned, 0);
	pass(1);
	ck_assert_uint_eq(holder.warned, 1);
	pass(99);
	ck_assert_uint_eq(holder.ended, 0);
	pass(1);
	ck_assert_uint_eq(holder.ended, 1);
	ck_assert_int_eq(holder.cause, CLOSE_EXPIRED);
	pass(100000);
	ck_assert_uint_eq(holder.warned, 1);
	ck_assert_uint_eq(holder.ended, 1);
}
END_TEST

START_TEST(nobody_need_listen_to_the_warning)
{
	begin(&deaf_ops, 1000);
	pass(950);
	pass(50);
	ck_assert_uint_eq(holder.ended, 1);
}
END_TEST

START_TEST(one_that_has_expired_already_ends_at_once)
{
	begin(&ops, 1);
	clock_fake_advance_ms(5);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(holder.ended, 1);
	ck_assert_uint_eq(holder.warned, 0);
}
END_TEST

START_TEST(a_stranger_has_its_time)
{
	bearer_open(&holder.bearer, exchange, &ops, NULL, 7);
	pass(999);
	ck_assert_uint_eq(holder.ended, 0);
	pass(1);
	ck_assert_int_eq(holder.cause, CLOSE_NO_AUTH);
}
END_TEST

/* The alarm of a stranger does not end who said who it is. */
START_TEST(another_credential_begins_another_life)
{
	bearer_open(&holder.bearer, exchange, &ops, NULL, 7);
	struct grants *grants = fake_grants();
	grants->expires_ms = clock_wall_ms() + 100000;
	bearer_set_grants(&holder.bearer, grants);
	pass(20000);
	ck_assert_uint_eq(holder.ended, 0);
	grants_unref(grants);
	grants = fake_grants();
	bearer_set_grants(&holder.bearer, grants);
	grants_unref(grants);
	pass(1000000);
	ck_assert_uint_eq(holder.warned + holder.ended, 0);
}
END_TEST

START_TEST(an_order_meets_its_identity_or_client_only)
{
	begin(&ops, 0);
	struct exchange_culprit culprit = {.client = 8};
	ck_assert_uint_eq(exchange_disconnect(exchange, &culprit), 0);
	culprit = (struct exchange_culprit){.identity = SLICE_LITERAL("anonymou")};
	ck_assert_uint_eq(exchange_disconnect(exchange, &culprit), 0);
	culprit = (struct exchange_culprit){.identity = SLICE_LITERAL("anonymous"), .reason = "why"};
	ck_assert_uint_eq(exchange_disconnect(exchange, &culprit), 1);
	ck_assert_int_eq(holder.cause, CLOSE_DISCONNECTED);
	ck_assert_str_eq(holder.reason, "why");
	culprit = (struct exchange_culprit){.client = 7};
	ck_assert_uint_eq(exchange_disconnect(exchange, &culprit), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bearer");
	TCase *tests = tcase_create("bearer");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, one_that_never_expires_stays);
	tcase_add_test(tests, is_warned_once_and_ended_once);
	tcase_add_test(tests, nobody_need_listen_to_the_warning);
	tcase_add_test(tests, one_that_has_expired_already_ends_at_once);
	tcase_add_test(tests, a_stranger_has_its_time);
	tcase_add_test(tests, another_credential_begins_another_life);
	tcase_add_test(tests, an_order_meets_its_identity_or_client_only);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

#include <check.h>

#include "common/codec/json.h"
#include "common/protocol/record.h"
#include "gateway/auth/access.h"
#include "gateway/filter/filter.h"
#include "tests/support/suite.h"

static const struct slice patterns[] = {SLICE_LITERAL("trace:*"), SLICE_LITERAL("agent:*")};
static const struct filter_patterns served = {patterns, 2};

static struct filter *compile(const char *channels, const char *filter)
{
	struct arena arena;
	struct value *channels_value = NULL, *filter_value = NULL;
	struct filter *made = NULL;
	struct filter_error error;
	arena_init(&arena, 1 << 20);
	if (channels)
		ck_assert_int_eq(json_decode(&arena, slice_of(channels), &channels_value, NULL), OK);
	if (filter)
		ck_assert_int_eq(json_decode(&arena, slice_of(filter), &filter_value, NULL), OK);
	ck_assert_int_eq(filter_compile(channels_value, filter_value, served, &made, &error), OK);
	arena_fini(&arena);
	return made;
}

static struct slice one_session[] = {SLICE_LITERAL("s1")};
static struct slice one_channel[] = {SLICE_LITERAL("trace:*")};

static struct grants *unrestricted(void)
{
	struct grants *grants = grants_new(SLICE_LITERAL("someone"));
	ck_assert_ptr_nonnull(grants);
	return grants;
}

static struct grants *of_session(void)
{
	struct grants *grants = unrestricted();
	grants->sessions = one_session;
	grants->session_count = 1;
	grants->scope = compile("[\"*\"]", "{\"session\":[\"s1\"]}");
	return grants;
}

static struct grants *of_channel(void)
{
	struct grants *grants = unrestricted();
	grants->channels = one_channel;
	grants->channel_count = 1;
	grants->scope = compile("[\"trace:*\"]", NULL);
	return grants;
}

static struct record record_of(const char *channel, const char *session)
{
	return (struct record){.channel = slice_of(channel), .session = slice_of(session), .kind = record_kind_of(slice_of(channel))};
}

START_TEST(an_op_that_was_not_granted_is_refused)
{
	struct grants *grants = unrestricted();
	for (unsigned op = GRANT_SUBSCRIBE; op <= GRANT_PUBLISH; op <<= 1)
		ck_assert(access_may(grants, (enum grant_op)op));
	grants->ops = GRANT_HISTORY | GRANT_STATE;
	ck_assert(access_may(grants, GRANT_HISTORY) && access_may(grants, GRANT_STATE));
	ck_assert(!access_may(grants, GRANT_SUBSCRIBE) && !access_may(grants, GRANT_REPLAY) && !access_may(grants, GRANT_PUBLISH));
	grants_unref(grants);
}
END_TEST

START_TEST(a_wish_is_left_as_it_is_where_all_is_granted)
{
	struct grants *grants = unrestricted();
	struct filter *wish = compile(NULL, NULL), *narrowed = NULL;
	ck_assert_int_eq(access_narrow(grants, wish, &narrowed), OK);
	ck_assert_ptr_eq(narrowed, wish);
	ck_assert_ptr_null(access_scope(grants));
	filter_unref(narrowed);
	filter_unref(wish);
	grants_unref(grants);
}
END_TEST

START_TEST(a_wish_is_narrowed_to_the_scope)
{
	struct grants *grants = of_session();
	struct filter *wish = compile("[\"*\"]", NULL), *narrowed = NULL;
	struct record mine = record_of("trace:x", "s1"), other = record_of("trace:x", "s2");
	ck_assert_int_eq(access_narrow(grants, wish, &narrowed), OK);
	ck_assert(filter_match(narrowed, &mine));
	ck_assert(!filter_match(narrowed, &other));
	ck_assert_ptr_eq(access_scope(grants), grants->scope);
	filter_unref(narrowed);
	filter_unref(wish);
	grants_unref(grants);
}
END_TEST

START_TEST(what_the_gateway_says_of_itself_needs_a_right_of_its_own)
{
	struct grants *grants = unrestricted();
	struct filter *wish = compile("[\"trace:*\",\"system:*\"]", NULL), *narrowed = NULL;
	struct record record = record_of("system:n1", "");
	ck_assert_int_eq(access_narrow(grants, wish, &narrowed), ERR_DENIED);
	ck_assert_ptr_null(narrowed);
	ck_assert(!access_covers(grants, &record));
	grants->has_system = true;
	ck_assert_int_eq(access_narrow(grants, wish, &narrowed), OK);
	ck_assert(filter_match(narrowed, &record));
	ck_assert(access_covers(grants, &record));
	filter_unref(narrowed);
	filter_unref(wish);
	grants_unref(grants);
}
END_TEST

START_TEST(a_record_outside_the_scope_is_not_covered)
{
	struct grants *session = of_session(), *channel = of_channel(), *all = unrestricted();
	struct record inside = record_of("trace:x", "s1"), outside = record_of("agent:x", "s2");
	ck_assert(access_covers(session, &inside) && access_covers(channel, &inside) && access_covers(all, &inside));
	ck_assert(!access_covers(session, &outside) && !access_covers(channel, &outside) && access_covers(all, &outside));
	grants_unref(session);
	grants_unref(channel);
	grants_unref(all);
}
END_TEST

START_TEST(a_session_is_listed_only_where_all_of_it_may_be_seen)
{
	struct grants *session = of_session(), *channel = of_channel(), *all = unrestricted();
	ck_assert(access_lists_sessions(session) && !access_lists_sessions(channel) && access_lists_sessions(all));
	ck_assert(access_covers_session(session, slice_of("s1")) && !access_covers_session(session, slice_of("s2")));
	ck_assert(!access_covers_session(channel, slice_of("s1")));
	ck_assert(access_covers_session(all, slice_of("s2")));
	session->channels = one_channel;
	session->channel_count = 1;
	ck_assert(!access_lists_sessions(session) && !access_covers_session(session, slice_of("s1")));
	grants_unref(session);
	grants_unref(channel);
	grants_unref(all);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access");
	TCase *tests = tcase_create("access");
	tcase_add_test(tests, an_op_that_was_not_granted_is_refused);
	tcase_add_test(tests, a_wish_is_left_as_it_is_where_all_is_granted);
	tcase_add_test(tests, a_wish_is_narrowed_to_the_scope);
	tcase_add_test(tests, what_the_gateway_says_of_itself_needs_a_right_of_its_own);
	tcase_add_test(tests, a_record_outside_the_scope_is_not_covered);
	tcase_add_test(tests, a_session_is_listed_only_where_all_of_it_may_be_seen);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

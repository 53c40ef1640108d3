#include <stdio.h>
#include <stdlib.h>

#include "gateway/filter/index.h"
#include "kit.h"
#include "tests/support/suite.h"

static struct filter *within(struct filter *wish, struct filter *scope)
{
	struct filter *both = filter_within(wish, scope);
	ck_assert_ptr_nonnull(both);
	return both;
}

/* Both are used up. */
static struct filter *take_within(struct filter *wish, struct filter *scope)
{
	struct filter *both = within(wish, scope);
	filter_unref(wish);
	filter_unref(scope);
	return both;
}

static struct record record_of(const char *channel, const char *session, const char *agent, const char *type)
{
	struct record record = kit_record(channel, "{\"n\":1}");
	record.session = slice_of(session);
	record.agent = slice_of(agent);
	record.type = slice_of(type);
	record.kind = record_kind_of(record.channel);
	return record;
}

START_TEST(wants_only_what_both_want)
{
	struct filter *both = take_within(kit_filter("[\"trace:*\"]", NULL), kit_filter(NULL, "{\"session\":[\"s1\"]}"));
	struct record mine = record_of("trace:x", "s1", "", ""), other = record_of("trace:x", "s2", "", "");
	struct record elsewhere = record_of("agent:x", "s1", "", "");
	ck_assert(filter_match(both, &mine));
	ck_assert(!filter_match(both, &other));
	ck_assert(!filter_match(both, &elsewhere));
	filter_unref(both);
}
END_TEST

START_TEST(the_same_pair_has_the_same_canonical_text_and_any_other_another)
{
	struct filter *a = kit_filter("[\"trace:a\"]", NULL), *b = kit_filter("[\"trace:b\"]", NULL);
	struct filter *again = kit_filter("[\"trace:a\",\"trace:a\"]", NULL);
	struct filter *ab = within(a, b), *ab_again = within(again, b), *ba = within(b, a);
	struct filter *left = within(ab, a), *right = take_within(filter_ref(a), within(b, a));
	const struct filter *different[] = {a, b, ab, ba, left, right};
	ck_assert(slice_equal(filter_canonical(ab), filter_canonical(ab_again)));
	for (size_t i = 0; i < 6; i++)
		for (size_t j = i + 1; j < 6; j++)
			ck_assert(!slice_equal(filter_canonical(different[i]), filter_canonical(different[j])));
	struct filter *all[] = {a, b, again, ab, ab_again, ba, left, right};
	for (size_t i = 0; i < 8; i++)
		filter_unref(all[i]);
}
END_TEST

START_TEST(knows_a_single_session_of_either_side)
{
	struct slice session;
	struct filter *by_scope = take_within(kit_filter(NULL, NULL), kit_filter(NULL, "{\"session\":[\"s1\"]}"));
	struct filter *by_wish =
	    take_within(kit_filter(NULL, "{\"session\":[\"s2\"]}"), kit_filter(NULL, "{\"session\":[\"s1\",\"s2\"]}"));
	struct filter *by_none = take_within(kit_filter(NULL, NULL), kit_filter(NULL, "{\"session\":[\"s1\",\"s2\"]}"));
	ck_assert(filter_single_session(by_scope, &session) && slice_is(session, "s1"));
	ck_assert(filter_single_session(by_wish, &session) && slice_is(session, "s2"));
	ck_assert(!filter_single_session(by_none, &session));
	filter_unref(by_scope);
	filter_unref(by_wish);
	filter_unref(by_none);
}
END_TEST

START_TEST(wants_the_sessions_that_both_sides_name)
{
	static const struct {
		const char *wish, *scope;
		size_t max, count;
		bool is_named;
	} cases[] = {
	    {NULL, NULL, 3, 0, false},
	    {"{\"session\":[\"a\",\"b\"]}", NULL, 3, 2, true},
	    {NULL, "{\"session\":[\"a\"]}", 3, 1, true},
	    {"{\"session\":[\"a\",\"b\",\"c\"]}", "{\"session\":[\"b\",\"c\",\"d\",\"e\"]}", 3, 2, true},
	    {"{\"session\":[\"a\",\"b\",\"c\",\"d\"]}", "{\"session\":[\"d\",\"e\",\"f\",\"g\",\"h\"]}", 1, 1, true},
	    {"{\"session\":[\"a\"]}", "{\"session\":[\"b\"]}", 3, 0, true},
	    {"{\"session\":[\"a\"]}", "{\"session\":[\"b\"]}", 0, 0, true},
	    {"{\"session\":[\"a\",\"b\"]}", "{\"session\":[\"a\",\"b\"]}", 1, 0, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct slice sessions[3];
		size_t count = 0;
		struct filter *both = take_within(kit_filter(NULL, cases[i].wish), kit_filter(NULL, cases[i].scope));
		ck_assert_msg(filter_sessions(both, sessions, cases[i].max, &count) == cases[i].is_named, "case %zu", i);
		ck_assert_msg(!cases[i].is_named || count == cases[i].count, "case %zu: %zu", i, count);
		for (size_t j = 0; j < count && cases[i].is_named; j++)
			ck_assert(filter_allows_session(both, sessions[j]));
		filter_unref(both);
	}
}
END_TEST

START_TEST(only_a_filter_that_names_them_wants_the_gateways_own_records)
{
	static const struct {
		const char *channels;
		bool wants;
	} cases[] = {
	    {NULL, false},
	    {"[\"*\"]", false},
	    {"[\"?ystem:*\"]", false},
	    {"[\"[s]ystem:*\"]", false},
	    {"[\"s*\"]", false},
	    {"[\"\\\\system:*\"]", false},
	    {"[\"system:*\"]", true},
	    {"[\"system:n1\"]", true},
	    {"[\"trace:*\",\"system:n*\"]", true},
	    {"[\"system:n2\"]", false},
	};
	static const struct slice everything[] = {SLICE_LITERAL("*"), SLICE_LITERAL("system:*")};
	struct record record = record_of("system:n1", "", "", "node.up");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena arena;
		struct value *channels = NULL;
		struct filter *filter = NULL;
		struct filter_error error;
		arena_init(&arena, KIT_ARENA_BYTES);
		if (cases[i].channels)
			ck_assert_int_eq(json_decode(&arena, slice_of(cases[i].channels), &channels, NULL), OK);
		ck_assert_int_eq(filter_compile(channels, NULL, (struct filter_patterns){everything, 2}, &filter, &error), OK);
		ck_assert_msg(filter_match(filter, &record) == cases[i].wants, "%s", cases[i].channels);
		filter_unref(filter);
		arena_fini(&arena);
	}
}
END_TEST

START_TEST(the_gateways_own_records_need_both_sides_to_name_them)
{
	struct record record = record_of("system:n1", "", "", "node.up");
	struct filter *named = kit_filter("[\"system:*\"]", NULL), *unnamed = kit_filter("[\"*\"]", NULL);
	struct filter *both = within(named, named), *wish_only = within(named, unnamed), *scope_only = within(unnamed, named);
	ck_assert(filter_match(both, &record) && filter_wants_system(both));
	ck_assert(!filter_match(wish_only, &record) && filter_wants_system(wish_only));
	ck_assert(!filter_match(scope_only, &record) && !filter_wants_system(scope_only));
	struct filter *all[] = {named, unnamed, both, wish_only, scope_only};
	for (size_t i = 0; i < 5; i++)
		filter_unref(all[i]);
}
END_TEST

static void on_hit(void *owner, const struct record *record, void *context)
{
	(void)record;
	(void)context;
	++*(unsigned *)owner;
}

static const char *pick(const char *const *choices, size_t count)
{
	return choices[(size_t)rand() % count];
}
#define PICK(choices) pick(choices, sizeof(choices) / sizeof(choices)[0])

static struct filter *random_filter(void)
{
	static const char *const channels[] = {NULL,
	                                       "[\"trace:a\"]",
	                                       "[\"trace:a\",\"agent:b\"]",
	                                       "[\"*\"]",
	                                       "[\"trace:*\"]",
	                                       "[\"system:*\"]",
	                                       "[\"system:a\",\"*:b\"]",
	                                       "[\"?????:*\",\"system:b\"]"};
	static const char *const filters[] = {NULL,
	                                      "{\"session\":[\"s1\"]}",
	                                      "{\"session\":[\"s1\",\"s2\"],\"agent\":[\"a1\"]}",
	                                      "{\"agent\":[\"a1\",\"a2\"]}",
	                                      "{\"type\":[\"t1\"]}",
	                                      "{\"type\":[\"t*\"],\"agent\":[\"a2\"]}",
	                                      "{\"where\":[{\"path\":\"/n\",\"op\":\"==\",\"value\":1}]}",
	                                      "{\"where\":[{\"path\":\"/n\",\"op\":\">\",\"value\":1}],\"session\":[\"s2\"]}"};
	return kit_filter(PICK(channels), PICK(filters));
}

static struct record random_record(void)
{
	static const char *const channels[] = {"trace:a", "trace:b", "agent:a", "agent:b", "system:a", "system:b", "swarm:s1"};
	static const char *const sessions[] = {"", "s1", "s2", "s3"};
	static const char *const agents[] = {"", "a1", "a2", "a3"};
	static const char *const types[] = {"", "t1", "t2", "u1"};
	return record_of(PICK(channels), PICK(sessions), PICK(agents), PICK(types));
}

/* Whatever the two ask for, and also where one is a conjunction already: the match, and what the index finds. */
START_TEST(is_the_conjunction_of_any_two_filters)
{
	unsigned matched = 0;
	srand(4711);
	for (unsigned round = 0; round < 4000; round++) {
		struct filter *a = random_filter(), *b = random_filter();
		if (round % 3 == 0)
			a = take_within(a, random_filter());
		struct filter *both = within(a, b);
		struct index *index = index_new();
		unsigned hits = 0, wanted = 0;
		struct index_member *member = index_add(index, both, &hits);
		ck_assert_ptr_nonnull(member);
		for (unsigned i = 0; i < 20; i++) {
			struct record record = random_record();
			bool is_wanted = filter_match(a, &record) && filter_match(b, &record);
			ck_assert(filter_match(both, &record) == is_wanted);
			index_match(index, &record, on_hit, NULL);
			wanted += is_wanted;
		}
		ck_assert_uint_eq(hits, wanted);
		matched += wanted;
		index_remove(index, member);
		index_free(index);
		filter_unref(both);
		filter_unref(a);
		filter_unref(b);
	}
	ck_assert_uint_gt(matched, 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filter_within");
	TCase *tests = tcase_create("filter_within");
	tcase_add_test(tests, wants_only_what_both_want);
	tcase_add_test(tests, the_same_pair_has_the_same_canonical_text_and_any_other_another);
	tcase_add_test(tests, knows_a_single_session_of_either_side);
	tcase_add_test(tests, wants_the_sessions_that_both_sides_name);
	tcase_add_test(tests, only_a_filter_that_names_them_wants_the_gateways_own_records);
	tcase_add_test(tests, the_gateways_own_records_need_both_sides_to_name_them);
	tcase_add_test(tests, is_the_conjunction_of_any_two_filters);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

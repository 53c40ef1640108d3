#include <stdio.h>
#include <stdlib.h>

#include "gateway/filter/glob.h"
#include "kit.h"
#include "tests/support/suite.h"

static bool is_wanted(const char *channels, const char *filter, const struct record *record)
{
	struct filter *made = kit_filter(channels, filter);
	bool wanted = filter_match(made, record);
	filter_unref(made);
	return wanted;
}

/* One condition, given as the inside of "where", against a payload. */
static bool passes(const char *condition, const char *payload)
{
	char filter[512];
	struct record record = kit_record("trace:s1", payload);
	snprintf(filter, sizeof filter, "{\"where\":[%s]}", condition);
	return is_wanted(NULL, filter, &record);
}

static bool is_same(const char *channels, const char *filter, const char *other_channels, const char *other_filter)
{
	struct filter *a = kit_filter(channels, filter), *b = kit_filter(other_channels, other_filter);
	bool same = slice_equal(filter_canonical(a), filter_canonical(b));
	filter_unref(a);
	filter_unref(b);
	return same;
}

START_TEST(wants_everything_served_when_nothing_is_asked)
{
	struct record record = kit_record("trace:s1", "{}"), other = kit_record("system:x", "{}");
	ck_assert(is_wanted(NULL, NULL, &record));
	ck_assert(is_wanted(NULL, "{}", &record));
	ck_assert(is_wanted(NULL, "{\"where\":[]}", &record));
	ck_assert(!is_wanted(NULL, NULL, &other));
}
END_TEST

START_TEST(channels_are_exact_or_globs_and_any_of_them_is_enough)
{
	struct record record = kit_record("trace:s17", "{}");
	ck_assert(is_wanted("[\"trace:s17\"]", NULL, &record));
	ck_assert(is_wanted("[\"agent:1\",\"trace:s1?\"]", NULL, &record));
	ck_assert(is_wanted("[\"*\"]", NULL, &record));
	ck_assert(is_wanted("[\"*17\"]", NULL, &record));
	ck_assert(!is_wanted("[\"trace:s1\"]", NULL, &record));
	ck_assert(!is_wanted("[\"trace:s1\",\"trace:s2*\"]", NULL, &record));
	ck_assert(!is_wanted("[\"*18\"]", NULL, &record));
}
END_TEST

START_TEST(says_when_it_wants_one_session_only)
{
	struct slice session;
	struct filter *one = kit_filter(NULL, "{\"session\":[\"s7\",\"s7\"],\"type\":[\"a\",\"b\"]}");
	struct filter *two = kit_filter(NULL, "{\"session\":[\"s7\",\"s8\"]}"), *any = kit_filter(NULL, "{}");
	ck_assert(filter_single_session(one, &session));
	ck_assert(slice_is(session, "s7"));
	ck_assert(!filter_single_session(two, &session));
	ck_assert(!filter_single_session(any, &session));
	filter_unref(one);
	filter_unref(two);
	filter_unref(any);
}
END_TEST

START_TEST(lists_are_or_and_keys_are_and)
{
	struct record record = kit_record("trace:s1", "{}");
	record.session = SLICE_LITERAL("s1");
	record.agent = SLICE_LITERAL("a1");
	record.type = SLICE_LITERAL("tool.call");
	ck_assert(is_wanted(NULL, "{\"session\":[\"s2\",\"s1\"]}", &record));
	ck_assert(!is_wanted(NULL, "{\"session\":[\"s2\",\"s3\"]}", &record));
	ck_assert(
	    is_wanted(NULL, "{\"session\":[\"s1\"],\"agent\":[\"a1\",\"a2\"],\"type\":[\"x\",\"tool.*\"]}", &record));
	ck_assert(!is_wanted(NULL, "{\"session\":[\"s1\"],\"agent\":[\"a2\"]}", &record));
	ck_assert(!is_wanted(NULL, "{\"session\":[\"s1\"],\"type\":[\"tool.call.*\"]}", &record));
	ck_assert(!is_wanted("[\"agent:*\"]", "{\"session\":[\"s1\"]}", &record));
	ck_assert(!is_wanted(NULL, "{\"session\":[\"s*\"]}", &record)); /* only types are globs */
}
END_TEST

START_TEST(a_record_without_a_key_matches_no_list_of_it)
{
	struct record record = kit_record("trace:s1", "{}");
	ck_assert(!is_wanted(NULL, "{\"session\":[\"s1\"]}", &record));
	ck_assert(!is_wanted(NULL, "{\"agent\":[\"a\"]}", &record));
	ck_assert(!is_wanted(NULL, "{\"type\":[\"*\"]}", &record));
}
END_TEST

struct condition_example {
	const char *condition, *payload;
	bool passes;
};

static const struct condition_example conditions[] = {
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":1}", "{\"a\":1}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":1}", "{\"a\":1.0e0}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":1.0}", "{\"a\":1}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":1}", "{\"a\":\"1\"}", false},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":1}", "{\"a\":true}", false},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":-5}", "{\"a\":-5}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":9007199254740993}", "{\"a\":9007199254740993}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":9007199254740993}", "{\"a\":9007199254740992}", false},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":18446744073709551615}", "{\"a\":18446744073709551615}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":123456789012345678901234567890}",
     "{\"a\":123456789012345678901234567891}", false},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":\"x\"}", "{\"a\":\"\\u0078\"}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":\"\\u20ac\"}", "{\"a\":\"\xe2\x82\xac\"}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":\"x\\u0000y\"}", "{\"a\":\"x\\u0000y\"}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":\"x\"}", "{\"a\":\"x\\u0000y\"}", false},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":\"\"}", "{\"a\":\"\"}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":null}", "{\"a\":null}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":null}", "{}", false},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":false}", "{\"a\":false}", true},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":false}", "{\"a\":true}", false},
    {"{\"path\":\"/a\",\"op\":\"==\",\"value\":1}", "{\"a\":[1]}", false},
    {"{\"path\":\"/a/0\",\"op\":\"==\",\"value\":1}", "{\"a\":[1]}", true},
    {"{\"path\":\"/a~1b/~0\",\"op\":\"==\",\"value\":1}", "{\"a/b\":{\"~\":1}}", true},
    {"{\"path\":\"/a\",\"op\":\"!=\",\"value\":1}", "{\"a\":2}", true},
    {"{\"path\":\"/a\",\"op\":\"!=\",\"value\":1}", "{\"a\":\"1\"}", true},
    {"{\"path\":\"/a\",\"op\":\"!=\",\"value\":1}", "{\"a\":{}}", true},
    {"{\"path\":\"/a\",\"op\":\"!=\",\"value\":1}", "{\"a\":1}", false},
    {"{\"path\":\"/a\",\"op\":\"!=\",\"value\":1}", "{}", false},
    {"{\"path\":\"/ms\",\"op\":\">\",\"value\":1000}", "{\"ms\":1000.5}", true},
    {"{\"path\":\"/ms\",\"op\":\">\",\"value\":1000}", "{\"ms\":1000}", false},
    {"{\"path\":\"/ms\",\"op\":\">=\",\"value\":1000}", "{\"ms\":1e3}", true},
    {"{\"path\":\"/ms\",\"op\":\"<\",\"value\":1000}", "{\"ms\":-1e400}", true},
    {"{\"path\":\"/ms\",\"op\":\"<=\",\"value\":1000}", "{\"ms\":1001}", false},
    {"{\"path\":\"/ms\",\"op\":\"<\",\"value\":1000}", "{\"ms\":\"5\"}", false},
    {"{\"path\":\"/ms\",\"op\":\">\",\"value\":\"b\"}", "{\"ms\":\"c\"}", true},
    {"{\"path\":\"/ms\",\"op\":\"<\",\"value\":\"b\"}", "{\"ms\":\"a\\u00e9\"}", true},
    {"{\"path\":\"/ms\",\"op\":\"<\",\"value\":\"b\"}", "{\"ms\":null}", false},
    {"{\"path\":\"/a\",\"op\":\"in\",\"value\":[1,\"x\",null]}", "{\"a\":1.0}", true},
    {"{\"path\":\"/a\",\"op\":\"in\",\"value\":[1,\"x\",null]}", "{\"a\":null}", true},
    {"{\"path\":\"/a\",\"op\":\"in\",\"value\":[1,\"x\",null]}", "{\"a\":\"y\"}", false},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":\"ell\"}", "{\"a\":\"h\\u0065llo\"}", true},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":\"\"}", "{\"a\":\"\"}", true},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":\"elx\"}", "{\"a\":\"hello\"}", false},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":\"u00\"}", "{\"a\":\"\\u0065\"}", false},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":\"x\"}", "{\"a\":[\"]\", {\"x\":\"x\"} ,[\"x\"], \"\\u0078\"]}",
     true},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":\"x\"}", "{\"a\":[\"]\", {\"x\":\"x\"} ,[\"x\"], \"xx\"]}", false},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":\"a\\\"]\"}", "{\"a\":[ \"a\\\"]\" ]}", true},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":2}", "{\"a\":[1, 2.0 ,3]}", true},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":2}", "{\"a\":[]}", false},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":null}", "{\"a\":[null]}", true},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":2}", "{\"a\":\"2\"}", false},
    {"{\"path\":\"/a\",\"op\":\"contains\",\"value\":\"x\"}", "{\"a\":{\"x\":1}}", false},
    {"{\"path\":\"/a\",\"op\":\"prefix\",\"value\":\"he\"}", "{\"a\":\"hello\"}", true},
    {"{\"path\":\"/a\",\"op\":\"prefix\",\"value\":\"el\"}", "{\"a\":\"hello\"}", false},
    {"{\"path\":\"/a\",\"op\":\"prefix\",\"value\":\"1\"}", "{\"a\":12}", false},
    {"{\"path\":\"/a\",\"op\":\"glob\",\"value\":\"h?l*\"}", "{\"a\":\"hello\"}", true},
    {"{\"path\":\"/a\",\"op\":\"glob\",\"value\":\"hell\"}", "{\"a\":\"hello\"}", false},
    {"{\"path\":\"/a\",\"op\":\"exists\",\"value\":true}", "{\"a\":null}", true},
    {"{\"path\":\"/a\",\"op\":\"exists\"}", "{\"a\":1}", true},
    {"{\"path\":\"/a\",\"op\":\"exists\"}", "{}", false},
    {"{\"path\":\"/a\",\"op\":\"exists\",\"value\":false}", "{}", true},
    {"{\"path\":\"/a\",\"op\":\"exists\",\"value\":false}", "[1]", true},
    {"{\"path\":\"/a\",\"op\":\"exists\",\"value\":false}", "{\"a\":1}", false},
    {"{\"path\":\"/a\",\"op\":\"exists\",\"value\":false}", "not json", false},
    {"{\"path\":\"\",\"op\":\"==\",\"value\":42}", " 42 ", true},
    {"{\"path\":\"\",\"op\":\"==\",\"value\":\"text\"}", "\"text\"", true},
    {"{\"path\":\"\",\"op\":\"contains\",\"value\":2}", "[1,2]", true},
    {"{\"path\":\"\",\"op\":\"exists\"}", "NaN", false},
    {"{\"path\":\"/a\",\"op\":\">\",\"value\":1},{\"path\":\"/a\",\"op\":\"<\",\"value\":3}", "{\"a\":2}", true},
    {"{\"path\":\"/a\",\"op\":\">\",\"value\":1},{\"path\":\"/a\",\"op\":\"<\",\"value\":3}", "{\"a\":3}", false},
};

START_TEST(conditions_mean_what_the_header_says)
{
	const struct condition_example *example = &conditions[_i];
	ck_assert_msg(passes(example->condition, example->payload) == example->passes, "%s on %s", example->condition,
	              example->payload);
}
END_TEST

START_TEST(unescapes_strings_longer_than_any_stack_room)
{
	char payload[2048], text[1200], condition[1400];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	snprintf(payload, sizeof payload, "{\"a\":\"%s\\u0021\"}", text);
	struct record record = kit_record("trace:s1", payload);
	snprintf(condition, sizeof condition, "{\"where\":[{\"path\":\"/a\",\"op\":\"==\",\"value\":\"%s!\"}]}", text);
	ck_assert(is_wanted(NULL, condition, &record));
	ck_assert(passes("{\"path\":\"/a\",\"op\":\"glob\",\"value\":\"x*!\"}", payload));
}
END_TEST

struct error_example {
	const char *channels, *filter;
	const char *where, *part_of_message;
};

static const struct error_example errors[] = {
    {"5", NULL, "channels", "must be an array of strings, not number"},
    {"\"trace:*\"", NULL, "channels", "not string"},
    {"[]", NULL, "channels", "an empty list matches nothing"},
    {"[\"trace:*\",5]", NULL, "channels[1]", "must be a string, not number"},
    {"[\"\"]", NULL, "channels[0]", "must not be empty"},
    {"[\"metrics:x\"]", NULL, "channels[0]", "serves trace:*, agent:*, swarm:*, performance:*"},
    {"[\"trace:a\",\"foo:*\"]", NULL, "channels[1]", "\"foo:*\""},
    {"[\"trace\"]", NULL, "channels[0]", "\"trace\""},
    {"[\"TRACE:*\"]", NULL, "channels[0]", "\"TRACE:*\""},
    {NULL, "[]", "filter", "must be an object, not array"},
    {NULL, "null", "filter", "must be an object, not null"},
    {NULL, "{\"sesion\":[\"a\"]}", "filter", "unknown key \"sesion\"; allowed: session, agent, type, where"},
    {NULL, "{\"session\":\"s1\"}", "filter.session", "must be an array of strings, not string"},
    {NULL, "{\"session\":[]}", "filter.session", "an empty list"},
    {NULL, "{\"session\":[\"a\",1]}", "filter.session[1]", "must be a string, not number"},
    {NULL, "{\"agent\":[null]}", "filter.agent[0]", "not null"},
    {NULL, "{\"type\":[\"\"]}", "filter.type[0]", "must not be empty"},
    {NULL, "{\"where\":{}}", "filter.where", "must be an array of conditions, not object"},
    {NULL, "{\"where\":[1]}", "filter.where[0]", "must be an object with path, op and value, not number"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":\"==\",\"value\":1},{\"path\":\"/a\",\"op\":\"=~\",\"value\":1}]}",
     "filter.where[1].op", "unknown operator \"=~\"; one of == != < <= > >= in contains prefix glob exists"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"value\":1}]}", "filter.where[0].op", "is missing"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":1,\"value\":1}]}", "filter.where[0].op",
     "must be a string, not number"},
    {NULL, "{\"where\":[{\"op\":\"==\",\"value\":1}]}", "filter.where[0].path", "is missing"},
    {NULL, "{\"where\":[{\"path\":\"a\",\"op\":\"==\",\"value\":1}]}", "filter.where[0].path", "JSON Pointer"},
    {NULL, "{\"where\":[{\"path\":\"/~2\",\"op\":\"==\",\"value\":1}]}", "filter.where[0].path", "JSON Pointer"},
    {NULL, "{\"where\":[{\"path\":[],\"op\":\"==\",\"value\":1}]}", "filter.where[0].path", "JSON Pointer"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":\"==\"}]}", "filter.where[0].value", "is missing"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":\"==\",\"value\":[1]}]}", "filter.where[0].value",
     "\"==\" needs a string, a number, a boolean or null, not array"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":\"!=\",\"value\":{}}]}", "filter.where[0].value", "not object"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":\"<\",\"value\":true}]}", "filter.where[0].value",
     "\"<\" needs a number or a string, not boolean"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":\"in\",\"value\":1}]}", "filter.where[0].value",
     "\"in\" needs an array"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":\"in\",\"value\":[]}]}", "filter.where[0].value", "at least one"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":\"in\",\"value\":[1,[2]]}]}", "filter.where[0].value[1]", "not array"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":\"prefix\",\"value\":1}]}", "filter.where[0].value",
     "\"prefix\" needs a string, not number"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":\"exists\",\"value\":1}]}", "filter.where[0].value",
     "\"exists\" needs true or false, not number"},
    {NULL, "{\"where\":[{\"path\":\"/a\",\"op\":\"exists\",\"val\":true}]}", "filter.where[0]",
     "unknown key \"val\"; allowed: path, op, value"},
};

START_TEST(errors_name_the_bad_part)
{
	const struct error_example *example = &errors[_i];
	struct filter *made = NULL;
	struct filter_error error = {0};
	ck_assert_int_eq(kit_try(example->channels, example->filter, &made, &error), ERR_INVALID);
	ck_assert_ptr_null(made);
	ck_assert_str_eq(error.where, example->where);
	ck_assert_msg(strstr(error.message, example->part_of_message) != NULL, "%s", error.message);
}
END_TEST

START_TEST(accepts_globs_that_can_overlap_what_is_served)
{
	static const char *const accepted[] = {"[\"*\"]",           "[\"t*\"]",          "[\"?race:x\"]",
	                                       "[\"[ta]*\"]",       "[\"trace:\"]",      "[\"trace:*\"]",
	                                       "[\"\\\\trace:a\"]", "[\"trace:\\\\*\"]", "[\"trace:a\\u0000b\"]"};
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++)
		filter_unref(kit_filter(accepted[i], NULL));
}
END_TEST

START_TEST(shows_served_patterns_that_are_not_globs)
{
	static const struct slice one[] = {SLICE_LITERAL("trace:only")};
	struct value entry = {.kind = VALUE_STRING, .text = SLICE_LITERAL("trace:o*")};
	struct value list = {.kind = VALUE_ARRAY, .list = {&entry, &entry, 1}};
	struct filter *made = NULL;
	struct filter_error error;
	ck_assert_int_eq(filter_compile(&list, NULL, (struct filter_patterns){one, 1}, &made, &error), OK);
	filter_unref(made);
	entry.text = SLICE_LITERAL("trace:x*");
	ck_assert_int_eq(filter_compile(&list, NULL, (struct filter_patterns){one, 1}, &made, &error), ERR_INVALID);
	ck_assert_int_eq(filter_compile(&list, NULL, (struct filter_patterns){NULL, 0}, &made, &error), OK);
	filter_unref(made);
}
END_TEST

/* A JSON array of count strings like "trace:12". */
static char *list_of(size_t count)
{
	char *text = malloc(count * 16 + 3), *at = text;
	at += sprintf(at, "[");
	for (size_t i = 0; i < count; i++)
		at += sprintf(at, "%s\"trace:%zu\"", i ? "," : "", i);
	sprintf(at, "]");
	return text;
}

START_TEST(refuses_what_is_over_a_limit)
{
	struct filter *made = NULL;
	struct filter_error error;
	char *list = list_of(FILTER_CHANNELS_MAX + 1), *channels = list_of(FILTER_CHANNELS_MAX);
	ck_assert_int_eq(kit_try(list, NULL, &made, &error), ERR_LIMIT);
	ck_assert_str_eq(error.where, "channels");
	filter_unref(kit_filter(channels, NULL));
	free(list);
	free(channels);

	char *sessions = list_of(FILTER_LIST_MAX + 1), *filter = malloc(strlen(sessions) + 32);
	sprintf(filter, "{\"session\":%s}", sessions);
	ck_assert_int_eq(kit_try(NULL, filter, &made, &error), ERR_LIMIT);
	ck_assert_str_eq(error.where, "filter.session");
	free(filter);
	free(sessions);

	char *pattern = malloc(GLOB_BYTES_MAX * 10 + 32);
	strcpy(pattern, "[\"trace:");
	for (size_t i = 0; i < 5000; i++)
		memcpy(pattern + 8 + 2 * i, "*a", 2);
	strcpy(pattern + 8 + 10000, "\"]");
	ck_assert_int_eq(kit_try(pattern, NULL, &made, &error), ERR_LIMIT);
	ck_assert_str_eq(error.where, "channels[0]");
	free(pattern);

	char where[4096] = "{\"where\":[";
	for (size_t i = 0; i <= FILTER_WHERE_MAX; i++)
		sprintf(where + strlen(where), "%s{\"path\":\"/%zu\",\"op\":\"exists\"}", i ? "," : "", i);
	strcat(where, "]}");
	ck_assert_int_eq(kit_try(NULL, where, &made, &error), ERR_LIMIT);
	ck_assert_str_eq(error.where, "filter.where");
}
END_TEST

START_TEST(long_hostile_names_do_not_burst_the_error)
{
	struct filter *made = NULL;
	struct filter_error error;
	char filter[1024] = "{\"";
	for (size_t i = 0; i < 100; i++)
		strcat(filter, "\xe2\x82\xac");
	strcat(filter, "\":[]}");
	ck_assert_int_eq(kit_try(NULL, filter, &made, &error), ERR_INVALID);
	ck_assert(json_is_utf8(slice_of(error.message)));
	ck_assert_ptr_nonnull(strstr(error.message, "allowed: session"));
}
END_TEST

START_TEST(equal_filters_have_equal_canonical_texts)
{
	ck_assert(is_same("[\"trace:*\",\"agent:*\"]", NULL, "[\"agent:*\",\"trace:*\",\"agent:*\"]", NULL));
	ck_assert(is_same(NULL, NULL, "[\"performance:*\",\"swarm:*\",\"agent:*\",\"trace:*\"]", "{}"));
	ck_assert(is_same(NULL, "{\"session\":[\"a\",\"b\"],\"type\":[\"x\",\"y*\"]}", NULL,
	                  "{\"type\":[\"y*\",\"x\",\"x\"],\"session\":[\"b\",\"a\",\"b\"]}"));
	ck_assert(is_same(
	    NULL,
	    "{\"where\":[{\"path\":\"/a\",\"op\":\"in\",\"value\":[1,\"x\"]},{\"path\":\"/b\",\"op\":\"exists\"}]}",
	    NULL,
	    "{\"where\":[{\"op\":\"exists\",\"value\":true,\"path\":\"/b\"},"
	    "{\"path\":\"/a\",\"op\":\"in\",\"value\":[\"x\",1,1]},{\"path\":\"/b\",\"op\":\"exists\"}]}"));
}
END_TEST

START_TEST(different_filters_have_different_canonical_texts)
{
	static const char *const filters[] = {
	    "{}",
	    "{\"session\":[\"a\"]}",
	    "{\"agent\":[\"a\"]}",
	    "{\"type\":[\"a\"]}",
	    "{\"session\":[\"a\",\"b\"]}",
	    "{\"session\":[\"a,b\"]}",
	    "{\"session\":[\"a1:b\"]}",
	    "{\"session\":[\"a]agent[1:b\"]}",
	    "{\"session\":[\"a\"],\"agent\":[\"b\"]}",
	    "{\"where\":[{\"path\":\"/a\",\"op\":\"==\",\"value\":1}]}",
	    "{\"where\":[{\"path\":\"/a\",\"op\":\"==\",\"value\":\"1\"}]}",
	    "{\"where\":[{\"path\":\"/a\",\"op\":\"in\",\"value\":[1]}]}",
	    "{\"where\":[{\"path\":\"/a\",\"op\":\"==\",\"value\":true}]}",
	    "{\"where\":[{\"path\":\"/a\",\"op\":\"==\",\"value\":null}]}",
	    "{\"where\":[{\"path\":\"/a\",\"op\":\"exists\",\"value\":false}]}",
	    "{\"where\":[{\"path\":\"/a\",\"op\":\"exists\"}]}",
	    "{\"where\":[{\"path\":\"/a=n1:1\",\"op\":\"==\",\"value\":1}]}",
	};
	size_t count = sizeof filters / sizeof filters[0];
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++)
			ck_assert_msg(is_same(NULL, filters[i], NULL, filters[j]) == (i == j), "%s and %s", filters[i],
			              filters[j]);
	}
}
END_TEST

START_TEST(outlives_the_values_and_dies_with_its_last_reference)
{
	struct record record = kit_record("trace:s1", "{\"a\":\"x\"}");
	struct filter *made =
	    kit_filter("[\"trace:s1\"]", "{\"where\":[{\"path\":\"/a\",\"op\":\"==\",\"value\":\"x\"}]}");
	ck_assert_ptr_eq(filter_ref(made), made);
	filter_unref(made);
	ck_assert(filter_match(made, &record));
	filter_unref(made);
	filter_unref(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filter");
	TCase *tests = tcase_create("filter");
	tcase_add_test(tests, wants_everything_served_when_nothing_is_asked);
	tcase_add_test(tests, channels_are_exact_or_globs_and_any_of_them_is_enough);
	tcase_add_test(tests, says_when_it_wants_one_session_only);
	tcase_add_test(tests, lists_are_or_and_keys_are_and);
	tcase_add_test(tests, a_record_without_a_key_matches_no_list_of_it);
	tcase_add_loop_test(tests, conditions_mean_what_the_header_says, 0, sizeof conditions / sizeof conditions[0]);
	tcase_add_test(tests, unescapes_strings_longer_than_any_stack_room);
	tcase_add_loop_test(tests, errors_name_the_bad_part, 0, sizeof errors / sizeof errors[0]);
	tcase_add_test(tests, accepts_globs_that_can_overlap_what_is_served);
	tcase_add_test(tests, shows_served_patterns_that_are_not_globs);
	tcase_add_test(tests, refuses_what_is_over_a_limit);
	tcase_add_test(tests, long_hostile_names_do_not_burst_the_error);
	tcase_add_test(tests, equal_filters_have_equal_canonical_texts);
	tcase_add_test(tests, different_filters_have_different_canonical_texts);
	tcase_add_test(tests, outlives_the_values_and_dies_with_its_last_reference);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http/query.h"
#include "tests/support/suite.h"

static struct query query;
static char storage[4096];
static const char *why;

static enum err read_text(const char *text)
{
	return query_read(slice_of(text), storage, &query, &why);
}

static void expect(const char *name, const char *value)
{
	struct slice got;
	ck_assert_msg(query_get(&query, name, &got), "no %s", name);
	ck_assert_msg(slice_is(got, value), "%s is \"%.*s\"", name, (int)got.len, got.ptr);
}

START_TEST(decodes_names_and_values)
{
	struct slice value;
	ck_assert_int_eq(read_text("session=s%201&from=-5m&t%79pe=tool.%2A&x=a%2Bb+c&eq=a=b%3D&empty=&flag&&utf=%E2%82%AC"), OK);
	ck_assert_uint_eq(query.count, 8);
	expect("session", "s 1");
	expect("from", "-5m");
	expect("type", "tool.*");
	expect("x", "a+b c");
	expect("eq", "a=b=");
	expect("empty", "");
	expect("flag", "");
	expect("utf", "\xE2\x82\xAC");
	ck_assert(!query_get(&query, "sessio", &value));
	ck_assert_int_eq(read_text(""), OK);
	ck_assert_uint_eq(query.count, 0);
}
END_TEST

static const char *const refused[] = {
	"a=%", "a=%4", "a=%zz", "a=%4g", "a=%%41", "%=1", "a=%00", "a%00b=1", "a=1&a=2", "a=1&%61=2", "a&a", "a=%ff", "a=%ed%a0%80",
};

START_TEST(refuses_what_could_be_taken_in_two_ways)
{
	why = NULL;
	ck_assert_msg(read_text(refused[_i]) == ERR_INVALID, "%s", refused[_i]);
	ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(takes_so_many_parameters_and_no_more)
{
	char text[1024] = "";
	for (size_t i = 0; i < QUERY_PARAMETERS_MAX; i++) {
		char one[16];
		snprintf(one, sizeof one, "%sp%zu=1", i ? "&" : "", i);
		strcat(text, one);
	}
	ck_assert_int_eq(read_text(text), OK);
	expect("p31", "1");
	strcat(text, "&q=1");
	ck_assert_int_eq(read_text(text), ERR_LIMIT);
}
END_TEST

/* In memory of their own, so that a sanitizer sees a byte read or written too far. */
START_TEST(stays_within_its_bytes)
{
	static const char *const texts[] = {"a=%4", "a=%", "%41", "a=b", "+", "a=%41%42"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		size_t len = strlen(texts[i]);
		char *piece = malloc(len), *room = malloc(len);
		memcpy(piece, texts[i], len);
		(void)!query_read((struct slice){piece, len}, room, &query, &why);
		free(piece);
		free(room);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("query");
	TCase *tests = tcase_create("query");
	tcase_add_test(tests, decodes_names_and_values);
	tcase_add_loop_test(tests, refuses_what_could_be_taken_in_two_ways, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(tests, takes_so_many_parameters_and_no_more);
	tcase_add_test(tests, stays_within_its_bytes);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

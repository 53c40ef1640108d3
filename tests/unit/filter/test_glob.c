#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/filter/glob.h"
#include "tests/support/suite.h"

struct example {
	const char *pattern, *text;
	bool matches;
};

static const struct example examples[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"*", "", true},
    {"**", "", true},
    {"?", "", false},
    {"*", "anything", true},
    {"trace:*", "trace:", true},
    {"trace:*", "trace:s1", true},
    {"trace:*", "trace", false},
    {"trace:*", "TRACE:1", false},
    {"trace:?", "trace:1", true},
    {"trace:?", "trace:12", false},
    {"trace:[ab]", "trace:a", true},
    {"trace:[ab]", "trace:[ab]", false},
    {"trace:\\[ab]", "trace:[ab]", true},
    {"trace:a\\*b", "trace:a*b", true},
    {"trace:a\\*b", "trace:axb", false},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[c-a]x", "bx", true}, /* a range the wrong way round is turned */
    {"[^a-c]x", "dx", true},
    {"[^a-c]x", "ax", false},
    {"[\\]]", "]", true},
    {"[\\a-c]", "-", true}, /* after an escape a dash is a plain byte */
    {"[\\a-c]", "b", false},
    {"[a-]", "]", true}, /* the range a to ], not closed */
    {"*a*b*c", "xxaxxbxxc", true},
    {"*a*b*c", "xxaxxcxxb", false},
    {"*ab", "aab", true},
    {"a*?", "a", false},
    {"a*?", "ab", true},
    {"a**b", "ab", true},
    {"a**", "a", true},
    {"tool.*.end", "tool.call.end", true},
    {"\xc3*", "\xc3\xa9", true},
    {"[\x80-\xff]", "\xe9", true},
    /* malformed, as Redis takes it */
    {"[", "a", false},
    {"[", "[", false},
    {"[abc", "b", true},
    {"[abc", "d", false},
    {"[a-", "-", true},
    {"[^", "x", true},
    {"[^", "xy", false},
    {"[^]", "x", true},
    {"[]", "x", false},
    {"[]a]", "a]", false},
    {"[a\\", "\\", true},
    {"a\\", "a\\", true},
    {"a\\", "a", false},
    {"\\", "\\", true},
    {"]", "]", true},
    {"^", "^", true},
};

START_TEST(matches_as_redis_does)
{
	const struct example *example = &examples[_i];
	ck_assert_msg(glob_match(slice_of(example->pattern), slice_of(example->text)) == example->matches,
	              "%s against %s", example->pattern, example->text);
}
END_TEST

START_TEST(compares_bytes_behind_a_nul)
{
	ck_assert(glob_match(SLICE_LITERAL("a\0*c"), SLICE_LITERAL("a\0bc")));
	ck_assert(!glob_match(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0c")));
	ck_assert(!glob_match(SLICE_LITERAL("a"), SLICE_LITERAL("a\0")));
}
END_TEST

/* The meaning of well-formed and malformed patterns, written down the plain recursive way. */
static bool is_match_by_recursion(const char *pattern, const char *text)
{
	if (*pattern == '*')
		return is_match_by_recursion(pattern + 1, text) || (*text && is_match_by_recursion(pattern, text + 1));
	if (!*text)
		return !*pattern;
	if (*pattern == '?')
		return is_match_by_recursion(pattern + 1, text + 1);
	if (*pattern == '[') {
		bool negated = pattern[1] == '^', held = false;
		for (pattern += 1 + negated; *pattern && *pattern != ']'; pattern++) {
			if (*pattern == '\\' && pattern[1])
				held |= *++pattern == *text;
			else if (pattern[1] == '-' && pattern[2]) {
				char low = *pattern, high = pattern[2];
				held |= (low <= *text && *text <= high) || (high <= *text && *text <= low);
				pattern += 2;
			} else
				held |= *pattern == *text;
		}
		return held != negated && is_match_by_recursion(pattern + (*pattern == ']'), text + 1);
	}
	if (*pattern == '\\' && pattern[1])
		pattern++;
	return *pattern && *pattern == *text && is_match_by_recursion(pattern + 1, text + 1);
}

static void fill(char *text, size_t len_max, const char *alphabet, unsigned *seed)
{
	size_t len = (size_t)rand_r(seed) % (len_max + 1);
	for (size_t i = 0; i < len; i++)
		text[i] = alphabet[(size_t)rand_r(seed) % strlen(alphabet)];
	text[len] = '\0';
}

START_TEST(agrees_with_the_recursive_meaning)
{
	unsigned seed = 11;
	char pattern[12], text[10];
	size_t matches = 0;
	for (int round = 0; round < 200000; round++) {
		fill(pattern, 9, "ab*?[]^-\\c*", &seed);
		fill(text, 6, "abc]-^\\*", &seed);
		bool is_match = is_match_by_recursion(pattern, text);
		matches += is_match;
		ck_assert_msg(glob_match(slice_of(pattern), slice_of(text)) == is_match, "%s against %s", pattern,
		              text);
	}
	ck_assert_uint_gt(matches, 1000);
}
END_TEST

/* Exponential time would not end before the test's own. */
START_TEST(needs_no_exponential_time_for_many_stars)
{
	static char pattern[6 + 10000], text[6 + 5000];
	memcpy(pattern, "trace:", 6);
	for (size_t i = 0; i < 10000; i += 2)
		memcpy(pattern + 6 + i, "*a", 2);
	memcpy(text, "trace:", 6);
	memset(text + 6, 'a', 5000);
	ck_assert(glob_match((struct slice){pattern, sizeof pattern}, (struct slice){text, sizeof text}));
	text[sizeof text - 1] = 'b';
	ck_assert(!glob_match((struct slice){pattern, sizeof pattern}, (struct slice){text, sizeof text}));
	ck_assert(!glob_match((struct slice){pattern, sizeof pattern}, SLICE_LITERAL("trace:s1")));
}
END_TEST

START_TEST(tells_exact_texts_from_patterns)
{
	ck_assert(glob_is_exact(SLICE_LITERAL("trace:s1")));
	ck_assert(glob_is_exact(SLICE_NONE));
	ck_assert(glob_is_exact(SLICE_LITERAL("a]^-")));
	ck_assert(!glob_is_exact(SLICE_LITERAL("trace:*")));
	ck_assert(!glob_is_exact(SLICE_LITERAL("a?")));
	ck_assert(!glob_is_exact(SLICE_LITERAL("a[b")));
	ck_assert(!glob_is_exact(SLICE_LITERAL("a\\b")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("glob");
	TCase *tests = tcase_create("glob");
	tcase_add_loop_test(tests, matches_as_redis_does, 0, sizeof examples / sizeof examples[0]);
	tcase_add_test(tests, compares_bytes_behind_a_nul);
	tcase_add_test(tests, agrees_with_the_recursive_meaning);
	tcase_add_test(tests, needs_no_exponential_time_for_many_stars);
	tcase_add_test(tests, tells_exact_texts_from_patterns);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

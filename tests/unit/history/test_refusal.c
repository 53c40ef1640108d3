#include <check.h>
#include <string.h>

#include "gateway/history/refusal.h"
#include "tests/support/suite.h"

static const struct {
	const char *text;
	enum err error;
	const char *word;
} table[] = {
    {"OOM command not allowed when used memory > 'maxmemory'.", ERR_AGAIN, "memory"},
    {"LOADING Redis is loading the dataset in memory", ERR_AGAIN, "loading"},
    {"READONLY You can't write against a read only replica.", ERR_AGAIN, "replica"},
    {"WRONGTYPE Operation against a key holding the wrong kind of value", ERR_IO, "stream"},
    {"NOPERM this user has no permissions to run the 'xrange' command", ERR_IO, "right"},
    {"ERR channels that begin with tg: are the gateway's own", ERR_IO, "channel: "},
    {"ERR unknown command", ERR_IO, "Redis refused"},
    {"OOMPH", ERR_IO, "Redis refused"},
    {"", ERR_IO, "Redis refused"},
    {NULL, ERR_IO, "Redis refused"},
};

START_TEST(says_in_words_what_is_the_matter_and_whether_time_heals_it)
{
	const char *words = NULL;
	ck_assert_int_eq(refusal_judge(table[_i].text, &words), table[_i].error);
	ck_assert_msg(strstr(words, table[_i].word), "%s", words);
	ck_assert_uint_lt(strlen(words), 128);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refusal");
	TCase *tests = tcase_create("refusal");
	suite_add_tcase(suite, tests);
	tcase_add_loop_test(tests, says_in_words_what_is_the_matter_and_whether_time_heals_it, 0, sizeof table / sizeof table[0]);
	return suite_run(suite);
}

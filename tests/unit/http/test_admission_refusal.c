#include <check.h>
#include <stdlib.h>

#include "gateway/http/admission_refusal.h"
#include "tests/support/suite.h"

START_TEST(every_limit_has_its_answer_and_says_when_to_try_again)
{
	static const struct {
		enum connections_verdict verdict;
		unsigned status;
		const char *code;
	} answers[] = {
		{CONNECTIONS_NODE_FULL, 503, "node_full"},
		{CONNECTIONS_ADDRESS_FULL, 429, "too_many_connections"},
		{CONNECTIONS_IDENTITY_FULL, 429, "too_many_connections"},
		{CONNECTIONS_STRANGERS_FULL, 503, "too_many_unauthenticated"},
	};
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		const struct refusal *refusal = admission_refusal(answers[i].verdict);
		ck_assert_uint_eq(refusal->status, answers[i].status);
		ck_assert_str_eq(refusal->code, answers[i].code);
		ck_assert_uint_gt(refusal->retry_after_s, 0);
	}
	ck_assert_uint_eq(refusal_over_memory.status, 503);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admission_refusal");
	TCase *tests = tcase_create("admission_refusal");
	tcase_add_test(tests, every_limit_has_its_answer_and_says_when_to_try_again);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

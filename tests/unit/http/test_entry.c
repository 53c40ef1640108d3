#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/auth.h"
#include "gateway/http/entry.h"
#include "tests/support/suite.h"
#include "tests/support/token.h"

#define SECRET "a secret of more than thirty-two bytes"

static struct auth *auths[2]; /* none is needed; one is */
static char *token;

static void set_up(void)
{
	char why[256];
	for (int i = 0; i < 2; i++) {
		const struct auth_settings settings = {.jwt_secret = SECRET, .is_required = i == 1};
		ck_assert_msg(auth_new(&settings, &auths[i], why) == OK, "%s", why);
	}
	token = test_token_hs256("{\"sub\":\"ann\",\"exp\":4102444800}", SECRET);
}

static void tear_down(void)
{
	for (int i = 0; i < 2; i++)
		auth_free(auths[i]);
	free(token);
}

static const struct {
	const char *method, *query, *fields; /* %s: the token */
	bool is_required, may_tell_later, is_draining, has_no_keys;
	unsigned status;                     /* 0: let in */
	const char *identity;                /* NULL: no grants */
	const char *challenge;               /* part of it; NULL: none */
} examples[] = {
    {"GET", "", "", false, true, false, false, 0, "anonymous", NULL},
    {"GET", "", "", false, false, false, false, 0, "anonymous", NULL},
    {"GET", "", "", true, true, false, false, 0, NULL, NULL},
    {"GET", "", "", true, false, false, false, 401, NULL, "realm=\"tracegate\""},
    {"GET", "", "Authorization: Bearer %s\r\n", true, false, false, false, 0, "ann", NULL},
    {"GET", "", "Authorization: Bearer %s\r\n", false, false, false, false, 0, "ann", NULL},
    {"GET", "access_token=%s", "", true, true, false, false, 0, "ann", NULL},
    {"GET", "access_token=%sx", "", true, true, false, false, 401, NULL, "invalid_token"},
    {"GET", "access_token=%sx", "", false, true, false, false, 401, NULL, "invalid_token"},
    {"GET", "access_token=", "", false, true, false, false, 400, NULL, "invalid_request"},
    {"GET", "access_token=%s&access_token=%s", "", true, true, false, false, 400, NULL, "invalid_request"},
    {"GET", "access_token=%%00%s", "", true, true, false, false, 400, NULL, "invalid_request"},
    {"GET", "", "Origin: https://evil\r\nAuthorization: Bearer %s\r\n", true, false, false, false, 403, NULL, NULL},
    {"GET", "", "Authorization: Bearer %s\r\n", true, false, true, false, 503, NULL, NULL},
    {"OPTIONS", "", "", true, false, false, false, 0, NULL, NULL},
    {"OPTIONS", "", "Origin: https://evil\r\n", true, false, false, false, 403, NULL, NULL},
    /* Without keys nothing is good, and nobody is anonymous. */
    {"GET", "", "Authorization: Bearer %s\r\n", false, true, false, true, 401, NULL, "invalid_token"},
    {"GET", "", "", false, false, false, true, 401, NULL, "realm"},
};

START_TEST(judges_who_comes)
{
	static const struct cors cors = {.origin_count = 0};
	const struct entry_policy policy = {
	    .cors = &cors,
	    .is_draining = examples[_i].is_draining,
	    .retry_after_s = 3,
	    .auth = examples[_i].has_no_keys ? NULL : auths[examples[_i].is_required],
	    .may_tell_later = examples[_i].may_tell_later,
	};
	char format[512], text[4096];
	struct head head;
	struct entry entry;
	struct refusal refusal = {.status = 0};
	snprintf(format, sizeof format, "%s /ws?%s HTTP/1.1\r\nHost: h\r\n%s\r\n", examples[_i].method, examples[_i].query,
	         examples[_i].fields);
	char *out = text;
	for (const char *at = format; *at; at++) {
		if (*at == '%' && at[1] == 's')
			out += sprintf(out, "%s", token);
		else if (*at != '%' || at[1] == '%')
			*out++ = *at;
		at += *at == '%';
	}
	ck_assert_int_eq(head_read((struct slice){text, (size_t)(out - text)}, &head), HEAD_COMPLETE);
	ck_assert(entry_judge(&head, &policy, &entry, &refusal) == (examples[_i].status == 0));
	ck_assert_uint_eq(refusal.status, examples[_i].status);
	ck_assert(!refusal.message || !strstr(refusal.message, token));
	ck_assert(!examples[_i].challenge == !refusal.challenge);
	ck_assert(!refusal.challenge || strstr(refusal.challenge, examples[_i].challenge));
	ck_assert_uint_eq(refusal.retry_after_s, examples[_i].status == 503 ? 3 : 0);
	ck_assert(!examples[_i].identity == !entry.grants);
	if (entry.grants)
		ck_assert(slice_is(entry.grants->identity, examples[_i].identity));
	grants_unref(entry.grants);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("entry");
	TCase *tests = tcase_create("entry");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_loop_test(tests, judges_who_comes, 0, sizeof examples / sizeof examples[0]);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

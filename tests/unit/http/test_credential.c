#include <check.h>
#include <stdio.h>

#include "gateway/http/credential.h"
#include "tests/support/suite.h"

struct example {
	const char *query, *fields;
	const char *credential; /* NULL: there is none, or it is malformed */
	bool is_malformed;
};

#define PROTOCOL "Sec-WebSocket-Protocol: "

static const struct example examples[] = {
    {"", "", NULL, false},
    /* Authorization */
    {"", "Authorization: Bearer SECRET\r\n", "SECRET", false},
    {"", "authorization: bEARER   SECRET\r\n", "SECRET", false},
    {"", "Authorization: Bearer\r\n", NULL, true},
    {"", "Authorization: Bearer \r\n", NULL, true},
    {"", "Authorization: SECRET\r\n", NULL, true},
    {"", "Authorization:\r\n", NULL, true},
    {"", "Authorization: Bearer SECRET other\r\n", NULL, true},
    {"", "Authorization: Bearer SECRET, Bearer other\r\n", NULL, true},
    {"", "Authorization: Bearer SECRET\r\nAuthorization: Bearer SECRET\r\n", NULL, true},
    {"", "Authorization: Bearer SECRET\r\nAuthorization: Bearer other\r\n", NULL, true},
    {"", "Authorization: Basic SECRET\r\n", NULL, false},
    {"", "Authorization: BearerSECRET x\r\n", NULL, false},
    {"", "Authorization: Basic other\r\nX-API-Key: SECRET\r\n", "SECRET", false},
    /* X-API-Key */
    {"", "X-API-Key: SECRET\r\n", "SECRET", false},
    {"", "x-api-key: SECRET\r\n", "SECRET", false},
    {"", "X-API-Key:\r\n", NULL, true},
    {"", "X-API-Key: SECRET\r\nX-API-Key: SECRET\r\n", NULL, true},
    /* query */
    {"access_token=SECRET", "", "SECRET", false},
    {"a=1&api_key=SECRET&b", "", "SECRET", false},
    {"api_key=SE%2BCRET", "", "SE+CRET", false},
    {"api_key=SE+CRET", "", "SE CRET", false},
    {"api%5fkey=%53ECRET", "", "SECRET", false},
    {"access_token=", "", NULL, true},
    {"api_key", "", NULL, true},
    {"access_token=SECRET&api_key=SECRET", "", NULL, true},
    {"token=SECRET", "", NULL, false},
    {"Access_Token=SECRET", "", NULL, false},
    /* subprotocols */
    {"", PROTOCOL "bearer.SECRET, tracegate.v1.json\r\n", "SECRET", false},
    {"", PROTOCOL "tracegate.v1.json\r\n" PROTOCOL "bearer.SECRET\r\n", "SECRET", false},
    {"", PROTOCOL "bearer.\r\n", NULL, true},
    {"", PROTOCOL "bearer.SECRET, bearer.SECRET\r\n", NULL, true},
    {"", PROTOCOL "Bearer.SECRET\r\n", NULL, false},
    {"", PROTOCOL "tracegate.v1.json\r\n", NULL, false},
    /* the order */
    {"access_token=c", "X-API-Key: b\r\nAuthorization: Bearer SECRET\r\n" PROTOCOL "bearer.d\r\n", "SECRET", false},
    {"access_token=c", "X-API-Key: SECRET\r\n" PROTOCOL "bearer.d\r\n", "SECRET", false},
    {"access_token=SECRET", PROTOCOL "bearer.d\r\n", "SECRET", false},
};

START_TEST(finds_it_where_it_may_stand)
{
	const struct example *example = &examples[_i];
	char text[2048], storage[1024];
	struct head head;
	struct query query;
	struct slice credential = SLICE_NONE;
	const char *why = NULL;
	snprintf(text, sizeof text, "GET /ws?%s HTTP/1.1\r\n%s\r\n", example->query, example->fields);
	ck_assert_int_eq(head_read(slice_of(text), &head), HEAD_COMPLETE);
	ck_assert_int_eq(query_read(head.query, storage, &query, &why), OK);
	enum credential_status status = credential_find(&head, &query, &credential, &why);
	if (example->is_malformed) {
		ck_assert_int_eq(status, CREDENTIAL_MALFORMED);
		ck_assert_ptr_nonnull(why);
		ck_assert_ptr_null(strstr(why, "SECRET"));
	} else if (example->credential) {
		ck_assert_int_eq(status, CREDENTIAL_FOUND);
		ck_assert(slice_is(credential, example->credential));
	} else {
		ck_assert_int_eq(status, CREDENTIAL_NONE);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("credential");
	TCase *tests = tcase_create("credential");
	tcase_add_loop_test(tests, finds_it_where_it_may_stand, 0, sizeof examples / sizeof examples[0]);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

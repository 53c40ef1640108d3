#include <check.h>
#include <stdio.h>

#include "gateway/http/cors.h"
#include "gateway/http/negotiate.h"
#include "tests/support/suite.h"

static const char *const offers[] = {"application/json", "application/x-ndjson"};
static struct head head;

static void read_fields(const char *fields)
{
	static char text[1024];
	snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h:80\r\n%s\r\n", fields);
	ck_assert_int_eq(head_read(slice_of(text), &head), HEAD_COMPLETE);
}

static const struct {
	const char *fields;
	int chosen;
} accepts[] = {
	{"", 0},
	{"Accept: */*\r\n", 0},
	{"Accept: application/*\r\n", 0},
	{"Accept: application/json\r\n", 0},
	{"Accept: APPLICATION/X-NDJSON\r\n", 1},
	{"Accept: application/x-ndjson; charset=utf-8\r\n", 1},
	{"Accept: application/x-ndjson, */*;q=0.1\r\n", 1},
	{"Accept: text/html, */*;q=0.8\r\n", 0},
	{"Accept: application/json;q=0.5, application/x-ndjson;q=0.6\r\n", 1},
	{"Accept: application/json;q=0.123\r\nAccept: application/x-ndjson;q=0.124\r\n", 1},
	{"Accept: */*, application/json;q=0\r\n", 1},
	{"Accept: application/json;q=1.000\r\n", 0},
	{"Accept: text/html\r\n", -1},
	{"Accept: application/json;q=0\r\n", -1},
	{"Accept: application/json;q=2\r\n", -1},
	{"Accept: application/json;q=x\r\n", -1},
	{"Accept:\r\n", -1},
};

START_TEST(chooses_what_is_liked_best)
{
	read_fields(accepts[_i].fields);
	ck_assert_msg(negotiate_accept(&head, offers, 2) == accepts[_i].chosen, "%s", accepts[_i].fields);
}
END_TEST

static const struct {
	const char *fields;
	int type;
} contents[] = {
	{"", -1},
	{"Content-Type: application/json\r\n", 0},
	{"Content-Type: Application/JSON; charset=utf-8\r\n", 0},
	{"Content-Type: application/x-ndjson\r\n", 1},
	{"Content-Type: application/x-www-form-urlencoded\r\n", -1},
	{"Content-Type: application/jsonp\r\n", -1},
	{"Content-Type: application/json\r\nContent-Type: application/json\r\n", -1},
};

START_TEST(knows_the_type_of_a_body)
{
	read_fields(contents[_i].fields);
	ck_assert_msg(negotiate_content_type(&head, offers, 2) == contents[_i].type, "%s", contents[_i].fields);
}
END_TEST

START_TEST(gives_the_origin_that_it_allows)
{
	static const struct slice listed[] = {SLICE_LITERAL("https://a.example")}, any[] = {SLICE_LITERAL("*")};
	const struct cors own = {0}, list = {listed, 1, false}, all = {any, 1, false};
	struct slice origin;
	read_fields("");
	ck_assert_int_eq(cors_judge(&own, &head, &origin), CORS_NO_ORIGIN);
	ck_assert_uint_eq(origin.len, 0);
	read_fields("Origin: https://a.example\r\n");
	ck_assert_int_eq(cors_judge(&own, &head, &origin), CORS_REFUSED);
	ck_assert_int_eq(cors_judge(&list, &head, &origin), CORS_ALLOWED);
	ck_assert(slice_is(origin, "https://a.example"));
	read_fields("Origin: http://h\r\n");
	ck_assert_int_eq(cors_judge(&own, &head, &origin), CORS_ALLOWED);
	ck_assert_int_eq(cors_judge(&list, &head, &origin), CORS_REFUSED);
	read_fields("Origin: https://a.example\r\nOrigin: https://b.example\r\n");
	ck_assert_int_eq(cors_judge(&list, &head, &origin), CORS_REFUSED);
	ck_assert_int_eq(cors_judge(&all, &head, &origin), CORS_ALLOWED);
	ck_assert_uint_eq(origin.len, 0);
}
END_TEST

START_TEST(names_the_page_that_may_read_the_answer)
{
	static const struct slice listed[] = {SLICE_LITERAL("https://a.example")};
	const struct cors own = {0}, list = {listed, 1, false};
	read_fields("");
	ck_assert_uint_eq(cors_reader(&list, false, &head).len, 0);
	read_fields("Origin: https://b.example\r\n");
	ck_assert_uint_eq(cors_reader(&list, false, &head).len, 0);
	read_fields("Origin: https://a.example\r\n");
	ck_assert(slice_is(cors_reader(&list, true, &head), "https://a.example"));
	read_fields("Origin: http://h\r\n");
	ck_assert(slice_is(cors_reader(&own, false, &head), "http://h"));
	ck_assert_uint_eq(cors_reader(&own, true, &head).len, 0);
}
END_TEST

static const struct {
	const char *fields;
	bool gzip;
} codings[] = {
	{"", false},
	{"Accept-Encoding: \r\n", false},
	{"Accept-Encoding: gzip\r\n", true},
	{"Accept-Encoding: gzip, deflate, br, zstd\r\n", true},
	{"Accept-Encoding: br\r\nAccept-Encoding: GZIP;q=0.1\r\n", true},
	{"Accept-Encoding: x-gzip\r\n", true},
	{"Accept-Encoding: gzip;q=0\r\n", false},
	{"Accept-Encoding: *\r\n", true},
	{"Accept-Encoding: *;q=0\r\n", false},
	{"Accept-Encoding: gzip;q=0, *\r\n", false},
	{"Accept-Encoding: *, gzip;q=0.000\r\n", false},
	{"Accept-Encoding: *;q=0, gzip\r\n", true},
	{"Accept-Encoding: identity\r\n", false},
	{"Accept-Encoding: identity, gzip;q=0.5\r\n", false},
	{"Accept-Encoding: identity;q=0.5, gzip;q=0.5\r\n", true},
	{"Accept-Encoding: gzip;q=nonsense\r\n", false},
	{"Accept-Encoding: gzipped\r\n", false},
	{"Accept-Encoding: br;q=1.0, deflate\r\n", false},
};

START_TEST(compresses_only_for_who_likes_it)
{
	read_fields(codings[_i].fields);
	ck_assert_msg(negotiate_gzip(&head) == codings[_i].gzip, "%s", codings[_i].fields);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("negotiate");
	TCase *tests = tcase_create("negotiate");
	tcase_add_loop_test(tests, chooses_what_is_liked_best, 0, sizeof accepts / sizeof accepts[0]);
	tcase_add_loop_test(tests, knows_the_type_of_a_body, 0, sizeof contents / sizeof contents[0]);
	tcase_add_test(tests, gives_the_origin_that_it_allows);
	tcase_add_test(tests, names_the_page_that_may_read_the_answer);
	tcase_add_loop_test(tests, compresses_only_for_who_likes_it, 0, sizeof codings / sizeof codings[0]);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/redis/url.h"
#include "tests/support/suite.h"

static struct url url;
static char why[URL_WHY_BYTES];

static void parse(const char *text)
{
	ck_assert_msg(url_parse(text, &url, why) == OK, "%s: %s", text, why);
}

static void refuse(const char *text, const char *reason)
{
	why[0] = '\0';
	ck_assert_msg(url_parse(text, &url, why) != OK, "%s was taken", text);
	ck_assert_msg(strstr(why, reason) != NULL, "%s: %s", text, why);
}

START_TEST(takes_a_host_alone)
{
	parse("redis://cache");
	ck_assert_int_eq(url.kind, URL_TCP);
	ck_assert_uint_eq(url.place_count, 1);
	ck_assert_str_eq(url.places[0].host, "cache");
	ck_assert_uint_eq(url.places[0].port, 6379);
	ck_assert_uint_eq(url.db, 0);
	ck_assert(!url_has_credentials(&url));
	url_fini(&url);
}
END_TEST

START_TEST(takes_user_password_port_and_database)
{
	parse("redis://gateway:s%40cr%2Ft@[::1]:7000/12");
	ck_assert_str_eq(url.user, "gateway");
	ck_assert_str_eq(url.password, "s@cr/t");
	ck_assert_str_eq(url.places[0].host, "::1");
	ck_assert_uint_eq(url.places[0].port, 7000);
	ck_assert_uint_eq(url.db, 12);
	url_fini(&url);
}
END_TEST

START_TEST(takes_a_password_without_a_user)
{
	parse("redis://:secret@h/");
	ck_assert_ptr_null(url.user);
	ck_assert_str_eq(url.password, "secret");
	url_fini(&url);
}
END_TEST

START_TEST(takes_an_at_sign_in_the_password)
{
	parse("redis://u:a@b?#@h");
	ck_assert_str_eq(url.password, "a@b?#");
	ck_assert_str_eq(url.places[0].host, "h");
	url_fini(&url);
}
END_TEST

START_TEST(takes_a_user_without_a_password)
{
	parse("redis://u@h");
	ck_assert_str_eq(url.user, "u");
	ck_assert_ptr_null(url.password);
	url_fini(&url);
	parse("redis://u:@h");
	ck_assert_str_eq(url.password, "");
	url_fini(&url);
}
END_TEST

START_TEST(takes_a_unix_socket)
{
	parse("unix:///run/re%20dis.sock?db=3");
	ck_assert_int_eq(url.kind, URL_UNIX);
	ck_assert_str_eq(url.places[0].path, "/run/re dis.sock");
	ck_assert_uint_eq(url.db, 3);
	url_fini(&url);
	parse("unix://:p@/run/a@b.sock");
	ck_assert_str_eq(url.password, "p");
	ck_assert_str_eq(url.places[0].path, "/run/a@b.sock");
	url_fini(&url);
}
END_TEST

START_TEST(takes_sentinels_and_the_name_of_the_primary)
{
	parse("redis-sentinel://:p@a,b:26380,[::1]:5/my%20primary/2");
	ck_assert_int_eq(url.kind, URL_SENTINEL);
	ck_assert_uint_eq(url.place_count, 3);
	ck_assert_str_eq(url.places[0].host, "a");
	ck_assert_uint_eq(url.places[0].port, 26379);
	ck_assert_uint_eq(url.places[1].port, 26380);
	ck_assert_str_eq(url.places[2].host, "::1");
	ck_assert_uint_eq(url.places[2].port, 5);
	ck_assert_str_eq(url.primary, "my primary");
	ck_assert_uint_eq(url.db, 2);
	url_fini(&url);
}
END_TEST

START_TEST(names_the_part_that_is_wrong)
{
	refuse("", "must begin with");
	refuse("http://h", "must begin with");
	refuse("redis://", "host is missing");
	refuse("redis://:p@", "host is missing");
	refuse("redis://h:", "port");
	refuse("redis://h:0", "port");
	refuse("redis://h:65536", "port");
	refuse("redis://h:12x", "port");
	refuse("redis://::1", "[ ]");
	refuse("redis://[::1", "]");
	refuse("redis://[::1]x", "]");
	refuse("redis://h/x", "database");
	refuse("redis://h/-1", "database");
	refuse("redis://h/99999999999", "database");
	refuse("redis://u%zz:p@h", "user");
	refuse("redis://u:p%4@h", "password");
	refuse("redis://u:p%00@h", "password");
	refuse("redis://h?db=2", "a database stands behind a /");
	refuse("redis://h:1/?db=2", "a database stands behind a /");
	refuse("redis://h#x", "? or a #");
	refuse("redis-sentinel://a/p?db=1", "? or a #");
	refuse("redis://:pa@ss/w#rd@h", "@ behind a /");
	refuse("redis-sentinel://h:1", "primary");
	refuse("unix://", "path");
	refuse("unix:///", "path");
	refuse("unix://x/y", "path");
	refuse("unix:///y?x=1", "db=");
	refuse("redis-sentinel://a,b", "primary");
	refuse("redis-sentinel://a,b/", "primary");
	refuse("redis-sentinel://a,,b/p", "host is missing");
}
END_TEST

START_TEST(never_shows_a_piece_of_the_password)
{
	refuse("redis://:hunter/2@h", "%2F");
	ck_assert_ptr_null(strstr(why, "hunter"));
	refuse("redis://:hunter2@h:port", "port");
	ck_assert_ptr_null(strstr(why, "hunter"));
	refuse("hunter2", "must begin");
	ck_assert_ptr_null(strstr(why, "hunter"));
}
END_TEST

START_TEST(refuses_tls_that_the_library_lacks_or_takes_it)
{
	enum err error = url_parse("rediss://h", &url, why);
	if (error == OK) {
		ck_assert_int_eq(url.kind, URL_TLS);
		url_fini(&url);
		return;
	}
	ck_assert_int_eq(error, ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(why, "hiredis"));
}
END_TEST

START_TEST(shows_where_a_place_is)
{
	char text[64];
	place_text(&(struct place){.host = "h", .port = 1}, text, sizeof text);
	ck_assert_str_eq(text, "h:1");
	place_text(&(struct place){.host = "::1", .port = 1}, text, sizeof text);
	ck_assert_str_eq(text, "[::1]:1");
	place_text(&(struct place){.path = "/a"}, text, sizeof text);
	ck_assert_str_eq(text, "/a");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("url");
	TCase *tests = tcase_create("url");
	tcase_add_test(tests, takes_a_host_alone);
	tcase_add_test(tests, takes_user_password_port_and_database);
	tcase_add_test(tests, takes_a_password_without_a_user);
	tcase_add_test(tests, takes_an_at_sign_in_the_password);
	tcase_add_test(tests, takes_a_user_without_a_password);
	tcase_add_test(tests, takes_a_unix_socket);
	tcase_add_test(tests, takes_sentinels_and_the_name_of_the_primary);
	tcase_add_test(tests, names_the_part_that_is_wrong);
	tcase_add_test(tests, never_shows_a_piece_of_the_password);
	tcase_add_test(tests, refuses_tls_that_the_library_lacks_or_takes_it);
	tcase_add_test(tests, shows_where_a_place_is);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file_mark.h"
#include "tests/support/file.h"
#include "tests/support/suite.h"

static char path[40], link_path[48];

static void set_up(void)
{
	snprintf(path, sizeof path, "/tmp/tracegate-mark-XXXXXX");
	file_make(path);
	snprintf(link_path, sizeof link_path, "%s.link", path);
}

static void tear_down(void)
{
	unlink(path);
	unlink(link_path);
}

static bool is_same(struct file_mark a, struct file_mark b)
{
	return file_mark_is_same(&a, &b);
}

START_TEST(is_the_same_while_nothing_happens)
{
	struct file_mark before = file_mark_take(path);
	ck_assert(before.is_there && is_same(before, file_mark_take(path)));
	ck_assert(!file_mark_take("").is_there && !is_same(before, file_mark_take("")));
}
END_TEST

START_TEST(a_file_that_takes_the_place_of_another_differs)
{
	struct file_mark before = file_mark_take(path);
	file_replace(path, "");
	ck_assert(!is_same(before, file_mark_take(path)));
}
END_TEST

/* As a copy that keeps dates leaves it: the clock of the entry alone tells. */
START_TEST(the_same_size_and_date_do_not_hide_a_change)
{
	struct timespec dates[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	ck_assert_int_eq(utimensat(AT_FDCWD, path, dates, 0), 0);
	struct file_mark before = file_mark_take(path), now = before;
	while (is_same(before, now)) {
		ck_assert_int_eq(utimensat(AT_FDCWD, path, dates, 0), 0);
		now = file_mark_take(path);
	}
	ck_assert_int_eq(now.modified.tv_sec, before.modified.tv_sec);
	ck_assert_int_eq(now.size, before.size);
}
END_TEST

START_TEST(a_link_counts_by_what_it_leads_to)
{
	ck_assert_int_eq(symlink(path, link_path), 0);
	struct file_mark before = file_mark_take(link_path);
	ck_assert(is_same(before, file_mark_take(path)));
	unlink(link_path);
	ck_assert_int_eq(symlink("/dev/null", link_path), 0);
	ck_assert(!is_same(before, file_mark_take(link_path)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("file mark");
	TCase *tests = tcase_create("file mark");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, is_the_same_while_nothing_happens);
	tcase_add_test(tests, a_file_that_takes_the_place_of_another_differs);
	tcase_add_test(tests, the_same_size_and_date_do_not_hide_a_change);
	tcase_add_test(tests, a_link_counts_by_what_it_leads_to);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

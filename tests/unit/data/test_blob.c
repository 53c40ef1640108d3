#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/data/blob.h"
#include "common/thread/thread.h"
#include "tests/support/suite.h"

#define THREADS 4
#define ROUNDS 20000

START_TEST(copies_the_bytes)
{
	char bytes[] = "a\0b";
	struct blob *blob = blob_new(bytes, 3);
	ck_assert_ptr_nonnull(blob);
	bytes[0] = 'x';
	ck_assert_uint_eq(blob->len, 3);
	ck_assert_int_eq(memcmp(blob->bytes, "a\0b", 3), 0);
	blob_unref(blob);
}
END_TEST

START_TEST(may_be_empty_and_refuses_the_impossible)
{
	struct blob *blob = blob_new(NULL, 0);
	ck_assert_ptr_nonnull(blob);
	ck_assert_uint_eq(blob->len, 0);
	blob_unref(blob);
	blob_unref(NULL);
	ck_assert_ptr_null(blob_new("", SIZE_MAX));
}
END_TEST

static void *share(void *argument)
{
	struct blob *blob = argument;
	for (int i = 0; i < ROUNDS; i++)
		blob_unref(blob_ref(blob));
	blob_unref(blob);
	return NULL;
}

START_TEST(lives_until_the_last_of_several_threads_lets_go)
{
	struct thread threads[THREADS];
	struct blob *blob = blob_new("shared", 6);
	ck_assert_ptr_nonnull(blob);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(thread_start(&threads[i], "sharer", share, blob_ref(blob)), OK);
	for (int i = 0; i < THREADS; i++)
		thread_join(&threads[i]);
	ck_assert_uint_eq(atomic_load(&blob->refs.count), 1);
	ck_assert_int_eq(memcmp(blob->bytes, "shared", 6), 0);
	blob_unref(blob);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("blob");
	TCase *cases = tcase_create("blob");
	tcase_add_test(cases, copies_the_bytes);
	tcase_add_test(cases, may_be_empty_and_refuses_the_impossible);
	tcase_add_test(cases, lives_until_the_last_of_several_threads_lets_go);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}

#include "common/base/pool.h"

#include <stdint.h>
#include <string.h>

#include "tests/support/suite.h"

static struct pool pool;

START_TEST(gives_a_freed_piece_again)
{
	pool_init(&pool, SIZE_MAX);
	char *first = pool_alloc(&pool, 40), *second = pool_alloc(&pool, 40);
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_ne(first, second);
	memset(first, 1, pool_room(40));
	memset(second, 2, pool_room(40));
	ck_assert_int_eq(first[0], 1);
	pool_free(&pool, first, 40);
	ck_assert_ptr_eq(pool_alloc(&pool, 33), first);
	pool_fini(&pool);
	ck_assert_uint_eq(pool.bytes, 0);
}
END_TEST

START_TEST(counts_large_pieces_as_they_come_and_go)
{
	pool_init(&pool, 10000);
	void *large = pool_alloc(&pool, 6000);
	ck_assert_ptr_nonnull(large);
	ck_assert_uint_ge(pool.bytes, 6000);
	ck_assert(!pool.was_full);
	ck_assert_ptr_null(pool_alloc(&pool, 6000));
	ck_assert(pool.was_full);
	pool_free(&pool, large, 6000);
	ck_assert_uint_eq(pool.bytes, 0);
	ck_assert_ptr_nonnull(pool_alloc(&pool, 6000));
	pool_fini(&pool);
}
END_TEST

START_TEST(stays_within_its_limit)
{
	pool_init(&pool, 100000);
	size_t count = 0;
	while (pool_alloc(&pool, 100))
		count++;
	ck_assert_uint_gt(count, 500);
	ck_assert_uint_le(pool.bytes, 100000);
	pool_fini(&pool);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool");
	TCase *tests = tcase_create("all");
	tcase_add_test(tests, gives_a_freed_piece_again);
	tcase_add_test(tests, counts_large_pieces_as_they_come_and_go);
	tcase_add_test(tests, stays_within_its_limit);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "tests/support/suite.h"

#define LIMIT_BYTES 100000

static struct arena arena;

START_TEST(hands_out_aligned_memory_that_does_not_move)
{
	char *places[200];
	arena_init(&arena, LIMIT_BYTES);
	for (size_t i = 0; i < 200; i++) {
		places[i] = arena_alloc(&arena, i + 1);
		ck_assert_ptr_nonnull(places[i]);
		ck_assert_uint_eq((uintptr_t)places[i] % _Alignof(max_align_t), 0);
		memset(places[i], (int)i, i + 1);
	}
	for (size_t i = 0; i < 200; i++) {
		for (size_t at = 0; at <= i; at++)
			ck_assert_int_eq((unsigned char)places[i][at], (int)i);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(does_not_grow_past_its_limit)
{
	arena_init(&arena, LIMIT_BYTES);
	ck_assert_ptr_null(arena_alloc(&arena, LIMIT_BYTES + 1));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert_ptr_nonnull(arena_alloc(&arena, LIMIT_BYTES / 2));
	ck_assert_ptr_null(arena_alloc(&arena, LIMIT_BYTES / 2 + 1));
	size_t small = 0;
	while (arena_alloc(&arena, 100))
		small++;
	ck_assert_uint_gt(small, 400);
	ck_assert_uint_le(arena.used_bytes, LIMIT_BYTES);
	arena_fini(&arena);
}
END_TEST

START_TEST(is_as_new_after_a_reset)
{
	arena_init(&arena, LIMIT_BYTES);
	arena_reset(&arena);
	for (int round = 0; round < 3; round++) {
		ck_assert_ptr_nonnull(arena_alloc(&arena, LIMIT_BYTES / 2));
		ck_assert_ptr_nonnull(arena_alloc(&arena, 10));
		arena_reset(&arena);
		ck_assert_uint_eq(arena.used_bytes, 0);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(going_back_to_a_mark_keeps_what_was_before_it)
{
	arena_init(&arena, LIMIT_BYTES);
	char *before = arena_copy(&arena, "before", 6);
	size_t used_bytes = arena.used_bytes;
	for (int round = 0; round < 1000; round++) {
		struct arena_mark outer = arena_mark(&arena);
		ck_assert_ptr_nonnull(arena_alloc(&arena, LIMIT_BYTES / 4));
		struct arena_mark inner = arena_mark(&arena);
		char *between = arena_copy(&arena, "between", 7);
		for (int i = 0; i < 10; i++)
			ck_assert_ptr_nonnull(arena_alloc(&arena, 1000));
		arena_back(&arena, inner);
		memset(arena_alloc(&arena, 100), 'x', 100);
		arena_back(&arena, outer);
		ck_assert_ptr_nonnull(between);
	}
	ck_assert_uint_eq(arena.used_bytes, used_bytes);
	ck_assert_str_eq(before, "before");
	arena_fini(&arena);
}
END_TEST

START_TEST(going_back_to_the_start_is_a_reset)
{
	arena_init(&arena, LIMIT_BYTES);
	for (int round = 0; round < 1000; round++) {
		struct arena_mark mark = arena_mark(&arena);
		ck_assert_ptr_nonnull(arena_alloc(&arena, 100));
		ck_assert_ptr_nonnull(arena_alloc(&arena, LIMIT_BYTES / 2));
		arena_back(&arena, mark);
		ck_assert_uint_eq(arena.used_bytes, 0);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(what_is_wiped_reads_as_zeros)
{
	arena_init(&arena, LIMIT_BYTES);
	char *small = arena_copy(&arena, "secret", 6), *large = arena_alloc(&arena, 20000);
	memset(large, 'x', 20000);
	arena_wipe(&arena);
	for (size_t i = 0; i < 20000; i++)
		ck_assert(large[i] == 0 && small[i % 6] == 0);
	arena_fini(&arena);
}
END_TEST

START_TEST(copies_bytes_and_adds_a_nul)
{
	arena_init(&arena, LIMIT_BYTES);
	ck_assert_str_eq(arena_copy(&arena, "abcdef", 3), "abc");
	ck_assert_str_eq(arena_copy(&arena, NULL, 0), "");
	ck_assert_int_eq(memcmp(arena_copy(&arena, "a\0b", 3), "a\0b", 4), 0);
	arena_fini(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arena");
	TCase *cases = tcase_create("arena");
	tcase_add_test(cases, hands_out_aligned_memory_that_does_not_move);
	tcase_add_test(cases, does_not_grow_past_its_limit);
	tcase_add_test(cases, is_as_new_after_a_reset);
	tcase_add_test(cases, going_back_to_a_mark_keeps_what_was_before_it);
	tcase_add_test(cases, going_back_to_the_start_is_a_reset);
	tcase_add_test(cases, what_is_wiped_reads_as_zeros);
	tcase_add_test(cases, copies_bytes_and_adds_a_nul);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}

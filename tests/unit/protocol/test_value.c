#include <check.h>
#include <stdlib.h>

#include "common/protocol/value.h"
#include "tests/support/suite.h"

START_TEST(finds_members_by_their_whole_key)
{
	struct arena arena;
	arena_init(&arena, 65536);
	struct value *map = value_put(value_map(&arena), "op", value_text(&arena, "ping"));
	map = value_put(map, "id", value_uint(&arena, 7));
	ck_assert(value_get(map, "id")->uint == 7);
	ck_assert(slice_is(value_get(map, "op")->text, "ping"));
	ck_assert_ptr_null(value_get(map, "o"));
	ck_assert_ptr_null(value_get(map, "ops"));
	ck_assert_ptr_null(value_get(NULL, "op"));
	ck_assert_ptr_null(value_get(value_get(map, "op"), "op"));
	ck_assert_ptr_null(value_get(value_array(&arena), "op"));
	arena_fini(&arena);
}
END_TEST

START_TEST(makes_a_negative_number_only_of_one)
{
	struct arena arena;
	arena_init(&arena, 65536);
	ck_assert_int_eq(value_int(&arena, 0)->kind, VALUE_UINT);
	ck_assert_int_eq(value_int(&arena, 5)->kind, VALUE_UINT);
	ck_assert_int_eq(value_int(&arena, INT64_MIN)->kind, VALUE_INT);
	ck_assert(value_int(&arena, INT64_MIN)->sint == INT64_MIN);
	arena_fini(&arena);
}
END_TEST

/* {"list":[1,null,true],"raw":<json>}, or NULL. */
static struct value *build(struct arena *arena)
{
	struct value *list = value_push(value_array(arena), value_uint(arena, 1));
	list = value_push(value_push(list, value_null(arena)), value_bool(arena, true));
	return value_put(value_put(value_map(arena), "list", list), "raw", value_raw(arena, slice_of("{}")));
}

START_TEST(gives_nothing_once_memory_was_out_anywhere)
{
	struct arena arena;
	size_t limit = 0;
	struct value *built = NULL;
	for (; !built; limit += 16) {
		arena_init(&arena, limit);
		built = build(&arena);
		if (built) {
			ck_assert_uint_eq(built->list.count, 2);
			ck_assert_uint_eq(value_get(built, "list")->list.count, 3);
		}
		arena_fini(&arena);
	}
	ck_assert_uint_gt(limit, 6 * sizeof(struct value));
}
END_TEST

START_TEST(copies_a_tree_into_another_arena)
{
	struct arena first, second;
	arena_init(&first, 65536);
	arena_init(&second, 65536);
	struct value *copy = value_copy(&second, build(&first));
	arena_fini(&first);
	const struct value *list = value_get(copy, "list");
	ck_assert_uint_eq(list->list.count, 3);
	ck_assert_int_eq(list->list.first->kind, VALUE_UINT);
	ck_assert_int_eq(list->list.first->next->kind, VALUE_NULL);
	ck_assert(list->list.last->boolean);
	ck_assert_ptr_null(list->list.last->next);
	ck_assert_int_eq(value_get(copy, "raw")->kind, VALUE_RAW);
	ck_assert_ptr_null(value_copy(&second, NULL));
	arena_fini(&second);
}
END_TEST

START_TEST(copies_all_or_nothing)
{
	struct arena first, second;
	arena_init(&first, 65536);
	struct value *tree = build(&first);
	for (size_t limit = 0; limit < 6 * sizeof(struct value); limit += 16) {
		arena_init(&second, limit);
		ck_assert_ptr_null(value_copy(&second, tree));
		arena_fini(&second);
	}
	arena_fini(&first);
}
END_TEST

START_TEST(names_kinds_as_json_does)
{
	ck_assert_str_eq(value_kind_name(VALUE_NULL), "null");
	ck_assert_str_eq(value_kind_name(VALUE_BOOL), "boolean");
	ck_assert_str_eq(value_kind_name(VALUE_UINT), "number");
	ck_assert_str_eq(value_kind_name(VALUE_INT), "number");
	ck_assert_str_eq(value_kind_name(VALUE_NUMBER), "number");
	ck_assert_str_eq(value_kind_name(VALUE_STRING), "string");
	ck_assert_str_eq(value_kind_name(VALUE_ARRAY), "array");
	ck_assert_str_eq(value_kind_name(VALUE_MAP), "object");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("value");
	TCase *cases = tcase_create("value");
	tcase_add_test(cases, finds_members_by_their_whole_key);
	tcase_add_test(cases, makes_a_negative_number_only_of_one);
	tcase_add_test(cases, gives_nothing_once_memory_was_out_anywhere);
	tcase_add_test(cases, copies_a_tree_into_another_arena);
	tcase_add_test(cases, copies_all_or_nothing);
	tcase_add_test(cases, names_kinds_as_json_does);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}

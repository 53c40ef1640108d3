/* Rights that are not as documented are refused whole: a mistake must never grant more than was meant. */
#include "kit.h"

#include "common/codec/json.h"
#include "gateway/auth/rights.h"
#include "tests/support/suite.h"

static enum err read_json(const char *json, struct grants **ret_grants, struct filter_error *ret_error)
{
	struct arena arena;
	struct value *map = NULL;
	arena_init(&arena, 1 << 20);
	ck_assert_int_eq(json_decode(&arena, slice_of(json), &map, NULL), OK);
	struct grants *grants = grants_new(SLICE_LITERAL("u"));
	enum err error = rights_read(map, kit_served, &arena, grants, ret_error);
	arena_fini(&arena);
	if (error == OK)
		*ret_grants = grants;
	else
		grants_unref(grants);
	return error;
}

static const struct {
	const char *json, *where, *message;
} wrong[] = {
    {"{\"channels\":\"trace:*\"}", "channels", "must be an array of strings, not string"},
    {"{\"channels\":null}", "channels", "must be an array of strings, not null"},
    {"{\"channels\":[]}", "channels", "an empty list"},
    {"{\"channels\":[1]}", "channels[0]", "must be a string, not number"},
    {"{\"channels\":[\"trace:1\",\"\"]}", "channels[1]", "must not be empty"},
    {"{\"sessions\":{}}", "sessions", "must be an array"},
    {"{\"sessions\":[]}", "sessions", "an empty list"},
    {"{\"sessions\":[\"s\",null]}", "sessions[1]", "must be a string"},
    {"{\"agents\":[[\"a\"]]}", "agents[0]", "must be a string"},
    {"{\"agents\":false}", "agents", "must be an array"},
    {"{\"ops\":\"publish\"}", "ops", "must be an array of strings, not string"},
    {"{\"ops\":null}", "ops", "must be an array"},
    {"{\"ops\":[\"subscribe\",\"admin\"]}", "ops[1]", "no such op"},
    {"{\"ops\":[\"Subscribe\"]}", "ops[0]", "no such op"},
    {"{\"ops\":[1]}", "ops[0]", "no such op"},
    {"{\"limits\":[]}", "limits", "must be an object, not array"},
    {"{\"limits\":null}", "limits", "must be an object"},
    {"{\"limits\":{\"events\":1}}", "limits", "there is no limit \"events\""},
    {"{\"limits\":{\"connections\":-1}}", "limits", "connections must be a whole number from 0 to 1000000000"},
    {"{\"limits\":{\"connections\":1.5}}", "limits", "connections must be a whole number"},
    {"{\"limits\":{\"connections\":\"1\"}}", "limits", "connections must be a whole number"},
    {"{\"limits\":{\"requests\":1000000001}}", "limits", "requests must be a whole number"},
    {"{\"limits\":{\"requests\":99999999999999999999}}", "limits", "requests must be a whole number"},
    {"{\"limits\":{\"requests\":null}}", "limits", "requests must be a whole number"},
};

START_TEST(refuses_what_is_not_as_documented_and_says_where)
{
	struct filter_error error = {{0}, {0}};
	struct grants *none = NULL;
	ck_assert_int_eq(read_json(wrong[_i].json, &none, &error), ERR_INVALID);
	ck_assert_str_eq(error.where, wrong[_i].where);
	ck_assert_msg(strstr(error.message, wrong[_i].message) != NULL, "%s", error.message);
}
END_TEST

START_TEST(an_empty_list_of_ops_grants_none)
{
	struct filter_error error;
	struct grants *grants = NULL;
	ck_assert_int_eq(read_json("{\"ops\":[]}", &grants, &error), OK);
	ck_assert_uint_eq(grants->ops, 0);
	grants_unref(grants);
}
END_TEST

START_TEST(channels_of_other_gateways_are_no_mistake_and_system_is_granted_by_name)
{
	struct filter_error error;
	struct grants *grants = NULL;
	ck_assert_int_eq(read_json("{\"channels\":[\"billing:*\"]}", &grants, &error), OK);
	ck_assert(!grants->has_system);
	grants_unref(grants);
	ck_assert_int_eq(read_json("{\"channels\":[\"system:node.up\"]}", &grants, &error), OK);
	ck_assert(grants->has_system);
	grants_unref(grants);
	ck_assert_int_eq(read_json("{\"sessions\":[\"system:x\"]}", &grants, &error), OK);
	ck_assert(!grants->has_system);
	grants_unref(grants);
}
END_TEST

START_TEST(knows_its_members)
{
	static const char *const members[] = {"channels", "sessions", "agents", "ops", "limits"};
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		ck_assert(rights_is_member(slice_of(members[i])));
	ck_assert(!rights_is_member(SLICE_LITERAL("channel")));
	ck_assert(!rights_is_member(SLICE_LITERAL("")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rights");
	TCase *rights = tcase_create("rights");
	tcase_add_loop_test(rights, refuses_what_is_not_as_documented_and_says_where, 0,
	                    sizeof wrong / sizeof wrong[0]);
	tcase_add_test(rights, an_empty_list_of_ops_grants_none);
	tcase_add_test(rights, channels_of_other_gateways_are_no_mistake_and_system_is_granted_by_name);
	tcase_add_test(rights, knows_its_members);
	suite_add_tcase(suite, rights);
	return suite_run(suite);
}

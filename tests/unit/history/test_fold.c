/* The fold against the model of fold_model.h, and its rules one by one. */
#include "fold_model.h"
#include "common/codec/json_merge.h"
#include "gateway/history/fold.h"
#include "tests/support/sanitizer.h"
#include "tests/support/suite.h"

#define LIMIT ((size_t)64 << 20)

static struct fold_rules *rules;
static struct fold *fold;
static uint64_t last_ms;

static void start(void)
{
	rules = fold_rules_new(&intake_fields_default, 42);
	fold = fold_new(rules, LIMIT, SLICE_LITERAL("s"), (struct record_id){0}, 0);
	ck_assert_ptr_nonnull(fold);
	last_ms = 0;
}

static void stop(void)
{
	fold_free(fold);
	fold_rules_free(rules);
}

static void add(const char *channel, const char *payload)
{
	ck_assert_int_eq(fold_add(fold, (struct record_id){++last_ms, 0}, slice_of(channel), slice_of(payload)), OK);
}

static const char *text_of(struct fold *of)
{
	static struct buf text;
	buf_clear(&text);
	fold_write(of, &text);
	buf_append_char(&text, '\0');
	ck_assert(!buf_has_failed(&text));
	return text.bytes;
}

/* What the state is between its session and its end. */
static void expect(const char *lists)
{
	char wanted[2048];
	snprintf(wanted, sizeof wanted, "{\"session\":\"s\",%s,\"events\":%llu}", lists, (unsigned long long)last_ms);
	ck_assert_str_eq(text_of(fold), wanted);
}

static void expect_agent(const char *agent)
{
	char lists[1024];
	snprintf(lists, sizeof lists, "\"agents\":{%s},\"swarms\":{},\"traces\":{},\"performance\":{}", agent);
	expect(lists);
}

START_TEST(begins_with_nothing)
{
	expect_agent("");
}
END_TEST

START_TEST(names_entities_by_kind)
{
	add("trace:x", "{\"spanId\":\"sp\",\"traceId\":\"t\",\"state\":{}}");
	add("trace:x", "{\"traceId\":12,\"state\":{}}");
	add("trace:x:y", "{\"spanId\":\"\",\"state\":{}}");
	add("swarm:w", "{\"swarmId\":\"w1\",\"state\":{}}");
	add("performance:p", "{\"metric\":\"cpu\",\"agent\":\"a\",\"state\":{}}");
	add("performance:p", "{\"agent\":\"a\",\"state\":{}}");
	add("performance:p", "{\"state\":{}}");
	expect("\"agents\":{},\"swarms\":{\"w1\":{\"updatedAt\":\"4-0\",\"count\":1,\"value\":{}}},"
	       "\"traces\":{\"sp\":{\"updatedAt\":\"1-0\",\"count\":1,\"value\":{}},\"12\":{\"updatedAt\":\"2-0\",\"count\":1,\"value\":{}},"
	       "\"x:y\":{\"updatedAt\":\"3-0\",\"count\":1,\"value\":{}}},"
	       "\"performance\":{\"cpu\":{\"updatedAt\":\"5-0\",\"count\":1,\"value\":{}},\"a\":{\"updatedAt\":\"6-0\",\"count\":1,\"value\":{}},"
	       "\"p\":{\"updatedAt\":\"7-0\",\"count\":1,\"value\":{}}}");
}
END_TEST

START_TEST(merges_state_else_data_else_the_payload)
{
	add("agent:a", "{\"type\":\"t\",\"state\":{\"n\":1},\"data\":{\"m\":1}}");
	add("agent:a", "{\"state\":[1],\"data\":{\"m\":2.50}}");
	add("agent:a", "{\"state\":null,\"data\":3}");
	expect_agent("\"a\":{\"type\":\"t\",\"updatedAt\":\"3-0\",\"count\":3,\"value\":{\"n\":1,\"m\":2.50,\"data\":3}}");
}
END_TEST

START_TEST(a_snapshot_is_merged_into_nothing)
{
	add("agent:a", "{\"state\":{\"a\":1,\"b\":{\"c\":1}}}");
	add("agent:a", "{\"type\":\"agent.snapshot\",\"state\":{\"x\":null,\"b\":{\"d\":null,\"e\":[null]}}}");
	expect_agent("\"a\":{\"updatedAt\":\"2-0\",\"count\":2,\"value\":{\"b\":{\"e\":[null]}},\"type\":\"agent.snapshot\"}");
}
END_TEST

START_TEST(what_is_removed_begins_anew_when_it_comes_again)
{
	add("agent:a", "{\"state\":{\"a\":1}}");
	add("agent:b", "{\"state\":{}}");
	add("agent:a", "{\"type\":\"agent.removed\"}");
	expect_agent("\"b\":{\"updatedAt\":\"2-0\",\"count\":1,\"value\":{}}");
	add("agent:a", "{\"type\":\"removed\",\"state\":{\"z\":1}}");
	expect_agent("\"b\":{\"updatedAt\":\"2-0\",\"count\":1,\"value\":{}},"
		     "\"a\":{\"type\":\"removed\",\"updatedAt\":\"4-0\",\"count\":1,\"value\":{\"z\":1}}");
}
END_TEST

START_TEST(of_doubled_keys_the_last_counts)
{
	add("agent:a", "{\"state\":{\"a\":{\"x\":1},\"b\":1,\"a\":{\"y\":1},\"\\u0062\":null},\"agentId\":\"q\",\"agentId\":\"r\"}");
	expect_agent("\"r\":{\"updatedAt\":\"1-0\",\"count\":1,\"value\":{\"a\":{\"y\":1}}}");
	add("agent:r", "{\"state\":{\"a\":[ {\"k\" : 1, \"k\":2}, 1.0 ]}}");
	expect_agent("\"r\":{\"updatedAt\":\"2-0\",\"count\":2,\"value\":{\"a\":[{\"k\":2},1.0]}}");
}
END_TEST

START_TEST(counts_what_it_cannot_merge)
{
	add("agent:a", "[1]");
	add("agent:a", "text");
	add("agent:a", "\xff\xfe");
	add("cats:a", "{\"state\":{\"a\":1}}");
	add("agent:a", "");
	expect_agent("");
}
END_TEST

START_TEST(spells_entities_of_odd_names_as_json)
{
	add("agent:\"\n\xff", "{\"state\":{}}");
	add("agent:x", "{\"agentId\":\"\\u0041\\\"\",\"state\":{}}");
	expect_agent("\"\\\"\\n\xef\xbf\xbd\":{\"updatedAt\":\"1-0\",\"count\":1,\"value\":{}},\"A\\\"\":{\"updatedAt\":\"2-0\",\"count\":1,\"value\":{}}");
}
END_TEST

START_TEST(tells_a_state_that_grew_too_large)
{
	struct fold *small = fold_new(rules, 4096, SLICE_LITERAL("s"), (struct record_id){0}, 0);
	enum err error = OK;
	for (unsigned i = 1; i < 1000 && !error; i++) {
		char payload[64];
		snprintf(payload, sizeof payload, "{\"agentId\":\"%u\"}", i);
		error = fold_add(small, (struct record_id){i, 0}, SLICE_LITERAL("agent:a"), slice_of(payload));
	}
	ck_assert_int_eq(error, ERR_LIMIT);
	fold_free(small);
}
END_TEST

/* Reads the state back and goes on with that. */
static void reload(void)
{
	struct fold *copy = NULL;
	struct slice state = slice_of(text_of(fold));
	ck_assert_int_eq(fold_read(rules, LIMIT, SLICE_LITERAL("s"), state, fold->at, 3, &copy), OK);
	ck_assert_uint_eq(copy->events, fold->events);
	fold_free(fold);
	fold = copy;
}

static void expect_patch(struct slice from, struct slice to);

START_TEST(agrees_with_the_model_after_every_event)
{
	struct model model = {.events = 0};
	struct buf wanted, former;
	model_state = UINT64_C(0x9e3779b97f4a7c15) * (unsigned)(_i + 1);
	buf_init(&wanted);
	buf_init(&former);
	for (unsigned i = 0; i < 150; i++) {
		struct model_event event = random_event((struct record_id){1 + i / 3, i % 3});
		ck_assert_int_eq(fold_add(fold, event.id, slice_of(event.channel), buf_slice(&event.payload)), OK);
		model_add(&model, &event);
		buf_clear(&wanted);
		model_print(&model, "s", "", &wanted);
		buf_append_char(&wanted, '\0');
		ck_assert_msg(strcmp(text_of(fold), wanted.bytes) == 0, "seed %d, event %u %s %.*s\nmodel %s\nfold  %s", _i, i, event.channel,
			      (int)event.payload.len, event.payload.bytes, wanted.bytes, text_of(fold));
		wanted.len--;
		if (_i % 2 && roll(4) == 0)
			reload();
		if (former.len)
			expect_patch(buf_slice(&former), buf_slice(&wanted));
		if (roll(5) == 0) {
			buf_clear(&former);
			buf_append_slice(&former, buf_slice(&wanted));
		}
		model_event_free(&event);
	}
	model_fini(&model);
	buf_fini(&wanted);
	buf_fini(&former);
}
END_TEST

/* Both ways: the patch, applied, gives the same values; members may stand in another order, so a second patch must be empty. */
static void expect_patch_one_way(struct slice from, struct slice to)
{
	struct buf patch, patched, rest;
	struct json_document document;
	struct json_flat flat;
	buf_init(&patch);
	buf_init(&patched);
	buf_init(&rest);
	json_flat_init(&flat, 1);
	json_document_init(&document, SIZE_MAX, 1);
	ck_assert_int_eq(fold_diff(rules, from, to, &patch), OK);
	ck_assert_int_eq(json_flat_read(&flat, from, JSON_DEPTH_MAX), OK);
	ck_assert(json_merge(&document, &document.root, &flat, 0));
	ck_assert_int_eq(json_flat_read(&flat, buf_slice(&patch), JSON_DEPTH_MAX), OK);
	ck_assert(json_merge(&document, &document.root, &flat, 0));
	json_object_write(&document.root, &patched);
	ck_assert_int_eq(fold_diff(rules, buf_slice(&patched), to, &rest), OK);
	ck_assert_msg(slice_is(buf_slice(&rest), "{}"), "from %.*s\nto %.*s\npatch %.*s\nleft %.*s", (int)from.len, from.ptr, (int)to.len, to.ptr,
		      (int)patch.len, patch.bytes, (int)rest.len, rest.bytes);
	ck_assert(slice_equal(from, to) == slice_is(buf_slice(&patch), "{}"));
	json_document_fini(&document);
	json_flat_fini(&flat);
	buf_fini(&patch);
	buf_fini(&patched);
	buf_fini(&rest);
}

static void expect_patch(struct slice from, struct slice to)
{
	expect_patch_one_way(from, to);
	expect_patch_one_way(to, from);
}

START_TEST(a_trimmed_session_says_since_when_it_knows)
{
	fold_free(fold);
	fold = fold_new(rules, LIMIT, SLICE_LITERAL("s"), (struct record_id){7, 1}, 6);
	ck_assert_str_eq(text_of(fold), "{\"session\":\"s\",\"since\":\"7-1\",\"agents\":{},\"swarms\":{},\"traces\":{},\"performance\":{},\"events\":0}");
	reload();
	ck_assert_uint_eq(fold->since.ms, 7);
	ck_assert_uint_eq(fold->since.seq, 1);
}
END_TEST

#define LISTS "\"agents\":{},\"swarms\":{},\"traces\":{},\"performance\":{}"

START_TEST(reads_only_what_a_fold_wrote)
{
	static const char *const wrong[] = {
		"", "{}", "[]", "5", "{\"session\":\"t\"," LISTS ",\"events\":1}", "{\"session\":\"s\"," LISTS "}",
		"{\"session\":\"s\"," LISTS ",\"events\":-1}", "{\"session\":\"s\"," LISTS ",\"events\":1,\"more\":1}",
		"{\"session\":\"s\",\"agents\":{\"a\":1},\"swarms\":{},\"traces\":{},\"performance\":{},\"events\":1}",
		"{\"session\":\"s\",\"agents\":{\"a\":{\"count\":1,\"value\":{}}},\"swarms\":{},\"traces\":{},\"performance\":{},\"events\":1}",
		"{\"session\":\"s\",\"since\":5," LISTS ",\"events\":1}", "{\"session\":\"s\"," LISTS ",\"events\":1}x",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct fold *copy = NULL;
		enum err error = fold_read(rules, LIMIT, SLICE_LITERAL("s"), slice_of(wrong[i]), (struct record_id){1, 0}, 0, &copy);
		ck_assert_msg(error == ERR_INVALID, "%s", wrong[i]);
	}
}
END_TEST

/* Many members, many removals: the hash tables. */
START_TEST(finds_each_of_thousands_of_entities)
{
	char payload[64];
	for (unsigned i = 0; i < 6000; i++) {
		unsigned number = i < 3000 ? i : (i - 3000) * 7 % 3000;
		bool is_removal = i >= 3000 && i % 2;
		snprintf(payload, sizeof payload, "{\"agentId\":\"a%u\",\"type\":\"%s\",\"n\":1}", number, is_removal ? "x.removed" : "x");
		add("agent:a", payload);
	}
	ck_assert_uint_eq(fold->kinds[RECORD_AGENT]->object->count, 1500);
	reload();
	ck_assert_uint_eq(fold->kinds[RECORD_AGENT]->object->count, 1500);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fold");
	TCase *tests = tcase_create("all");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, begins_with_nothing);
	tcase_add_test(tests, names_entities_by_kind);
	tcase_add_test(tests, merges_state_else_data_else_the_payload);
	tcase_add_test(tests, a_snapshot_is_merged_into_nothing);
	tcase_add_test(tests, what_is_removed_begins_anew_when_it_comes_again);
	tcase_add_test(tests, of_doubled_keys_the_last_counts);
	tcase_add_test(tests, counts_what_it_cannot_merge);
	tcase_add_test(tests, spells_entities_of_odd_names_as_json);
	tcase_add_test(tests, tells_a_state_that_grew_too_large);
	tcase_add_loop_test(tests, agrees_with_the_model_after_every_event, 0, IS_SANITIZED ? 12 : 60);
	tcase_add_test(tests, a_trimmed_session_says_since_when_it_knows);
	tcase_add_test(tests, reads_only_what_a_fold_wrote);
	tcase_add_test(tests, finds_each_of_thousands_of_entities);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

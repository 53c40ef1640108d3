#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/json.h"
#include "gateway/feed/intake.h"
#include "tests/support/suite.h"

#define TS_MS UINT64_C(1764031200123)
#define TEXT(literal)                                                                                                  \
	{                                                                                                              \
		(literal), sizeof(literal) - 1                                                                         \
	}

/* Both in memory of exactly their size, which is gone when the record is looked at. */
static struct record *take(struct slice channel, struct slice payload)
{
	char *channel_copy = malloc(channel.len + !channel.len), *payload_copy = malloc(payload.len + !payload.len);
	ck_assert(channel_copy && payload_copy);
	if (channel.len)
		memcpy(channel_copy, channel.ptr, channel.len);
	if (payload.len)
		memcpy(payload_copy, payload.ptr, payload.len);
	struct record *record = intake_record(&intake_fields_default, (struct slice){channel_copy, channel.len},
	                                      (struct slice){payload_copy, payload.len}, TS_MS, 99);
	free(channel_copy);
	free(payload_copy);
	ck_assert_ptr_nonnull(record);
	ck_assert(json_is_valid(record->element, NULL, NULL));
	ck_assert(slice_equal(record->channel, channel));
	ck_assert(slice_equal(record->payload, payload));
	ck_assert(record->ts_ms == TS_MS && record->received_ns == 99);
	return record;
}

static struct record *take_text(const char *payload)
{
	return take(slice_of("trace:s1"), slice_of(payload));
}

static void assert_element(struct slice payload, enum record_format format, const char *data)
{
	char expected[512];
	struct record *record = take(slice_of("trace:s1"), payload);
	snprintf(expected, sizeof expected, "{\"channel\":\"trace:s1\",\"ts\":1764031200123,\"data\":%s}", data);
	ck_assert_msg(slice_is(record->element, expected), "%.*s", (int)record->element.len, record->element.ptr);
	ck_assert_int_eq(record->format, format);
	record_unref(record);
}

START_TEST(splices_json_byte_for_byte)
{
	static const char *const payloads[] = {
	    "{\"id\":9007199254740993,\"u\":18446744073709551615,\"b\":123456789012345678901234567890,\"f\":1.0,\"e\":"
	    "1E400,"
	    "\"z\":-0,\"d\":0.1}",
	    "[1,2]",
	    "\"text\"",
	    "42",
	    "true",
	    "null",
	    "{\"a\":1}\n",
	    " \r\n{ \"a\" : 1 }\t",
	    "{\"b\":1,\"a\":2,\"b\":3}",
	    "{\"s\":\"\\ud800\"}",
	    "{\"s\":\"\\udc00\\ud800\"}",
	    "{\"s\":\"\\ud83d\\ude00\"}",
	    "\"\\/\"",
	    "{\"a\":\"\xE2\x80\xA8\"}",
	};
	for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++)
		assert_element(slice_of(payloads[i]), RECORD_JSON, payloads[i]);
}
END_TEST

START_TEST(gives_what_is_not_json_as_text)
{
	static const struct {
		struct slice payload;
		const char *inside;
	} texts[] = {
	    {TEXT(""), ""},
	    {TEXT(" "), " "},
	    {TEXT("not json"), "not json"},
	    {TEXT("{\"v\":NaN}"), "{\\\"v\\\":NaN}"},
	    {TEXT("{\"a\":1,}"), "{\\\"a\\\":1,}"},
	    {TEXT("{\"a\":1}{\"b\":2}"), "{\\\"a\\\":1}{\\\"b\\\":2}"},
	    {TEXT("\xEF\xBB\xBF{}"), "\xEF\xBB\xBF{}"},
	    {TEXT("a\r\nb"), "a\\r\\nb"},
	    {TEXT("x\n\ndata: fake"), "x\\n\\ndata: fake"},
	    {TEXT("{\"a\":1}\0"), "{\\\"a\\\":1}\\u0000"},
	    {TEXT("\"a\0b\""), "\\\"a\\u0000b\\\""},
	    {TEXT("\\"), "\\\\"},
	    {TEXT("\xE2\x82\xAC\x7F"), "\xE2\x82\xAC\x7F"},
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char data[256];
		snprintf(data, sizeof data, "\"%s\",\"format\":\"text\"", texts[i].inside);
		assert_element(texts[i].payload, RECORD_TEXT, data);
	}
}
END_TEST

START_TEST(gives_what_is_not_utf8_as_base64)
{
	assert_element((struct slice)TEXT("\xFF\xFE"), RECORD_BASE64, "\"//4=\",\"format\":\"base64\"");
	assert_element((struct slice)TEXT("{\"s\":\"\xED\xA0\x80\"}"), RECORD_BASE64,
	               "\"eyJzIjoi7aCAIn0=\",\"format\":\"base64\"");
	assert_element((struct slice)TEXT("\x1F\x8B\x08\0\0"), RECORD_BASE64, "\"H4sIAAA=\",\"format\":\"base64\"");
}
END_TEST

START_TEST(gives_json_nested_beyond_the_limit_as_text)
{
	for (size_t depth = INTAKE_DEPTH_MAX; depth <= INTAKE_DEPTH_MAX + 1; depth++) {
		char text[2 * (INTAKE_DEPTH_MAX + 1)];
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		struct record *record = intake_record(&intake_fields_default, slice_of("trace:s1"),
		                                      (struct slice){text, 2 * depth}, TS_MS, 0);
		ck_assert_ptr_nonnull(record);
		ck_assert_int_eq(record->format, depth == INTAKE_DEPTH_MAX ? RECORD_JSON : RECORD_TEXT);
		ck_assert(json_is_valid(record->element, NULL, NULL));
		record_unref(record);
	}
}
END_TEST

START_TEST(survives_large_payloads)
{
	size_t len = (size_t)10 << 20;
	char *bytes = malloc(len);
	ck_assert_ptr_nonnull(bytes);
	memset(bytes, '\n', len);
	record_unref(take(slice_of("trace:s1"), (struct slice){bytes, len}));
	memset(bytes, '\xFF', len);
	record_unref(take(slice_of("trace:s1"), (struct slice){bytes, len}));
	memset(bytes, 'x', len);
	bytes[0] = bytes[len - 1] = '"';
	struct record *record = take(slice_of("trace:s1"), (struct slice){bytes, len});
	ck_assert_int_eq(record->format, RECORD_JSON);
	record_unref(record);
	free(bytes);
}
END_TEST

static void assert_keys(const char *payload, const char *session, const char *agent, const char *type)
{
	struct record *record = take_text(payload);
	ck_assert_msg(slice_is(record->session, session), "%s: session %.*s", payload, (int)record->session.len,
	              record->session.ptr);
	ck_assert_msg(slice_is(record->agent, agent), "%s: agent %.*s", payload, (int)record->agent.len,
	              record->agent.ptr);
	ck_assert_msg(slice_is(record->type, type), "%s: type %.*s", payload, (int)record->type.len, record->type.ptr);
	record_unref(record);
}

START_TEST(takes_the_keys_from_the_first_field_that_is_there)
{
	assert_keys("{\"sessionId\":\"a\",\"agentId\":\"b\",\"type\":\"c\"}", "a", "b", "c");
	assert_keys("{\"session\":\"3\",\"session_id\":\"2\",\"agent\":\"z\",\"event\":\"e\"}", "2", "z", "e");
	assert_keys("{\"event\":\"e\",\"type\":\"t\",\"agent_id\":\"x\",\"agent\":\"y\"}", "s1", "x", "t");
	assert_keys("{\"sessionId\":17,\"agentId\":1.50,\"type\":-0}", "17", "1.50", "-0");
	assert_keys("{\"sessionId\":null,\"session_id\":{},\"session\":\"ok\"}", "ok", "", "");
	assert_keys("{\"sessionId\":\"\",\"session\":\"ok\",\"agentId\":true}", "ok", "", "");
	assert_keys("{\"SessionId\":\"a\",\"sessionid\":\"b\",\"x\":{\"sessionId\":\"c\"}}", "s1", "", "");
	assert_keys("[{\"sessionId\":\"a\"}]", "s1", "", "");
	assert_keys("{\"sessionId\":\"a\",}", "s1", "", "");
}
END_TEST

START_TEST(sees_the_fields_as_clients_see_them)
{
	assert_keys("{\"\\u0061gentId\":\"a1\"}", "s1", "a1", "");
	assert_keys("{\"agentId\\u0000x\":\"evil\",\"agentId\":\"me\"}", "s1", "me", "");
	assert_keys("{\"agentId\":\"me\",\"agentId\\u0000x\":\"evil\"}", "s1", "me", "");
	assert_keys("{\"agentId\\u0000\":\"evil\"}", "s1", "", "");
	assert_keys("{\"agentId\":\"first\",\"agentId\":\"last\"}", "s1", "last", "");
	assert_keys("{\"agentId\":\"first\",\"agent\\u0049d\":\"last\"}", "s1", "last", "");
	assert_keys("{\"agentId\":\"first\",\"agentId\":null,\"agent\":\"other\"}", "s1", "other", "");
	assert_keys("{\"sessionId\":\"\\ud83d\\ude00\\n\",\"agentId\":\"\\\"q\\\"\",\"type\":\"a\\u002eb\"}",
	            "\xF0\x9F\x98\x80\n", "\"q\"", "a.b");
	assert_keys("{\"agentId\":\"\\ud800\"}", "s1", "\xEF\xBF\xBD", "");
}
END_TEST

START_TEST(takes_the_session_from_the_channel_when_the_payload_has_none)
{
	static const char *const pairs[][2] = {
	    {"trace:s1", "s1"},       {"trace:a:b:c", "a:b:c"},   {"trace:", ""}, {"trace", ""},
	    {"trace:.json", ".json"}, {"trace:%2e%2e", "%2e%2e"}, {"", ""},       {":x", "x"}};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct record *record = take(slice_of(pairs[i][0]), slice_of("{}"));
		ck_assert_msg(slice_is(record->session, pairs[i][1]), "%s", pairs[i][0]);
		record_unref(record);
	}
}
END_TEST

START_TEST(shows_any_channel_as_valid_text)
{
	static const struct {
		struct slice channel;
		const char *shown, *session;
	} channels[] = {
	    {TEXT("trace:a\nb\"c\\"), "trace:a\\nb\\\"c\\\\", "a\nb\"c\\"},
	    {TEXT("trace:\xE2\x82\xAC"), "trace:\xE2\x82\xAC", "\xE2\x82\xAC"},
	    {TEXT("trace:a\xFFz"), "trace:a\xEF\xBF\xBDz", "a\xEF\xBF\xBDz"},
	    {TEXT("\xFF:a\nb"), "\xEF\xBF\xBD:a\\nb", "a\nb"},
	    {TEXT("trace:\n\xFF\""), "trace:\\n\xEF\xBF\xBD\\\"", "\n\xEF\xBF\xBD\""},
	};
	for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
		char expected[128];
		struct record *record = take(channels[i].channel, slice_of("1"));
		snprintf(expected, sizeof expected, "{\"channel\":\"%s\",\"ts\":1764031200123,\"data\":1}",
		         channels[i].shown);
		ck_assert_msg(slice_is(record->element, expected), "%.*s", (int)record->element.len,
		              record->element.ptr);
		ck_assert(slice_is(record->session, channels[i].session));
		record_unref(record);
	}
}
END_TEST

START_TEST(tells_objects_and_kinds_apart)
{
	static const struct {
		const char *payload;
		bool is_object;
	} payloads[] = {{"{}", true}, {" {\"a\":1} ", true}, {"[{}]", false}, {"1", false}, {"{", false}, {"", false}};
	for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
		struct record *record = take_text(payloads[i].payload);
		ck_assert_msg(record->is_object == payloads[i].is_object, "%s", payloads[i].payload);
		ck_assert_int_eq(record->kind, RECORD_TRACE);
		record_unref(record);
	}
}
END_TEST

START_TEST(follows_the_configured_names)
{
	static const struct intake_fields fields = {.session = {{SLICE_LITERAL("a\\b")}, 1},
	                                            .agent = {{SLICE_LITERAL("type")}, 1},
	                                            .type = {{SLICE_LITERAL("type"), SLICE_LITERAL("")}, 2}};
	struct record *record =
	    intake_record(&fields, slice_of("trace:s1"), slice_of("{\"a\\\\b\":\"x\",\"type\":\"y\"}"), TS_MS, 0);
	ck_assert(slice_is(record->session, "x"));
	ck_assert(slice_is(record->agent, "y"));
	ck_assert(slice_is(record->type, "y"));
	record_unref(record);
	record = intake_record(&fields, slice_of("trace:s1"),
	                       slice_of("{\"a\\b\":\"x\",\"\":\"empty\",\"sessionId\":\"no\"}"), TS_MS, 0);
	ck_assert(slice_is(record->session, "s1"));
	ck_assert(slice_is(record->type, "empty"));
	record_unref(record);
	static const struct intake_fields nothing = {.session = {.count = 0}};
	record = intake_record(&nothing, slice_of("trace:s1"), slice_of("{\"sessionId\":\"no\"}"), TS_MS, 0);
	ck_assert(slice_is(record->session, "s1"));
	record_unref(record);
}
END_TEST

/* Random bytes, half of them from an alphabet of JSON: a valid element whatever they are, stamped or not. */
START_TEST(makes_a_valid_element_of_anything)
{
	uint32_t state = 7;
	for (size_t round = 0; round < 20000; round++) {
		char bytes[40];
		size_t len = round % sizeof bytes;
		for (size_t i = 0; i < len; i++) {
			state = state * 1664525 + 1013904223;
			bytes[i] = round & 1 ? (char)(state >> 24) : "{}[]\":,\\ 1e-\xC3\xA9u"[(state >> 24) % 16];
		}
		struct record *record =
		    take((struct slice){bytes, len / 3}, (struct slice){bytes + len / 3, len - len / 3});
		ck_assert(json_is_utf8(record->session));
		record_stamp(record, (struct record_id){TS_MS + round, round});
		ck_assert(json_is_valid(record->element, NULL, NULL));
		record_unref(record);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("intake");
	TCase *cases = tcase_create("intake");
	tcase_add_test(cases, splices_json_byte_for_byte);
	tcase_add_test(cases, gives_what_is_not_json_as_text);
	tcase_add_test(cases, gives_what_is_not_utf8_as_base64);
	tcase_add_test(cases, gives_json_nested_beyond_the_limit_as_text);
	tcase_add_test(cases, survives_large_payloads);
	tcase_add_test(cases, takes_the_keys_from_the_first_field_that_is_there);
	tcase_add_test(cases, sees_the_fields_as_clients_see_them);
	tcase_add_test(cases, takes_the_session_from_the_channel_when_the_payload_has_none);
	tcase_add_test(cases, shows_any_channel_as_valid_text);
	tcase_add_test(cases, tells_objects_and_kinds_apart);
	tcase_add_test(cases, follows_the_configured_names);
	tcase_add_test(cases, makes_a_valid_element_of_anything);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}

/* What we write beside msgpack-c's reading of it: random JSON is transcoded, read by msgpack-c and must say what the JSON said;
 * what msgpack-c writes again must come back through our own reader. */
#include <check.h>
#include <msgpack.h>
#include <stdlib.h>

#include "common/codec/msgpack.h"
#include "tests/support/suite.h"

#define DOCUMENTS 3000
#define DEPTH 6
#define DEPTH_OF_LIBRARY 32 /* msgpack-c 4.0 reads no deeper (MSGPACK_EMBED_STACK_SIZE) */

static uint32_t state;
static struct buf text, packed, again;
static bool is_request; /* where whole doubles are read as integers */

static uint32_t pick(uint32_t below)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

static void append_number(void)
{
	static const char *const numbers[] = {
	    "0",     "-1",   "-32",   "-33",   "127",     "128",          "255",          "256",                  "65535",
	    "65536", "-128", "-129",  "-32768", "-32769",  "2147483648",   "-2147483649",  "18446744073709551615", "-9223372036854775808",
	    "0.5",   "-0",   "1.0",   "1e300",  "3.14159", "-2.5e-7",      "4294967295",   "4294967296",           "9007199254740993",
	};
	buf_append_text(&text, numbers[pick(sizeof numbers / sizeof *numbers)]);
}

static void append_string(const char *prefix)
{
	static const char *const pieces[] = {"a", " ", "longer text without anything special", "\\\"", "\\\\", "\\n", "\\u0041",
					     "\\u0000", "\\ud83d\\ude00", "\\ud800", "\xC3\xA9", "\xF0\x9F\x98\x80", "\x7F"};
	buf_append_char(&text, '"');
	buf_append_text(&text, prefix);
	for (uint32_t i = pick(4) ? pick(7) : pick(300); i > 0; i--)
		buf_append_text(&text, pieces[pick(sizeof pieces / sizeof *pieces)]);
	buf_append_char(&text, '"');
}

static void append_value(unsigned depth)
{
	static const char *const literals[] = {"null", "true", "false"};
	uint32_t kind = depth ? pick(5) : 2 + pick(3);
	if (kind == 2)
		append_number();
	else if (kind == 3)
		append_string("");
	else if (kind == 4)
		buf_append_text(&text, literals[pick(3)]);
	if (kind > 1)
		return;
	buf_append_text(&text, kind ? "{ " : "[ ");
	for (uint32_t i = 0, count = pick(8) ? pick(6) : pick(40); i < count; i++) {
		char prefix[] = {(char)('0' + i), '\0'}; /* keys are unique */
		if (i)
			buf_append_text(&text, ", ");
		if (kind) {
			append_string(prefix[0] == '\\' ? "?" : prefix);
			buf_append_text(&text, " : ");
		}
		append_value(depth - 1);
	}
	buf_append_char(&text, kind ? '}' : ']');
}

static struct slice text_of(const msgpack_object *object)
{
	ck_assert_int_eq(object->type, MSGPACK_OBJECT_STR);
	ck_assert(json_is_utf8((struct slice){object->via.str.ptr, object->via.str.size}));
	return (struct slice){object->via.str.ptr, object->via.str.size};
}

static void compare_real(const msgpack_object *object, struct slice spelling)
{
	char copy[64];
	ck_assert_int_eq(object->type, MSGPACK_OBJECT_FLOAT64);
	ck_assert_uint_lt(spelling.len, sizeof copy);
	memcpy(copy, spelling.ptr, spelling.len);
	copy[spelling.len] = '\0';
	double expected = strtod(copy, NULL);
	ck_assert(memcmp(&object->via.f64, &expected, sizeof expected) == 0);
}

/* What msgpack-c read beside what our JSON reader made of the document. */
static void compare(const msgpack_object *object, const struct value *value)
{
	uint32_t i = 0;
	switch (value->kind) {
	case VALUE_NULL:
		ck_assert_int_eq(object->type, MSGPACK_OBJECT_NIL);
		break;
	case VALUE_BOOL:
		ck_assert(object->type == MSGPACK_OBJECT_BOOLEAN && object->via.boolean == value->boolean);
		break;
	case VALUE_UINT:
		if (is_request && object->type == MSGPACK_OBJECT_FLOAT64) {
			ck_assert(object->via.f64 == (double)value->uint);
			break;
		}
		ck_assert(object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 == value->uint);
		break;
	case VALUE_INT:
		ck_assert(object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER && object->via.i64 == value->sint);
		break;
	case VALUE_NUMBER:
		compare_real(object, value->text);
		break;
	case VALUE_STRING:
		ck_assert(slice_equal(text_of(object), value->text));
		break;
	case VALUE_ARRAY:
		ck_assert(object->type == MSGPACK_OBJECT_ARRAY && object->via.array.size == value->list.count);
		for (const struct value *element = value->list.first; element; element = element->next)
			compare(&object->via.array.ptr[i++], element);
		break;
	case VALUE_MAP:
		ck_assert(object->type == MSGPACK_OBJECT_MAP && object->via.map.size == value->list.count);
		for (const struct value *member = value->list.first; member; member = member->next, i++) {
			ck_assert(slice_equal(text_of(&object->via.map.ptr[i].key), member->key));
			compare(&object->via.map.ptr[i].val, member);
		}
		break;
	case VALUE_RAW:
		ck_abort();
	}
}

static void encode_again(const struct value *value)
{
	buf_clear(&again);
	msgpack_encode(&again, value);
	ck_assert(slice_equal(buf_slice(&again), buf_slice(&packed)));
}

/* The bytes that msgpack-c makes of what it read, through our reader. */
static void read_back(struct arena *arena, const msgpack_object *object)
{
	msgpack_sbuffer buffer;
	msgpack_packer packer;
	struct value *value = NULL;
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	ck_assert_int_eq(msgpack_pack_object(&packer, *object), 0);
	ck_assert_int_eq(msgpack_decode(arena, (struct slice){buffer.data, buffer.size}, &value, NULL), OK);
	is_request = true;
	compare(object, value);
	is_request = false;
	msgpack_sbuffer_destroy(&buffer);
}

START_TEST(agrees_with_msgpack_c_on_what_is_written)
{
	struct arena arena;
	buf_init(&text);
	buf_init(&packed);
	buf_init(&again);
	arena_init(&arena, (size_t)1 << 24);
	for (uint32_t seed = 1; seed <= DOCUMENTS; seed++) {
		struct value *value = NULL;
		msgpack_unpacked result;
		size_t at = 0;
		state = seed;
		buf_clear(&text);
		buf_clear(&packed);
		append_value(DEPTH);
		arena_reset(&arena);
		if (json_decode(&arena, buf_slice(&text), &value, NULL) != OK)
			continue; /* a NUL in a key, or two keys that are equal once unescaped */
		ck_assert_int_eq(msgpack_append_json(&packed, buf_slice(&text)), OK);
		msgpack_unpacked_init(&result);
		ck_assert_int_eq(msgpack_unpack_next(&result, packed.bytes, packed.len, &at), MSGPACK_UNPACK_SUCCESS);
		ck_assert_uint_eq(at, packed.len);
		compare(&result.data, value);
		encode_again(value);
		read_back(&arena, &result.data);
		msgpack_unpacked_destroy(&result);
	}
	arena_fini(&arena);
	buf_fini(&text);
	buf_fini(&packed);
	buf_fini(&again);
}
END_TEST

/* An event stands three levels deep in its message: docs/protocol.md warns users of this library. */
START_TEST(is_readable_as_deep_as_msgpack_c_reads)
{
	for (size_t depth = DEPTH_OF_LIBRARY - 3; depth <= 120; depth += 91) {
		msgpack_unpacked result;
		size_t at = 0;
		buf_init(&text);
		buf_init(&packed);
		memset(buf_extend(&text, depth), '[', depth);
		memset(buf_extend(&text, depth), ']', depth);
		msgpack_append_map(&packed, 1);
		msgpack_append_text(&packed, "events");
		msgpack_append_array(&packed, 1);
		msgpack_append_map(&packed, 1);
		msgpack_append_text(&packed, "data");
		ck_assert_int_eq(msgpack_append_json(&packed, buf_slice(&text)), OK);
		msgpack_unpacked_init(&result);
		msgpack_unpack_return outcome = msgpack_unpack_next(&result, packed.bytes, packed.len, &at);
		ck_assert_int_eq(outcome, depth <= DEPTH_OF_LIBRARY - 3 ? MSGPACK_UNPACK_SUCCESS : MSGPACK_UNPACK_NOMEM_ERROR);
		msgpack_unpacked_destroy(&result);
		buf_fini(&text);
		buf_fini(&packed);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("msgpack_differential");
	TCase *cases = tcase_create("msgpack_differential");
	tcase_add_test(cases, agrees_with_msgpack_c_on_what_is_written);
	tcase_add_test(cases, is_readable_as_deep_as_msgpack_c_reads);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}

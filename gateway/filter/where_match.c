#define _GNU_SOURCE /* memmem */
#include <stdlib.h>
#include <string.h>

#include "gateway/filter/glob.h"
#include "gateway/filter/where.h"

#define STACK_BYTES 256

/* What a pointer names, as it stands in the payload. */
struct found {
	struct slice raw;
	enum json_kind kind;
};

/* A JSON string without its quotes and escapes; text views the payload, stack or heap. */
struct plain {
	struct slice text;
	char *heap;
	char stack[STACK_BYTES];
};

/* False: no memory; such a string then equals nothing. */
static bool plain_init(struct plain *plain, struct slice raw_string)
{
	struct slice inside = {raw_string.ptr + 1, raw_string.len - 2};
	plain->heap = NULL;
	plain->text = inside;
	if (!json_has_escapes(inside))
		return true;
	char *room = plain->stack;
	if (inside.len > sizeof plain->stack) {
		room = plain->heap = malloc(inside.len);
		if (!room)
			return false;
	}
	plain->text = (struct slice){room, json_unescape(inside, room)};
	return true;
}

static void plain_fini(struct plain *plain)
{
	free(plain->heap);
}

typedef bool string_test(struct slice text, struct slice operand);

static bool string_passes(const struct found *found, struct slice operand, string_test *test)
{
	struct plain plain;
	if (!plain_init(&plain, found->raw))
		return false;
	bool passes = test(plain.text, operand);
	plain_fini(&plain);
	return passes;
}

static bool is_containing(struct slice text, struct slice part)
{
	return part.len == 0 || (text.len >= part.len && memmem(text.ptr, text.len, part.ptr, part.len) != NULL);
}

static bool is_starting_with(struct slice text, struct slice prefix)
{
	return text.len >= prefix.len && (prefix.len == 0 || memcmp(text.ptr, prefix.ptr, prefix.len) == 0);
}

static bool is_like(struct slice text, struct slice pattern)
{
	return glob_match(pattern, text);
}

static bool is_equal(const struct found *found, const struct scalar *scalar)
{
	if (found->kind != scalar->kind)
		return false;
	if (scalar->kind == JSON_NUMBER)
		return json_number_compare(found->raw, scalar->text) == 0;
	return scalar->kind != JSON_STRING || string_passes(found, scalar->text, slice_equal);
}

/* False when the two cannot be ordered: of different kinds, or no memory. */
static bool compare(const struct found *found, const struct scalar *scalar, int *ret_order)
{
	struct plain plain;
	if (found->kind != scalar->kind)
		return false;
	if (scalar->kind == JSON_NUMBER) {
		*ret_order = json_number_compare(found->raw, scalar->text);
		return true;
	}
	if (!plain_init(&plain, found->raw))
		return false;
	*ret_order = slice_compare(plain.text, scalar->text);
	plain_fini(&plain);
	return true;
}

static bool is_ordered(const struct condition *condition, const struct found *found)
{
	int order;
	if (!compare(found, &condition->values[0], &order))
		return false;
	switch (condition->op) {
	case WHERE_LESS:
		return order < 0;
	case WHERE_LESS_EQUAL:
		return order <= 0;
	case WHERE_GREATER:
		return order > 0;
	default:
		return order >= 0;
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t string_end(struct slice json, size_t at)
{
	for (at++; json.ptr[at] != '"'; at++) {
		if (json.ptr[at] == '\\')
			at++;
	}
	return at + 1;
}

/* Behind the value that starts at json.ptr[at]. The text is valid JSON, so only brackets and strings need a look. */
static size_t value_end(struct slice json, size_t at)
{
	size_t depth = 0;
	while (at < json.len) {
		char c = json.ptr[at];
		if (depth == 0 && (c == ',' || c == ']' || is_space(c)))
			return at;
		if (c == '"') {
			at = string_end(json, at);
		} else {
			depth += c == '[' || c == '{';
			depth -= c == ']' || c == '}';
			at++;
		}
	}
	return at;
}

static enum json_kind kind_of(char first)
{
	switch (first) {
	case 'n':
		return JSON_NULL;
	case 'f':
		return JSON_FALSE;
	case 't':
		return JSON_TRUE;
	case '"':
		return JSON_STRING;
	case '[':
		return JSON_ARRAY;
	case '{':
		return JSON_OBJECT;
	default:
		return JSON_NUMBER;
	}
}

static bool array_has(struct slice array, const struct scalar *scalar)
{
	size_t at = 1;
	while (at < array.len && array.ptr[at] != ']') {
		if (is_space(array.ptr[at]) || array.ptr[at] == ',') {
			at++;
			continue;
		}
		size_t end = value_end(array, at);
		struct found element = {{array.ptr + at, end - at}, kind_of(array.ptr[at])};
		if (is_equal(&element, scalar))
			return true;
		at = end;
	}
	return false;
}

static bool is_one_of(const struct condition *condition, const struct found *found)
{
	for (size_t i = 0; i < condition->value_count; i++) {
		if (is_equal(found, &condition->values[i]))
			return true;
	}
	return false;
}

static bool has_value(const struct condition *condition, const struct found *found)
{
	const struct scalar *scalar = &condition->values[0];
	if (found->kind == JSON_ARRAY)
		return array_has(found->raw, scalar);
	return found->kind == JSON_STRING && scalar->kind == JSON_STRING &&
	       string_passes(found, scalar->text, is_containing);
}

bool condition_match(const struct condition *condition, struct slice payload)
{
	struct found found;
	const struct scalar *scalar = &condition->values[0];
	bool is_there = json_find(payload, condition->pointer, &found.raw, &found.kind);
	if (condition->op == WHERE_EXISTS)
		return is_there == (scalar->kind == JSON_TRUE);
	if (!is_there)
		return false;
	switch (condition->op) {
	case WHERE_EQUAL:
		return is_equal(&found, scalar);
	case WHERE_NOT_EQUAL:
		return !is_equal(&found, scalar);
	case WHERE_IN:
		return is_one_of(condition, &found);
	case WHERE_CONTAINS:
		return has_value(condition, &found);
	case WHERE_PREFIX:
		return found.kind == JSON_STRING && string_passes(&found, scalar->text, is_starting_with);
	case WHERE_GLOB:
		return found.kind == JSON_STRING && string_passes(&found, scalar->text, is_like);
	default:
		return is_ordered(condition, &found);
	}
}

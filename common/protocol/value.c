#include "common/protocol/value.h"

const char *value_kind_name(enum value_kind kind)
{
	switch (kind) {
	case VALUE_NULL:
		return "null";
	case VALUE_BOOL:
		return "boolean";
	case VALUE_UINT:
	case VALUE_INT:
	case VALUE_NUMBER:
		return "number";
	case VALUE_STRING:
		return "string";
	case VALUE_RAW:
		return "json";
	case VALUE_ARRAY:
		return "array";
	case VALUE_MAP:
		return "object";
	}
	return "unknown";
}

const struct value *value_get(const struct value *map, const char *key)
{
	if (!map || map->kind != VALUE_MAP)
		return NULL;
	struct slice wanted = slice_of(key);
	for (const struct value *member = map->list.first; member; member = member->next) {
		if (slice_equal(member->key, wanted))
			return member;
	}
	return NULL;
}

static struct value *make(struct arena *arena, enum value_kind kind)
{
	struct value *value = arena_alloc(arena, sizeof *value);
	if (value)
		*value = (struct value){.kind = kind};
	return value;
}

static struct value *make_text(struct arena *arena, enum value_kind kind, struct slice text)
{
	struct value *value = make(arena, kind);
	if (value)
		value->text = text;
	return value;
}

struct value *value_null(struct arena *arena)
{
	return make(arena, VALUE_NULL);
}

struct value *value_bool(struct arena *arena, bool boolean)
{
	struct value *value = make(arena, VALUE_BOOL);
	if (value)
		value->boolean = boolean;
	return value;
}

struct value *value_uint(struct arena *arena, uint64_t number)
{
	struct value *value = make(arena, VALUE_UINT);
	if (value)
		value->uint = number;
	return value;
}

struct value *value_int(struct arena *arena, int64_t number)
{
	if (number >= 0)
		return value_uint(arena, (uint64_t)number);
	struct value *value = make(arena, VALUE_INT);
	if (value)
		value->sint = number;
	return value;
}

struct value *value_string(struct arena *arena, struct slice text)
{
	return make_text(arena, VALUE_STRING, text);
}

struct value *value_text(struct arena *arena, const char *text)
{
	return value_string(arena, slice_of(text));
}

struct value *value_raw(struct arena *arena, struct slice json)
{
	return make_text(arena, VALUE_RAW, json);
}

struct value *value_array(struct arena *arena)
{
	return make(arena, VALUE_ARRAY);
}

struct value *value_map(struct arena *arena)
{
	return make(arena, VALUE_MAP);
}

struct value *value_push(struct value *array, struct value *element)
{
	if (!array || !element)
		return NULL;
	element->next = NULL;
	if (array->list.last)
		array->list.last->next = element;
	else
		array->list.first = element;
	array->list.last = element;
	array->list.count++;
	return array;
}

struct value *value_put(struct value *map, const char *key, struct value *member)
{
	if (member)
		member->key = slice_of(key);
	return value_push(map, member);
}

/* As deep as the tree, which its decoder bounds. */
struct value *value_copy(struct arena *arena, const struct value *value)
{
	struct value *copy = value ? make(arena, value->kind) : NULL;
	if (!copy)
		return NULL;
	*copy = *value;
	copy->next = NULL;
	if (value->kind != VALUE_ARRAY && value->kind != VALUE_MAP)
		return copy;
	copy->list.first = copy->list.last = NULL;
	copy->list.count = 0;
	for (const struct value *member = value->list.first; member; member = member->next) {
		if (!value_push(copy, value_copy(arena, member)))
			return NULL;
	}
	return copy;
}

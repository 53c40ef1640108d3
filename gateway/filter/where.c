#include "gateway/filter/where.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/filter/glob.h"

enum operand {
	OPERAND_SCALAR,  /* null, a boolean, a number or a string */
	OPERAND_ORDERED, /* a number or a string */
	OPERAND_STRING,
	OPERAND_LIST, /* an array of scalars */
	OPERAND_FLAG, /* true, false, or left out for true */
};

static const struct {
	const char *name;
	enum operand operand;
} ops[WHERE_OPS] = {
    [WHERE_EQUAL] = {"==", OPERAND_SCALAR},      [WHERE_NOT_EQUAL] = {"!=", OPERAND_SCALAR},
    [WHERE_LESS] = {"<", OPERAND_ORDERED},       [WHERE_LESS_EQUAL] = {"<=", OPERAND_ORDERED},
    [WHERE_GREATER] = {">", OPERAND_ORDERED},    [WHERE_GREATER_EQUAL] = {">=", OPERAND_ORDERED},
    [WHERE_IN] = {"in", OPERAND_LIST},           [WHERE_CONTAINS] = {"contains", OPERAND_SCALAR},
    [WHERE_PREFIX] = {"prefix", OPERAND_STRING}, [WHERE_GLOB] = {"glob", OPERAND_STRING},
    [WHERE_EXISTS] = {"exists", OPERAND_FLAG},
};
#define OP_NAMES "== != < <= > >= in contains prefix glob exists"

struct place {
	char text[96];
};

static struct place part_of(size_t at, const char *part)
{
	struct place place;
	snprintf(place.text, sizeof place.text, "filter.where[%zu]%s", at, part);
	return place;
}

static bool read_number(struct arena *arena, const struct value *value, struct scalar *ret_scalar)
{
	char digits[24];
	struct slice text = value->text;
	if (value->kind != VALUE_NUMBER) {
		int len = value->kind == VALUE_UINT ? snprintf(digits, sizeof digits, "%ju", (uintmax_t)value->uint)
		                                    : snprintf(digits, sizeof digits, "%jd", (intmax_t)value->sint);
		text = (struct slice){digits, (size_t)len};
	}
	*ret_scalar = (struct scalar){JSON_NUMBER, {arena_copy(arena, text.ptr, text.len), text.len}};
	return ret_scalar->text.ptr != NULL;
}

/* ERR_INVALID: it is an array or an object, and ret_error is not set. */
static enum err read_scalar(struct arena *arena, const struct value *value, struct scalar *ret_scalar)
{
	switch (value->kind) {
	case VALUE_NULL:
		*ret_scalar = (struct scalar){JSON_NULL, SLICE_NONE};
		return OK;
	case VALUE_BOOL:
		*ret_scalar = (struct scalar){value->boolean ? JSON_TRUE : JSON_FALSE, SLICE_NONE};
		return OK;
	case VALUE_UINT:
	case VALUE_INT:
	case VALUE_NUMBER:
		return read_number(arena, value, ret_scalar) ? OK : ERR_NOMEM;
	case VALUE_STRING:
		*ret_scalar = (struct scalar){JSON_STRING,
		                              {arena_copy(arena, value->text.ptr, value->text.len), value->text.len}};
		return ret_scalar->text.ptr ? OK : ERR_NOMEM;
	default:
		return ERR_INVALID;
	}
}

static int compare_scalars(const void *a, const void *b)
{
	const struct scalar *left = a, *right = b;
	return left->kind != right->kind ? (left->kind > right->kind) - (left->kind < right->kind)
	                                 : slice_compare(left->text, right->text);
}

static enum err compile_list(struct arena *arena, const struct value *value, size_t at, struct condition *condition,
                             struct filter_error *ret_error)
{
	if (value->kind != VALUE_ARRAY || value->list.count == 0)
		return filter_refuse(ret_error, ERR_INVALID, part_of(at, ".value").text,
		                     "\"in\" needs an array of at least one string, number, boolean or null");
	if (value->list.count > FILTER_LIST_MAX)
		return filter_refuse(ret_error, ERR_LIMIT, part_of(at, ".value").text, "at most %d values",
		                     FILTER_LIST_MAX);
	condition->values = arena_alloc(arena, value->list.count * sizeof *condition->values);
	if (!condition->values)
		return filter_refuse(ret_error, ERR_NOMEM, part_of(at, ".value").text, "out of memory");
	size_t count = 0;
	for (const struct value *item = value->list.first; item; item = item->next, count++) {
		enum err error = read_scalar(arena, item, &condition->values[count]);
		if (error == OK)
			continue;
		char part[40];
		snprintf(part, sizeof part, ".value[%zu]", count);
		if (error == ERR_NOMEM)
			return filter_refuse(ret_error, error, part_of(at, part).text, "out of memory");
		return filter_refuse(ret_error, error, part_of(at, part).text,
		                     "must be a string, a number, a boolean or null, not %s",
		                     value_kind_name(item->kind));
	}
	qsort(condition->values, count, sizeof *condition->values, compare_scalars);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 ||
		    compare_scalars(&condition->values[condition->value_count - 1], &condition->values[i]) != 0)
			condition->values[condition->value_count++] = condition->values[i];
	}
	return OK;
}

static enum err refuse_operand(const struct condition *condition, size_t at, const struct value *value,
                               struct filter_error *ret_error)
{
	static const char *const needs[] = {
	    [OPERAND_SCALAR] = "a string, a number, a boolean or null",
	    [OPERAND_ORDERED] = "a number or a string",
	    [OPERAND_STRING] = "a string",
	    [OPERAND_LIST] = "an array",
	    [OPERAND_FLAG] = "true or false",
	};
	return filter_refuse(ret_error, ERR_INVALID, part_of(at, ".value").text, "\"%s\" needs %s, not %s",
	                     ops[condition->op].name, needs[ops[condition->op].operand], value_kind_name(value->kind));
}

static bool is_operand(enum operand operand, enum json_kind kind)
{
	switch (operand) {
	case OPERAND_ORDERED:
		return kind == JSON_NUMBER || kind == JSON_STRING;
	case OPERAND_STRING:
		return kind == JSON_STRING;
	case OPERAND_FLAG:
		return kind == JSON_TRUE || kind == JSON_FALSE;
	default:
		return true;
	}
}

static enum err compile_value(struct arena *arena, const struct value *value, size_t at, struct condition *condition,
                              struct filter_error *ret_error)
{
	enum operand operand = ops[condition->op].operand;
	if (!value && operand != OPERAND_FLAG)
		return filter_refuse(ret_error, ERR_INVALID, part_of(at, ".value").text, "is missing");
	if (operand == OPERAND_LIST)
		return compile_list(arena, value, at, condition, ret_error);
	condition->values = arena_alloc(arena, sizeof *condition->values);
	if (!condition->values)
		return filter_refuse(ret_error, ERR_NOMEM, part_of(at, ".value").text, "out of memory");
	condition->value_count = 1;
	if (!value) {
		condition->values[0] = (struct scalar){JSON_TRUE, SLICE_NONE};
		return OK;
	}
	enum err error = read_scalar(arena, value, &condition->values[0]);
	if (error == ERR_NOMEM)
		return filter_refuse(ret_error, ERR_NOMEM, part_of(at, ".value").text, "out of memory");
	if (error != OK || !is_operand(operand, condition->values[0].kind))
		return refuse_operand(condition, at, value, ret_error);
	if (condition->op == WHERE_GLOB && condition->values[0].text.len > GLOB_BYTES_MAX)
		return filter_refuse(ret_error, ERR_LIMIT, part_of(at, ".value").text,
		                     "the pattern is longer than %d bytes", GLOB_BYTES_MAX);
	return OK;
}

static enum err compile_path(struct arena *arena, const struct value *path, size_t at, struct condition *condition,
                             struct filter_error *ret_error)
{
	const char *where = ".path";
	if (!path)
		return filter_refuse(ret_error, ERR_INVALID, part_of(at, where).text, "is missing");
	if (path->kind != VALUE_STRING || !json_is_pointer(path->text))
		return filter_refuse(
		    ret_error, ERR_INVALID, part_of(at, where).text,
		    "must be a JSON Pointer (RFC 6901): \"\" or \"/field/...\", with \"~\" only as ~0 or ~1");
	condition->pointer = (struct slice){arena_copy(arena, path->text.ptr, path->text.len), path->text.len};
	return condition->pointer.ptr ? OK
	                              : filter_refuse(ret_error, ERR_NOMEM, part_of(at, where).text, "out of memory");
}

static enum err compile_op(const struct value *op, size_t at, struct condition *condition,
                           struct filter_error *ret_error)
{
	if (!op)
		return filter_refuse(ret_error, ERR_INVALID, part_of(at, ".op").text, "is missing; one of " OP_NAMES);
	if (op->kind != VALUE_STRING)
		return filter_refuse(ret_error, ERR_INVALID, part_of(at, ".op").text,
		                     "must be a string, not %s; one of " OP_NAMES, value_kind_name(op->kind));
	for (enum where_op i = 0; i < WHERE_OPS; i++) {
		if (slice_is(op->text, ops[i].name)) {
			condition->op = i;
			return OK;
		}
	}
	return filter_refuse(ret_error, ERR_INVALID, part_of(at, ".op").text,
	                     "unknown operator \"%.*s\"; one of " OP_NAMES, filter_shown_len(op->text), op->text.ptr);
}

void canonical_text(struct buf *out, struct slice text)
{
	buf_append_u64(out, text.len);
	buf_append_char(out, ':');
	buf_append_slice(out, text);
}

/* "<operator> <pointer>=<kind><value>..." */
static bool write_canonical(struct arena *arena, struct condition *condition)
{
	static const char letters[] = {
	    [JSON_NULL] = 'z', [JSON_FALSE] = 'f', [JSON_TRUE] = 't', [JSON_NUMBER] = 'n', [JSON_STRING] = 's'};
	struct buf text;
	buf_init(&text);
	buf_append_text(&text, ops[condition->op].name);
	buf_append_char(&text, ' ');
	canonical_text(&text, condition->pointer);
	buf_append_char(&text, '=');
	for (size_t i = 0; i < condition->value_count; i++) {
		buf_append_char(&text, letters[condition->values[i].kind]);
		canonical_text(&text, condition->values[i].text);
	}
	char *copy = buf_has_failed(&text) ? NULL : arena_copy(arena, text.bytes, text.len);
	condition->canonical = (struct slice){copy, text.len};
	buf_fini(&text);
	return copy != NULL;
}

enum err condition_compile(struct arena *arena, const struct value *map, size_t at, struct condition *ret_condition,
                           struct filter_error *ret_error)
{
	static const char *const keys[] = {"path", "op", "value", NULL};
	struct condition condition = {0};
	if (map->kind != VALUE_MAP)
		return filter_refuse(ret_error, ERR_INVALID, part_of(at, "").text,
		                     "must be an object with path, op and value, not %s", value_kind_name(map->kind));
	enum err error = filter_check_keys(map, part_of(at, "").text, keys, ret_error);
	if (error == OK)
		error = compile_path(arena, value_get(map, "path"), at, &condition, ret_error);
	if (error == OK)
		error = compile_op(value_get(map, "op"), at, &condition, ret_error);
	if (error == OK)
		error = compile_value(arena, value_get(map, "value"), at, &condition, ret_error);
	if (error != OK)
		return error;
	if (!write_canonical(arena, &condition))
		return filter_refuse(ret_error, ERR_NOMEM, part_of(at, "").text, "out of memory");
	*ret_condition = condition;
	return OK;
}

#include "common/codec/json_reader.h"
#include "common/codec/keys.h"
#include "common/codec/number.h"

#define ENCODE_DEPTH_MAX (2 * JSON_DEPTH_MAX) /* a reply may wrap what a decoder gave */

struct builder {
	struct arena *arena;
	struct json_reader reader;
	struct value *root;
	struct value *open[JSON_DEPTH_MAX]; /* as many as reader.depth */
	struct slice key;                   /* of the member to come */
};

static const char no_memory[] = "too large", duplicate_key[] = "duplicate key", nul_in_key[] = "NUL in a key";

static enum err fail(struct builder *builder, enum err error, const char *message)
{
	builder->reader.error = message;
	return error;
}

static enum err copy_string(struct builder *builder, struct slice raw_inside, struct slice *ret_text)
{
	char *text = arena_alloc(builder->arena, raw_inside.len + 1);
	if (!text)
		return fail(builder, ERR_NOMEM, no_memory);
	size_t len = raw_inside.len ? json_unescape(raw_inside, text) : 0;
	text[len] = '\0';
	*ret_text = (struct slice){text, len};
	return OK;
}

static enum err fill_number(struct builder *builder, struct slice raw, struct value *value)
{
	struct number number = number_integer(raw);
	if (number.kind == NUMBER_UINT) {
		value->kind = VALUE_UINT;
		value->uint = number.uint;
		return OK;
	}
	if (number.kind == NUMBER_INT) {
		value->kind = VALUE_INT;
		value->sint = number.sint;
		return OK;
	}
	const char *copy = arena_copy(builder->arena, raw.ptr, raw.len);
	if (!copy)
		return fail(builder, ERR_NOMEM, no_memory);
	value->kind = VALUE_NUMBER;
	value->text = (struct slice){copy, raw.len};
	return OK;
}

static enum err fill_value(struct builder *builder, const struct json_piece *piece, struct value *value)
{
	switch (piece->kind) {
	case JSON_NULL:
		value->kind = VALUE_NULL;
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		value->kind = VALUE_BOOL;
		value->boolean = piece->kind == JSON_TRUE;
		break;
	case JSON_NUMBER:
		return fill_number(builder, piece->raw, value);
	case JSON_STRING:
		value->kind = VALUE_STRING;
		return copy_string(builder, (struct slice){piece->raw.ptr + 1, piece->raw.len - 2}, &value->text);
	case JSON_ARRAY:
		value->kind = VALUE_ARRAY;
		break;
	case JSON_OBJECT:
		value->kind = VALUE_MAP;
		break;
	}
	return OK;
}

static enum err add_value(struct builder *builder, const struct json_piece *piece, unsigned depth)
{
	struct value *value = arena_alloc(builder->arena, sizeof *value);
	if (!value)
		return fail(builder, ERR_NOMEM, no_memory);
	*value = (struct value){.kind = VALUE_NULL};
	enum err error = fill_value(builder, piece, value);
	if (error)
		return error;
	if (depth) {
		struct value *parent = builder->open[depth - 1];
		if (parent->kind == VALUE_MAP)
			value->key = builder->key;
		value_push(parent, value);
	} else {
		builder->root = value;
	}
	if (piece->piece == JSON_PIECE_OPEN)
		builder->open[depth] = value;
	return OK;
}

static enum err add_key(struct builder *builder, struct slice raw_key)
{
	const struct value *map = builder->open[builder->reader.depth - 1];
	enum err error = copy_string(builder, raw_key, &builder->key);
	if (error)
		return error;
	if (memchr(builder->key.ptr, '\0', builder->key.len))
		return fail(builder, ERR_INVALID, nul_in_key);
	if (map->list.count > KEYS_FEW)
		return OK;
	for (const struct value *member = map->list.first; member; member = member->next) {
		if (slice_equal(member->key, builder->key))
			return fail(builder, ERR_INVALID, duplicate_key);
	}
	return OK;
}

/* A large map is checked once it is complete. */
static enum err check_keys(struct builder *builder, const struct value *map)
{
	if (map->kind != VALUE_MAP || map->list.count <= KEYS_FEW)
		return OK;
	enum err error = keys_check(map);
	if (error == ERR_EXISTS)
		return fail(builder, ERR_INVALID, duplicate_key);
	return error ? fail(builder, error, no_memory) : OK;
}

static enum err build(struct builder *builder)
{
	struct json_piece piece;
	enum err error = OK;
	while (!error && json_reader_next(&builder->reader, &piece)) {
		unsigned depth = builder->reader.depth;
		switch (piece.piece) {
		case JSON_PIECE_KEY:
			error = add_key(builder, piece.raw);
			break;
		case JSON_PIECE_SCALAR:
			error = add_value(builder, &piece, depth);
			break;
		case JSON_PIECE_OPEN:
			error = add_value(builder, &piece, depth - 1);
			break;
		case JSON_PIECE_CLOSE:
			error = check_keys(builder, builder->open[depth]);
			break;
		}
	}
	return error ? error : builder->reader.error ? ERR_INVALID : OK;
}

enum err json_decode(struct arena *arena, struct slice text, struct value **ret_value, struct json_error *ret_error)
{
	struct builder builder = {.arena = arena};
	json_reader_init(&builder.reader, text);
	enum err error = build(&builder);
	if (!error)
		*ret_value = builder.root;
	else if (ret_error)
		*ret_error =
		    (struct json_error){(size_t)(builder.reader.at - builder.reader.start), builder.reader.error};
	return error;
}

static void encode_scalar(struct buf *out, const struct value *value)
{
	switch (value->kind) {
	case VALUE_BOOL:
		buf_append_text(out, value->boolean ? "true" : "false");
		break;
	case VALUE_UINT:
		buf_append_u64(out, value->uint);
		break;
	case VALUE_INT:
		buf_append_i64(out, value->sint);
		break;
	case VALUE_NUMBER:
	case VALUE_RAW:
		buf_append_slice(out, value->text);
		break;
	case VALUE_STRING:
		json_append_string(out, value->text);
		break;
	default:
		buf_append_text(out, "null");
		break;
	}
}

static bool is_list(const struct value *value)
{
	return value->kind == VALUE_ARRAY || value->kind == VALUE_MAP;
}

static void encode_begin(struct buf *out, const struct value *value)
{
	if (is_list(value))
		buf_append_char(out, value->kind == VALUE_MAP ? '{' : '[');
	else
		encode_scalar(out, value);
}

void json_encode(struct buf *out, const struct value *value)
{
	struct {
		const struct value *list, *member;
	} open[ENCODE_DEPTH_MAX];
	size_t depth = 0;
	encode_begin(out, value);
	if (is_list(value)) {
		open[depth].list = value;
		open[depth++].member = value->list.first;
	}
	while (depth) {
		const struct value *list = open[depth - 1].list, *member = open[depth - 1].member;
		if (!member) {
			buf_append_char(out, list->kind == VALUE_MAP ? '}' : ']');
			depth--;
			continue;
		}
		open[depth - 1].member = member->next;
		if (member != list->list.first)
			buf_append_char(out, ',');
		if (list->kind == VALUE_MAP) {
			json_append_string(out, member->key);
			buf_append_char(out, ':');
		}
		encode_begin(out, member);
		if (is_list(member)) {
			if (depth == ENCODE_DEPTH_MAX) {
				out->failed = true;
				return;
			}
			open[depth].list = member;
			open[depth++].member = member->list.first;
		}
	}
}

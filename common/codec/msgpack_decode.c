#include <math.h> /* its macros alone: nothing here needs libm */

#include "common/codec/keys.h"
#include "common/codec/msgpack_read.h"
#include "common/codec/number.h"

#define WHOLE_MAX 9007199254740992.0 /* 2^53: up to here a double names one integer */

struct builder {
	struct arena *arena;
	struct msgpack_reader reader;
	struct value *root;
	struct value *open[MSGPACK_DEPTH_MAX]; /* as many as reader.depth */
	struct slice key;                      /* of the member to come */
};

static const char no_memory[] = "too large", duplicate_key[] = "duplicate key", nul_in_key[] = "NUL in a key";

static enum err fail(struct builder *builder, enum err error, const char *message)
{
	builder->reader.error = message;
	return error;
}

static enum err copy_text(struct builder *builder, struct slice text, struct slice *ret_copy)
{
	const char *copy = arena_copy(builder->arena, text.len ? text.ptr : "", text.len);
	if (!copy)
		return fail(builder, ERR_NOMEM, no_memory);
	*ret_copy = (struct slice){copy, text.len};
	return OK;
}

static enum err fill_double(struct builder *builder, double real, struct value *value)
{
	bool is_whole = real <= WHOLE_MAX && real >= -WHOLE_MAX && real == (double)(int64_t)real && (real != 0 || !signbit(real));
	char text[NUMBER_TEXT];
	if (!is_whole) {
		value->kind = VALUE_NUMBER;
		return copy_text(builder, (struct slice){text, number_write(real, text)}, &value->text);
	}
	value->kind = real < 0 ? VALUE_INT : VALUE_UINT;
	if (real < 0)
		value->sint = (int64_t)real;
	else
		value->uint = (uint64_t)real;
	return OK;
}

static enum err fill_value(struct builder *builder, const struct msgpack_piece *piece, struct value *value)
{
	switch (piece->kind) {
	case MSGPACK_BOOL:
		value->kind = VALUE_BOOL;
		value->boolean = piece->boolean;
		return OK;
	case MSGPACK_UINT:
		value->kind = VALUE_UINT;
		value->uint = piece->uint;
		return OK;
	case MSGPACK_INT:
		value->kind = VALUE_INT;
		value->sint = piece->sint;
		return OK;
	case MSGPACK_DOUBLE:
		return fill_double(builder, piece->real, value);
	case MSGPACK_STRING:
		value->kind = VALUE_STRING;
		return copy_text(builder, piece->text, &value->text);
	case MSGPACK_ARRAY:
		value->kind = VALUE_ARRAY;
		return OK;
	case MSGPACK_MAP:
		value->kind = VALUE_MAP;
		return OK;
	default:
		value->kind = VALUE_NULL;
		return OK;
	}
}

/* depth: of the list that the value is in. */
static enum err add_value(struct builder *builder, const struct msgpack_piece *piece, unsigned depth)
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
	if (value->kind == VALUE_ARRAY || value->kind == VALUE_MAP)
		builder->open[depth] = value;
	return OK;
}

static enum err add_key(struct builder *builder, struct slice key)
{
	if (key.len && memchr(key.ptr, '\0', key.len))
		return fail(builder, ERR_INVALID, nul_in_key);
	return copy_text(builder, key, &builder->key);
}

static enum err end_list(struct builder *builder, const struct value *list)
{
	enum err error = list->kind == VALUE_MAP ? keys_check(list) : OK;
	if (error == ERR_EXISTS)
		return fail(builder, ERR_INVALID, duplicate_key);
	return error ? fail(builder, error, no_memory) : OK;
}

static enum err build(struct builder *builder)
{
	struct msgpack_piece piece;
	enum err error = OK;
	while (!error && msgpack_reader_next(&builder->reader, &piece)) {
		unsigned depth = builder->reader.depth;
		if (piece.kind == MSGPACK_KEY)
			error = add_key(builder, piece.text);
		else if (piece.kind == MSGPACK_END)
			error = end_list(builder, builder->open[depth]);
		else
			error = add_value(builder, &piece, depth - (piece.kind == MSGPACK_ARRAY || piece.kind == MSGPACK_MAP));
	}
	return error ? error : builder->reader.error ? ERR_INVALID : OK;
}

enum err msgpack_decode(struct arena *arena, struct slice bytes, struct value **ret_value, struct msgpack_error *ret_error)
{
	struct builder builder = {.arena = arena};
	msgpack_reader_init(&builder.reader, bytes);
	enum err error = build(&builder);
	if (!error)
		*ret_value = builder.root;
	else if (ret_error)
		*ret_error = (struct msgpack_error){(size_t)(builder.reader.at - builder.reader.start), builder.reader.error};
	return error;
}

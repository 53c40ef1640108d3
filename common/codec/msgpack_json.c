/* From JSON to MessagePack and back, straight from the readers of either. */
#include "common/codec/json_grammar.h"
#include "common/codec/msgpack_read.h"
#include "common/codec/msgpack_write.h"
#include "common/codec/number.h"

/* How many members each list has, in the order in which lists open: MessagePack says it in front. */
static enum err count_members(struct slice json, struct buf *counts)
{
	struct json_reader reader;
	struct json_piece piece;
	size_t lists[JSON_DEPTH_MAX], count = 0; /* lists that are open: their places in counts */
	bool fits = true;
	json_grammar_begin(&reader, json);
	while (json_grammar_next(&reader, &piece)) {
		unsigned depth = reader.depth - (piece.piece == JSON_PIECE_OPEN);
		if (depth && (piece.piece == JSON_PIECE_OPEN || piece.piece == JSON_PIECE_SCALAR))
			((uint32_t *)(void *)counts->bytes)[lists[depth - 1]]++;
		if (piece.piece == JSON_PIECE_OPEN) {
			lists[depth] = count++;
			buf_append(counts, &(uint32_t){0}, sizeof(uint32_t));
			if (buf_has_failed(counts))
				return ERR_NOMEM;
		} else if (piece.piece == JSON_PIECE_SCALAR && piece.kind == JSON_NUMBER) {
			fits = fits && number_of(piece.raw).kind != NUMBER_UNFIT;
		}
	}
	if (reader.error)
		return ERR_INVALID;
	return fits ? OK : ERR_RANGE;
}

/* Unescaped it can be shorter than it is raw: the text is written behind room for the longest head, and moved to the head it
 * gets. */
static void append_escaped(struct buf *out, struct slice raw_inside)
{
	enum { HEAD_MAX = 5 };
	size_t start = out->len;
	char *place = buf_extend(out, HEAD_MAX + raw_inside.len);
	if (!place)
		return;
	size_t len = json_unescape(raw_inside, place + HEAD_MAX);
	out->len = start;
	msgpack_append_string_head(out, len);
	memmove(out->bytes + out->len, place + HEAD_MAX, len);
	out->len += len;
}

static void append_raw_string(struct buf *out, struct slice raw_inside)
{
	if (json_has_escapes(raw_inside)) {
		append_escaped(out, raw_inside);
		return;
	}
	msgpack_append_string_head(out, raw_inside.len);
	buf_append_slice(out, raw_inside);
}

static void append_number(struct buf *out, struct slice spelling)
{
	struct number number = number_of(spelling);
	if (number.kind == NUMBER_UINT)
		msgpack_append_uint(out, number.uint);
	else if (number.kind == NUMBER_INT)
		msgpack_append_int(out, number.sint);
	else
		msgpack_append_double(out, number.real);
}

static void append_scalar(struct buf *out, const struct json_piece *piece)
{
	switch (piece->kind) {
	case JSON_STRING:
		append_raw_string(out, (struct slice){piece->raw.ptr + 1, piece->raw.len - 2});
		break;
	case JSON_NUMBER:
		append_number(out, piece->raw);
		break;
	case JSON_NULL:
		msgpack_append_nil(out);
		break;
	default:
		msgpack_append_bool(out, piece->kind == JSON_TRUE);
		break;
	}
}

static void append_pieces(struct buf *out, struct slice json, const uint32_t *counts)
{
	struct json_reader reader;
	struct json_piece piece;
	json_grammar_begin(&reader, json);
	while (json_grammar_next(&reader, &piece)) {
		if (piece.piece == JSON_PIECE_KEY)
			append_raw_string(out, piece.raw);
		else if (piece.piece == JSON_PIECE_SCALAR)
			append_scalar(out, &piece);
		else if (piece.piece == JSON_PIECE_OPEN && piece.kind == JSON_OBJECT)
			msgpack_append_map(out, *counts++);
		else if (piece.piece == JSON_PIECE_OPEN)
			msgpack_append_array(out, *counts++);
	}
}

enum err msgpack_append_json(struct buf *out, struct slice json)
{
	struct buf counts;
	buf_init(&counts);
	enum err error = json.len > UINT32_MAX ? ERR_RANGE : count_members(json, &counts);
	if (error == OK)
		append_pieces(out, json, (const uint32_t *)(const void *)counts.bytes);
	else if (error == ERR_NOMEM)
		out->failed = true;
	buf_fini(&counts);
	return error;
}

static void write_number(struct buf *out, const struct msgpack_piece *piece)
{
	char text[NUMBER_TEXT];
	if (piece->kind == MSGPACK_UINT)
		buf_append_u64(out, piece->uint);
	else if (piece->kind == MSGPACK_INT)
		buf_append_i64(out, piece->sint);
	else
		buf_append(out, text, number_write(piece->real, text));
}

static void write_piece(struct buf *out, const struct msgpack_piece *piece)
{
	switch (piece->kind) {
	case MSGPACK_NIL:
		buf_append_text(out, "null");
		break;
	case MSGPACK_BOOL:
		buf_append_text(out, piece->boolean ? "true" : "false");
		break;
	case MSGPACK_UINT:
	case MSGPACK_INT:
	case MSGPACK_DOUBLE:
		write_number(out, piece);
		break;
	case MSGPACK_STRING:
	case MSGPACK_KEY:
		json_append_string(out, piece->text);
		break;
	case MSGPACK_ARRAY:
		buf_append_char(out, '[');
		break;
	case MSGPACK_MAP:
		buf_append_char(out, '{');
		break;
	case MSGPACK_END:
		buf_append_char(out, piece->boolean ? '}' : ']');
		break;
	}
}

/* The value that comes next. */
static void write_value(struct buf *out, struct msgpack_reader *reader)
{
	struct msgpack_piece piece;
	unsigned outside = reader->depth;
	bool needs_comma = false;
	do {
		if (!msgpack_reader_next(reader, &piece))
			return;
		if (needs_comma && piece.kind != MSGPACK_END)
			buf_append_char(out, ',');
		write_piece(out, &piece);
		if (piece.kind == MSGPACK_KEY)
			buf_append_char(out, ':');
		needs_comma = piece.kind != MSGPACK_KEY && piece.kind != MSGPACK_ARRAY && piece.kind != MSGPACK_MAP;
	} while (reader->depth > outside);
}

bool msgpack_member(struct slice map, struct slice name, struct buf *out)
{
	struct msgpack_reader reader;
	struct msgpack_piece piece;
	msgpack_reader_init(&reader, map);
	while (msgpack_reader_next(&reader, &piece)) {
		if (piece.kind == MSGPACK_KEY && reader.depth == 1 && slice_equal(piece.text, name)) {
			write_value(out, &reader);
			return true;
		}
	}
	return false;
}

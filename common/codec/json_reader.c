#include "common/codec/json_reader.h"

#include "common/codec/utf8.h"

/* Inlined into each of the loops below, so that a reader that stays in its function lives in registers: that makes the
 * validator, which sees every event, twice as fast. */
#define INLINED inline __attribute__((always_inline))

static INLINED void begin(struct json_reader *reader, struct slice text)
{
	const unsigned char *start = (const unsigned char *)(text.len ? text.ptr : "");
	*reader = (struct json_reader){.start = start, .at = start, .end = start + text.len, .depth_max = JSON_DEPTH_MAX};
}

void json_reader_init(struct json_reader *reader, struct slice text)
{
	begin(reader, text);
}

static INLINED bool fail(struct json_reader *reader, const unsigned char *at, const char *message)
{
	reader->at = at;
	reader->error = message;
	return false;
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static INLINED const unsigned char *skip_space(const unsigned char *at, const unsigned char *end)
{
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

static bool is_hex(unsigned char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Size of the escape at "at", which is a backslash; 0: it is none. */
static size_t escape_size(const unsigned char *at, const unsigned char *end)
{
	if (end - at < 2)
		return 0;
	if (at[1] == 'u')
		return end - at >= 6 && is_hex(at[2]) && is_hex(at[3]) && is_hex(at[4]) && is_hex(at[5]) ? 6 : 0;
	return at[1] && strchr("\"\\/bfnrt", at[1]) ? 2 : 0;
}

/* Moves reader->at from an opening quote to behind the closing one. */
static INLINED bool read_string(struct json_reader *reader)
{
	const unsigned char *at = reader->at + 1, *end = reader->end;
	for (;;) {
		at = skip_plain(at, end);
		if (at == end)
			return fail(reader, at, "unterminated string");
		if (*at == '"')
			break;
		if (*at < 0x20)
			return fail(reader, at, "control character in a string");
		if (*at == '\\') {
			size_t size = escape_size(at, end);
			if (!size)
				return fail(reader, at, "invalid escape");
			at += size;
			continue;
		}
		do {
			size_t size = utf8_character(at, end);
			if (!size)
				return fail(reader, at, "invalid UTF-8");
			at += size;
		} while (at < end && *at >= 0x80);
	}
	reader->at = at + 1;
	return true;
}

static INLINED const unsigned char *skip_digits(const unsigned char *at, const unsigned char *end)
{
	while (at < end && is_digit(*at))
		at++;
	return at;
}

static INLINED bool read_number(struct json_reader *reader)
{
	const unsigned char *at = reader->at, *end = reader->end, *digits;
	if (*at == '-')
		at++;
	digits = at;
	at = skip_digits(at, end);
	if (at == digits)
		return fail(reader, at, "expected a digit");
	if (*digits == '0' && at - digits > 1)
		return fail(reader, digits, "a number must not begin with 0");
	if (at < end && *at == '.') {
		digits = ++at;
		at = skip_digits(at, end);
		if (at == digits)
			return fail(reader, at, "expected a digit behind the point");
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		digits = at;
		at = skip_digits(at, end);
		if (at == digits)
			return fail(reader, at, "expected a digit in the exponent");
	}
	reader->at = at;
	return true;
}

static INLINED bool read_literal(struct json_reader *reader, const char *literal, size_t len)
{
	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, literal, len) != 0)
		return fail(reader, reader->at, "expected a value");
	reader->at += len;
	return true;
}

static INLINED bool is_in_object(const struct json_reader *reader)
{
	return reader->low & 1;
}

static INLINED bool give(struct json_reader *reader, const unsigned char *from, enum json_piece_kind piece,
                         enum json_kind kind, struct json_piece *ret_piece)
{
	*ret_piece = (struct json_piece){piece, kind, {(const char *)from, (size_t)(reader->at - from)}};
	return true;
}

static INLINED bool open_bracket(struct json_reader *reader, enum json_kind kind, struct json_piece *ret_piece)
{
	const unsigned char *from = reader->at;
	if (reader->depth == reader->depth_max)
		return fail(reader, from, "nested too deeply");
	reader->high = reader->high << 1 | reader->low >> 63;
	reader->low = reader->low << 1 | (kind == JSON_OBJECT);
	reader->depth++;
	reader->expected = kind == JSON_OBJECT ? JSON_KEY_OR_END : JSON_VALUE_OR_END;
	reader->at++;
	return give(reader, from, JSON_PIECE_OPEN, kind, ret_piece);
}

static INLINED bool close_bracket(struct json_reader *reader, struct json_piece *ret_piece)
{
	enum json_kind kind = is_in_object(reader) ? JSON_OBJECT : JSON_ARRAY;
	reader->low = reader->low >> 1 | reader->high << 63;
	reader->high >>= 1;
	reader->depth--;
	reader->expected = reader->depth ? JSON_COMMA_OR_END : JSON_NOTHING;
	reader->at++;
	return give(reader, reader->at - 1, JSON_PIECE_CLOSE, kind, ret_piece);
}

static INLINED bool read_scalar(struct json_reader *reader, enum json_kind *ret_kind)
{
	unsigned char first = *reader->at;
	if (first == '"') {
		*ret_kind = JSON_STRING;
		return read_string(reader);
	}
	if (first == '-' || is_digit(first)) {
		*ret_kind = JSON_NUMBER;
		return read_number(reader);
	}
	*ret_kind = first == 't' ? JSON_TRUE : first == 'f' ? JSON_FALSE : JSON_NULL;
	return first == 't'   ? read_literal(reader, "true", 4)
	       : first == 'f' ? read_literal(reader, "false", 5)
	                      : read_literal(reader, "null", 4);
}

static INLINED bool read_value(struct json_reader *reader, struct json_piece *ret_piece)
{
	const unsigned char *from = reader->at;
	enum json_kind kind;
	if (*from == '{' || *from == '[')
		return open_bracket(reader, *from == '{' ? JSON_OBJECT : JSON_ARRAY, ret_piece);
	if (!read_scalar(reader, &kind))
		return false;
	reader->expected = reader->depth ? JSON_COMMA_OR_END : JSON_NOTHING;
	return give(reader, from, JSON_PIECE_SCALAR, kind, ret_piece);
}

static INLINED bool read_key(struct json_reader *reader, struct json_piece *ret_piece)
{
	const unsigned char *from = reader->at + 1;
	if (*reader->at != '"')
		return fail(reader, reader->at, "expected a key in double quotes");
	if (!read_string(reader))
		return false;
	*ret_piece = (struct json_piece){
	    .piece = JSON_PIECE_KEY, .kind = JSON_STRING, .raw = {(const char *)from, (size_t)(reader->at - 1 - from)}};
	const unsigned char *at = skip_space(reader->at, reader->end);
	if (at == reader->end || *at != ':')
		return fail(reader, at, "expected ':'");
	reader->at = at + 1;
	reader->expected = JSON_VALUE;
	return true;
}

static INLINED bool end_document(struct json_reader *reader)
{
	if (reader->expected == JSON_NOTHING)
		return false;
	return fail(reader, reader->end, reader->at == reader->start ? "no value" : "the text ends too early");
}

/* At a comma, moves on to what has to follow it. */
static INLINED bool pass_comma(struct json_reader *reader)
{
	bool in_object = is_in_object(reader);
	if (*reader->at != ',')
		return fail(reader, reader->at, in_object ? "expected ',' or '}'" : "expected ',' or ']'");
	reader->at = skip_space(reader->at + 1, reader->end);
	reader->expected = in_object ? JSON_KEY : JSON_VALUE;
	return reader->at < reader->end || fail(reader, reader->end, "the text ends too early");
}

static INLINED bool next(struct json_reader *reader, struct json_piece *ret_piece)
{
	reader->at = skip_space(reader->at, reader->end);
	if (reader->at == reader->end)
		return end_document(reader);
	unsigned char first = *reader->at;
	switch (reader->expected) {
	case JSON_COMMA_OR_END:
		if (first == (is_in_object(reader) ? '}' : ']'))
			return close_bracket(reader, ret_piece);
		if (!pass_comma(reader))
			return false;
		return reader->expected == JSON_KEY ? read_key(reader, ret_piece) : read_value(reader, ret_piece);
	case JSON_VALUE_OR_END:
		return first == ']' ? close_bracket(reader, ret_piece) : read_value(reader, ret_piece);
	case JSON_KEY_OR_END:
		return first == '}' ? close_bracket(reader, ret_piece) : read_key(reader, ret_piece);
	case JSON_KEY:
		return read_key(reader, ret_piece);
	case JSON_VALUE:
		return read_value(reader, ret_piece);
	case JSON_NOTHING:
		break;
	}
	return fail(reader, reader->at, "more text behind the value");
}

bool json_reader_next(struct json_reader *reader, struct json_piece *ret_piece)
{
	return next(reader, ret_piece);
}

static INLINED bool finish_value(struct json_reader *reader, const struct json_piece *first, struct slice *ret_raw)
{
	struct json_piece piece = *first;
	unsigned outside = reader->depth - (first->piece == JSON_PIECE_OPEN);
	while (reader->depth > outside) {
		if (!next(reader, &piece))
			return false;
	}
	*ret_raw = (struct slice){first->raw.ptr, (size_t)((const char *)reader->at - first->raw.ptr)};
	return true;
}

bool json_reader_value(struct json_reader *reader, const struct json_piece *first, struct slice *ret_raw)
{
	return finish_value(reader, first, ret_raw);
}

bool json_is_valid(struct slice text, enum json_kind *ret_kind, struct json_error *ret_error)
{
	struct json_reader reader;
	struct json_piece first, piece;
	begin(&reader, text);
	if (next(&reader, &first)) {
		while (next(&reader, &piece))
			;
	}
	if (reader.error) {
		if (ret_error)
			*ret_error = (struct json_error){(size_t)(reader.at - reader.start), reader.error};
		return false;
	}
	if (ret_kind)
		*ret_kind = first.kind;
	return true;
}

bool json_scan(struct slice text, json_member *member, void *context, enum json_kind *ret_kind)
{
	return json_scan_within(text, JSON_DEPTH_MAX, member, context, ret_kind);
}

bool json_scan_within(struct slice text, unsigned depth_max, json_member *member, void *context, enum json_kind *ret_kind)
{
	struct json_reader reader;
	struct json_piece first = {0}, key, value;
	struct slice raw;
	begin(&reader, text);
	reader.depth_max = depth_max;
	if (next(&reader, &first)) {
		while (next(&reader, &key)) {
			if (key.piece != JSON_PIECE_KEY || reader.depth != 1)
				continue;
			if (!next(&reader, &value) || !finish_value(&reader, &value, &raw))
				break;
			member(context, key.raw, raw, value.kind);
		}
	}
	if (reader.error)
		return false;
	if (ret_kind)
		*ret_kind = first.kind;
	return true;
}

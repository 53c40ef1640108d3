/* The grammar behind json_reader.h, for the few loops that live on its speed. Private to json_reader.c,
 * json_flat.c and msgpack_json.c. */
#ifndef COMMON_CODEC_JSON_GRAMMAR_H
#define COMMON_CODEC_JSON_GRAMMAR_H

#include "common/codec/json_reader.h"
#include "common/codec/utf8.h"

/* Inlined into each of the loops, so that a reader that stays in its function lives in registers: that makes the
 * validator, which sees every event, twice as fast. */
#define INLINED inline __attribute__((always_inline))

static INLINED void json_grammar_begin(struct json_reader *reader, struct slice text)
{
	const unsigned char *start = (const unsigned char *)(text.len ? text.ptr : "");
	*reader = (struct json_reader){.start = start, .at = start, .end = start + text.len, .depth_max = JSON_DEPTH_MAX};
}

static INLINED bool json_grammar_fail(struct json_reader *reader, const unsigned char *at, const char *message)
{
	reader->at = at;
	reader->error = message;
	return false;
}

static inline bool json_grammar_is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static INLINED const unsigned char *json_grammar_skip_space(const unsigned char *at, const unsigned char *end)
{
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

static inline bool json_grammar_is_hex(unsigned char c)
{
	return json_grammar_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Size of the escape at "at", which is a backslash; 0: it is none. */
static inline size_t json_grammar_escape_size(const unsigned char *at, const unsigned char *end)
{
	if (end - at < 2)
		return 0;
	if (at[1] == 'u')
		return end - at >= 6 && json_grammar_is_hex(at[2]) && json_grammar_is_hex(at[3]) && json_grammar_is_hex(at[4]) && json_grammar_is_hex(at[5]) ? 6 : 0;
	return at[1] && strchr("\"\\/bfnrt", at[1]) ? 2 : 0;
}

/* Moves reader->at from an opening quote to behind the closing one. */
static INLINED bool json_grammar_read_string(struct json_reader *reader)
{
	const unsigned char *at = reader->at + 1, *end = reader->end;
	for (;;) {
		at = skip_plain(at, end);
		if (at == end)
			return json_grammar_fail(reader, at, "unterminated string");
		if (*at == '"')
			break;
		if (*at < 0x20)
			return json_grammar_fail(reader, at, "control character in a string");
		if (*at == '\\') {
			size_t size = json_grammar_escape_size(at, end);
			if (!size)
				return json_grammar_fail(reader, at, "invalid escape");
			at += size;
			continue;
		}
		do {
			size_t size = utf8_character(at, end);
			if (!size)
				return json_grammar_fail(reader, at, "invalid UTF-8");
			at += size;
		} while (at < end && *at >= 0x80);
	}
	reader->at = at + 1;
	return true;
}

static INLINED const unsigned char *json_grammar_skip_digits(const unsigned char *at, const unsigned char *end)
{
	while (at < end && json_grammar_is_digit(*at))
		at++;
	return at;
}

static INLINED bool json_grammar_read_number(struct json_reader *reader)
{
	const unsigned char *at = reader->at, *end = reader->end, *digits;
	if (*at == '-')
		at++;
	digits = at;
	at = json_grammar_skip_digits(at, end);
	if (at == digits)
		return json_grammar_fail(reader, at, "expected a digit");
	if (*digits == '0' && at - digits > 1)
		return json_grammar_fail(reader, digits, "a number must not begin with 0");
	if (at < end && *at == '.') {
		digits = ++at;
		at = json_grammar_skip_digits(at, end);
		if (at == digits)
			return json_grammar_fail(reader, at, "expected a digit behind the point");
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		digits = at;
		at = json_grammar_skip_digits(at, end);
		if (at == digits)
			return json_grammar_fail(reader, at, "expected a digit in the exponent");
	}
	reader->at = at;
	return true;
}

static INLINED bool json_grammar_read_literal(struct json_reader *reader, const char *literal, size_t len)
{
	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, literal, len) != 0)
		return json_grammar_fail(reader, reader->at, "expected a value");
	reader->at += len;
	return true;
}

static INLINED bool json_grammar_is_in_object(const struct json_reader *reader)
{
	return reader->low & 1;
}

static INLINED bool json_grammar_give(struct json_reader *reader, const unsigned char *from, enum json_piece_kind piece,
                         enum json_kind kind, struct json_piece *ret_piece)
{
	*ret_piece = (struct json_piece){piece, kind, {(const char *)from, (size_t)(reader->at - from)}};
	return true;
}

static INLINED bool json_grammar_open_bracket(struct json_reader *reader, enum json_kind kind, struct json_piece *ret_piece)
{
	const unsigned char *from = reader->at;
	if (reader->depth == reader->depth_max)
		return json_grammar_fail(reader, from, "nested too deeply");
	reader->high = reader->high << 1 | reader->low >> 63;
	reader->low = reader->low << 1 | (kind == JSON_OBJECT);
	reader->depth++;
	reader->expected = kind == JSON_OBJECT ? JSON_KEY_OR_END : JSON_VALUE_OR_END;
	reader->at++;
	return json_grammar_give(reader, from, JSON_PIECE_OPEN, kind, ret_piece);
}

static INLINED bool json_grammar_close_bracket(struct json_reader *reader, struct json_piece *ret_piece)
{
	enum json_kind kind = json_grammar_is_in_object(reader) ? JSON_OBJECT : JSON_ARRAY;
	reader->low = reader->low >> 1 | reader->high << 63;
	reader->high >>= 1;
	reader->depth--;
	reader->expected = reader->depth ? JSON_COMMA_OR_END : JSON_NOTHING;
	reader->at++;
	return json_grammar_give(reader, reader->at - 1, JSON_PIECE_CLOSE, kind, ret_piece);
}

static INLINED bool json_grammar_read_scalar(struct json_reader *reader, enum json_kind *ret_kind)
{
	unsigned char first = *reader->at;
	if (first == '"') {
		*ret_kind = JSON_STRING;
		return json_grammar_read_string(reader);
	}
	if (first == '-' || json_grammar_is_digit(first)) {
		*ret_kind = JSON_NUMBER;
		return json_grammar_read_number(reader);
	}
	*ret_kind = first == 't' ? JSON_TRUE : first == 'f' ? JSON_FALSE : JSON_NULL;
	return first == 't'   ? json_grammar_read_literal(reader, "true", 4)
	       : first == 'f' ? json_grammar_read_literal(reader, "false", 5)
	                      : json_grammar_read_literal(reader, "null", 4);
}

static INLINED bool json_grammar_read_value(struct json_reader *reader, struct json_piece *ret_piece)
{
	const unsigned char *from = reader->at;
	enum json_kind kind;
	if (*from == '{' || *from == '[')
		return json_grammar_open_bracket(reader, *from == '{' ? JSON_OBJECT : JSON_ARRAY, ret_piece);
	if (!json_grammar_read_scalar(reader, &kind))
		return false;
	reader->expected = reader->depth ? JSON_COMMA_OR_END : JSON_NOTHING;
	return json_grammar_give(reader, from, JSON_PIECE_SCALAR, kind, ret_piece);
}

static INLINED bool json_grammar_read_key(struct json_reader *reader, struct json_piece *ret_piece)
{
	const unsigned char *from = reader->at + 1;
	if (*reader->at != '"')
		return json_grammar_fail(reader, reader->at, "expected a key in double quotes");
	if (!json_grammar_read_string(reader))
		return false;
	*ret_piece = (struct json_piece){
	    .piece = JSON_PIECE_KEY, .kind = JSON_STRING, .raw = {(const char *)from, (size_t)(reader->at - 1 - from)}};
	const unsigned char *at = json_grammar_skip_space(reader->at, reader->end);
	if (at == reader->end || *at != ':')
		return json_grammar_fail(reader, at, "expected ':'");
	reader->at = at + 1;
	reader->expected = JSON_VALUE;
	return true;
}

static INLINED bool json_grammar_end_document(struct json_reader *reader)
{
	if (reader->expected == JSON_NOTHING)
		return false;
	return json_grammar_fail(reader, reader->end, reader->at == reader->start ? "no value" : "the text ends too early");
}

/* At a comma, moves on to what has to follow it. */
static INLINED bool json_grammar_pass_comma(struct json_reader *reader)
{
	bool in_object = json_grammar_is_in_object(reader);
	if (*reader->at != ',')
		return json_grammar_fail(reader, reader->at, in_object ? "expected ',' or '}'" : "expected ',' or ']'");
	reader->at = json_grammar_skip_space(reader->at + 1, reader->end);
	reader->expected = in_object ? JSON_KEY : JSON_VALUE;
	return reader->at < reader->end || json_grammar_fail(reader, reader->end, "the text ends too early");
}

static INLINED bool json_grammar_next(struct json_reader *reader, struct json_piece *ret_piece)
{
	reader->at = json_grammar_skip_space(reader->at, reader->end);
	if (reader->at == reader->end)
		return json_grammar_end_document(reader);
	unsigned char first = *reader->at;
	switch (reader->expected) {
	case JSON_COMMA_OR_END:
		if (first == (json_grammar_is_in_object(reader) ? '}' : ']'))
			return json_grammar_close_bracket(reader, ret_piece);
		if (!json_grammar_pass_comma(reader))
			return false;
		return reader->expected == JSON_KEY ? json_grammar_read_key(reader, ret_piece) : json_grammar_read_value(reader, ret_piece);
	case JSON_VALUE_OR_END:
		return first == ']' ? json_grammar_close_bracket(reader, ret_piece) : json_grammar_read_value(reader, ret_piece);
	case JSON_KEY_OR_END:
		return first == '}' ? json_grammar_close_bracket(reader, ret_piece) : json_grammar_read_key(reader, ret_piece);
	case JSON_KEY:
		return json_grammar_read_key(reader, ret_piece);
	case JSON_VALUE:
		return json_grammar_read_value(reader, ret_piece);
	case JSON_NOTHING:
		break;
	}
	return json_grammar_fail(reader, reader->at, "more text behind the value");
}

static INLINED bool json_grammar_finish(struct json_reader *reader, const struct json_piece *first, struct slice *ret_raw)
{
	struct json_piece piece = *first;
	unsigned outside = reader->depth - (first->piece == JSON_PIECE_OPEN);
	while (reader->depth > outside) {
		if (!json_grammar_next(reader, &piece))
			return false;
	}
	*ret_raw = (struct slice){first->raw.ptr, (size_t)((const char *)reader->at - first->raw.ptr)};
	return true;
}

#endif

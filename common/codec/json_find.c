#include "common/codec/json_reader.h"
#include "common/codec/json_text.h"

bool json_is_pointer(struct slice pointer)
{
	if (pointer.len && pointer.ptr[0] != '/')
		return false;
	for (size_t i = 0; i < pointer.len; i++) {
		if (pointer.ptr[i] == '~' &&
		    (i + 1 == pointer.len || (pointer.ptr[i + 1] != '0' && pointer.ptr[i + 1] != '1')))
			return false;
	}
	return true;
}

/* Cuts the first reference token, without its slash, off a pointer that is not empty. */
static struct slice take_token(struct slice *pointer)
{
	const char *from = pointer->ptr + 1;
	const char *slash = pointer->len > 1 ? memchr(from, '/', pointer->len - 1) : NULL;
	size_t len = slash ? (size_t)(slash - from) : pointer->len - 1;
	*pointer = (struct slice){from + len, pointer->len - 1 - len};
	return (struct slice){from, len};
}

/* The next byte that a token means: "~1" is '/', "~0" is '~'. */
static char take_token_byte(struct slice *token)
{
	bool escaped = token->ptr[0] == '~' && token->len > 1;
	char byte = escaped ? (token->ptr[1] == '1' ? '/' : '~') : token->ptr[0];
	token->ptr += 1 + escaped;
	token->len -= 1 + (size_t)escaped;
	return byte;
}

static bool is_named(struct slice raw_key, struct slice token)
{
	if (!token.len || !memchr(token.ptr, '~', token.len))
		return json_string_is(raw_key, token);
	const char *at = raw_key.ptr, *end = at + raw_key.len;
	while (at < end) {
		char bytes[JSON_CHARACTER_MAX];
		size_t size = json_unescape_one(&at, end, bytes);
		for (size_t i = 0; i < size; i++) {
			if (!token.len || take_token_byte(&token) != bytes[i])
				return false;
		}
	}
	return !token.len;
}

/* An array's index is decimal without leading zeros; "-", the place behind the last, is never there. */
static bool read_index(struct slice token, size_t *ret_index)
{
	size_t index = 0;
	if (!token.len || (token.ptr[0] == '0' && token.len > 1))
		return false;
	for (size_t i = 0; i < token.len; i++) {
		unsigned digit = (unsigned)((unsigned char)token.ptr[i] - '0');
		if (digit > 9 || index > (SIZE_MAX - digit) / 10)
			return false;
		index = index * 10 + digit;
	}
	*ret_index = index;
	return true;
}

static bool find_member(struct json_reader *reader, struct slice token, struct slice *ret_raw, enum json_kind *ret_kind)
{
	struct json_piece key, value;
	struct slice raw;
	bool found = false;
	while (json_reader_next(reader, &key) && key.piece == JSON_PIECE_KEY) {
		if (!json_reader_next(reader, &value) || !json_reader_value(reader, &value, &raw))
			return false;
		if (is_named(key.raw, token)) {
			*ret_raw = raw;
			*ret_kind = value.kind;
			found = true;
		}
	}
	return found;
}

static bool find_element(struct json_reader *reader, struct slice token, struct slice *ret_raw,
                         enum json_kind *ret_kind)
{
	struct json_piece value;
	struct slice raw;
	size_t index;
	if (!read_index(token, &index))
		return false;
	while (json_reader_next(reader, &value) && value.piece != JSON_PIECE_CLOSE) {
		if (!json_reader_value(reader, &value, &raw))
			return false;
		if (index-- == 0) {
			*ret_raw = raw;
			*ret_kind = value.kind;
			return true;
		}
	}
	return false;
}

bool json_find(struct slice valid_json, struct slice pointer, struct slice *ret_raw, enum json_kind *ret_kind)
{
	struct slice raw = valid_json;
	struct json_reader reader;
	struct json_piece first;
	enum json_kind kind;
	json_reader_init(&reader, raw);
	if (!json_reader_next(&reader, &first))
		return false;
	kind = first.kind;
	while (pointer.len) {
		struct slice token = take_token(&pointer);
		bool found = kind == JSON_OBJECT ? find_member(&reader, token, &raw, &kind)
		                                 : kind == JSON_ARRAY && find_element(&reader, token, &raw, &kind);
		if (!found)
			return false;
		json_reader_init(&reader, raw);
		if (!json_reader_next(&reader, &first))
			return false;
	}
	if (!json_reader_value(&reader, &first, &raw))
		return false;
	*ret_raw = raw;
	*ret_kind = kind;
	return true;
}

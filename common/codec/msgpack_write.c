#include "common/codec/msgpack_write.h"

#include "common/codec/utf8.h"

#define ENCODE_DEPTH_MAX (2 * MSGPACK_DEPTH_MAX) /* a reply may wrap what a decoder gave */

/* A format byte and a number of so many bytes behind it, in the order of the network. */
static void append_head(struct buf *out, unsigned format, uint64_t number, unsigned bytes)
{
	char *place = buf_extend(out, 1 + bytes);
	if (!place)
		return;
	*place++ = (char)format;
	while (bytes-- > 0)
		*place++ = (char)(number >> (8 * bytes));
}

void msgpack_append_nil(struct buf *out)
{
	append_head(out, 0xc0, 0, 0);
}

void msgpack_append_bool(struct buf *out, bool boolean)
{
	append_head(out, boolean ? 0xc3 : 0xc2, 0, 0);
}

void msgpack_append_uint(struct buf *out, uint64_t number)
{
	if (number < 0x80)
		append_head(out, (unsigned)number, 0, 0);
	else if (number <= UINT8_MAX)
		append_head(out, 0xcc, number, 1);
	else if (number <= UINT16_MAX)
		append_head(out, 0xcd, number, 2);
	else if (number <= UINT32_MAX)
		append_head(out, 0xce, number, 4);
	else
		append_head(out, 0xcf, number, 8);
}

void msgpack_append_int(struct buf *out, int64_t number)
{
	if (number >= 0)
		msgpack_append_uint(out, (uint64_t)number);
	else if (number >= -32)
		append_head(out, (uint8_t)number, 0, 0);
	else if (number >= INT8_MIN)
		append_head(out, 0xd0, (uint64_t)number, 1);
	else if (number >= INT16_MIN)
		append_head(out, 0xd1, (uint64_t)number, 2);
	else if (number >= INT32_MIN)
		append_head(out, 0xd2, (uint64_t)number, 4);
	else
		append_head(out, 0xd3, (uint64_t)number, 8);
}

void msgpack_append_double(struct buf *out, double real)
{
	uint64_t bits;
	memcpy(&bits, &real, sizeof bits);
	append_head(out, 0xcb, bits, 8);
}

void msgpack_append_string_head(struct buf *out, size_t len)
{
	if (len < 32)
		append_head(out, 0xa0 | (unsigned)len, 0, 0);
	else if (len <= UINT8_MAX)
		append_head(out, 0xd9, len, 1);
	else if (len <= UINT16_MAX)
		append_head(out, 0xda, len, 2);
	else if (len <= UINT32_MAX)
		append_head(out, 0xdb, len, 4);
	else
		out->failed = true; /* no format holds it */
}

/* Writes bytes as UTF-8, what is none replaced, and gives the length; NULL: only counts. */
static size_t mend(struct slice bytes, char *ret_text)
{
	const unsigned char *at = (const unsigned char *)bytes.ptr, *end = at + bytes.len;
	size_t len = 0;
	while (at < end) {
		size_t size = utf8_character(at, end), written = size ? size : UTF8_REPLACEMENT_LEN;
		if (ret_text)
			memcpy(ret_text + len, size ? (const char *)at : UTF8_REPLACEMENT, written);
		len += written;
		at += size ? size : 1;
	}
	return len;
}

void msgpack_append_string(struct buf *out, struct slice text)
{
	if (json_is_utf8(text)) {
		msgpack_append_string_head(out, text.len);
		buf_append_slice(out, text);
		return;
	}
	size_t len = mend(text, NULL);
	msgpack_append_string_head(out, len);
	char *place = buf_extend(out, len);
	if (place)
		mend(text, place);
}

void msgpack_append_bytes(struct buf *out, struct slice bytes)
{
	if (bytes.len <= UINT8_MAX)
		append_head(out, 0xc4, bytes.len, 1);
	else if (bytes.len <= UINT16_MAX)
		append_head(out, 0xc5, bytes.len, 2);
	else if (bytes.len <= UINT32_MAX)
		append_head(out, 0xc6, bytes.len, 4);
	else
		out->failed = true; /* no format holds it */
	buf_append_slice(out, bytes);
}

void msgpack_append_text(struct buf *out, const char *text)
{
	msgpack_append_string(out, slice_of(text));
}

static void append_list_head(struct buf *out, unsigned few, unsigned many, size_t count)
{
	if (count < 16)
		append_head(out, few | (unsigned)count, 0, 0);
	else if (count <= UINT16_MAX)
		append_head(out, many, count, 2);
	else if (count <= UINT32_MAX)
		append_head(out, many + 1, count, 4);
	else
		out->failed = true; /* no format holds it */
}

void msgpack_append_array(struct buf *out, size_t count)
{
	append_list_head(out, 0x90, 0xdc, count);
}

void msgpack_append_map(struct buf *out, size_t count)
{
	append_list_head(out, 0x80, 0xde, count);
}

static void encode_json(struct buf *out, struct slice json)
{
	if (msgpack_append_json(out, json) != OK)
		msgpack_append_string(out, json);
}

static void encode_begin(struct buf *out, const struct value *value)
{
	switch (value->kind) {
	case VALUE_NULL:
		msgpack_append_nil(out);
		break;
	case VALUE_BOOL:
		msgpack_append_bool(out, value->boolean);
		break;
	case VALUE_UINT:
		msgpack_append_uint(out, value->uint);
		break;
	case VALUE_INT:
		msgpack_append_int(out, value->sint);
		break;
	case VALUE_NUMBER:
	case VALUE_RAW:
		encode_json(out, value->text);
		break;
	case VALUE_STRING:
		msgpack_append_string(out, value->text);
		break;
	case VALUE_ARRAY:
		msgpack_append_array(out, value->list.count);
		break;
	case VALUE_MAP:
		msgpack_append_map(out, value->list.count);
		break;
	}
}

static bool is_list(const struct value *value)
{
	return value->kind == VALUE_ARRAY || value->kind == VALUE_MAP;
}

void msgpack_encode(struct buf *out, const struct value *value)
{
	const struct value *next[ENCODE_DEPTH_MAX]; /* in each list that is open: the member to come */
	bool is_map[ENCODE_DEPTH_MAX];
	size_t depth = 0;
	encode_begin(out, value);
	while (is_list(value) || depth) {
		if (is_list(value)) {
			if (depth == ENCODE_DEPTH_MAX) {
				out->failed = true;
				return;
			}
			is_map[depth] = value->kind == VALUE_MAP;
			next[depth++] = value->list.first;
		}
		while (depth && !next[depth - 1])
			depth--;
		if (!depth)
			return;
		value = next[depth - 1];
		next[depth - 1] = value->next;
		if (is_map[depth - 1])
			msgpack_append_string(out, value->key);
		encode_begin(out, value);
	}
}

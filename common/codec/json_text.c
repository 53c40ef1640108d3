#include "common/codec/json_text.h"

#include "common/codec/utf8.h"

#define ESCAPE_MAX 6 /* \u001f */

bool json_is_utf8(struct slice bytes)
{
	if (!bytes.len)
		return true;
	const unsigned char *at = (const unsigned char *)bytes.ptr, *end = at + bytes.len;
	while (at < end) {
		if (end - at >= 8 && !(load_word(at) & HIGH_BITS)) {
			at += 8;
			continue;
		}
		size_t size = utf8_character(at, end);
		if (!size)
			return false;
		at += size;
	}
	return true;
}

bool json_has_escapes(struct slice raw_inside)
{
	return raw_inside.len && memchr(raw_inside.ptr, '\\', raw_inside.len);
}

static unsigned hex_value(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static unsigned read_unit(const char *digits)
{
	return hex_value(digits[0]) << 12 | hex_value(digits[1]) << 8 | hex_value(digits[2]) << 4 |
	       hex_value(digits[3]);
}

static size_t write_character(uint32_t code, char ret_bytes[UTF8_MAX])
{
	if (code < 0x80) {
		ret_bytes[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		ret_bytes[0] = (char)(0xC0 | code >> 6);
		ret_bytes[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		ret_bytes[0] = (char)(0xE0 | code >> 12);
		ret_bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
		ret_bytes[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	ret_bytes[0] = (char)(0xF0 | code >> 18);
	ret_bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
	ret_bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
	ret_bytes[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

static bool is_unit(const char *at, const char *end)
{
	return end - at >= 6 && at[0] == '\\' && at[1] == 'u';
}

/* The character that \uXXXX at "at" names, together with a low surrogate behind it; a lone surrogate is U+FFFD. */
static uint32_t read_unicode(const char **at, const char *end)
{
	unsigned high = read_unit(*at + 2);
	*at += 6;
	if (high < 0xD800 || high > 0xDFFF)
		return high;
	if (high > 0xDBFF || !is_unit(*at, end))
		return 0xFFFD;
	unsigned low = read_unit(*at + 2);
	if (low < 0xDC00 || low > 0xDFFF)
		return 0xFFFD;
	*at += 6;
	return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

size_t json_unescape_one(const char **at, const char *end, char ret_bytes[JSON_CHARACTER_MAX])
{
	static const char names[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	const char *from = *at;
	if (is_unit(from, end))
		return write_character(read_unicode(at, end), ret_bytes);
	if (*from != '\\' || end - from < 2) {
		*at = from + 1;
		ret_bytes[0] = *from;
		return 1;
	}
	*at = from + 2;
	const char *name = memchr(names, from[1], sizeof names - 1);
	ret_bytes[0] = name ? meanings[name - names] : from[1];
	return 1;
}

size_t json_unescape(struct slice raw_inside, char *ret_text)
{
	if (!raw_inside.len)
		return 0;
	const char *at = raw_inside.ptr, *end = at + raw_inside.len;
	char *to = ret_text;
	while (at < end) {
		const char *slash = memchr(at, '\\', (size_t)(end - at));
		size_t plain = (size_t)((slash ? slash : end) - at);
		memmove(to, at, plain);
		to += plain;
		at += plain;
		if (slash) {
			char bytes[JSON_CHARACTER_MAX];
			size_t size = json_unescape_one(&at, end, bytes);
			memcpy(to, bytes, size);
			to += size;
		}
	}
	return (size_t)(to - ret_text);
}

bool json_string_is(struct slice raw_inside, struct slice text)
{
	if (raw_inside.len < text.len)
		return false;
	if (!json_has_escapes(raw_inside))
		return slice_equal(raw_inside, text);
	const char *at = raw_inside.ptr, *end = at + raw_inside.len;
	size_t done = 0;
	while (at < end) {
		char bytes[JSON_CHARACTER_MAX];
		size_t size = json_unescape_one(&at, end, bytes);
		if (text.len - done < size || memcmp(text.ptr + done, bytes, size) != 0)
			return false;
		done += size;
	}
	return done == text.len;
}

/* Writes what stands for the special character at "at" and says how many bytes it takes there. */
static size_t escape_special(const unsigned char *at, const unsigned char *end, char ret_text[ESCAPE_MAX],
                             size_t *ret_len)
{
	static const char names[0x20] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	static const char hex[] = "0123456789abcdef";
	if (*at >= 0x80) {
		size_t size = utf8_character(at, end);
		*ret_len = size ? size : UTF8_REPLACEMENT_LEN;
		memcpy(ret_text, size ? (const char *)at : UTF8_REPLACEMENT, *ret_len);
		return size ? size : 1;
	}
	char name = *at >= 0x20 ? (char)*at : names[*at];
	ret_text[0] = '\\';
	ret_text[1] = name ? name : 'u';
	*ret_len = 2;
	if (!name) {
		memcpy(ret_text + 2, "00", 2);
		ret_text[4] = hex[*at >> 4];
		ret_text[5] = hex[*at & 0xF];
		*ret_len = ESCAPE_MAX;
	}
	return 1;
}

size_t json_escape(struct slice text, char *ret_inside)
{
	if (!text.len)
		return 0;
	const unsigned char *at = (const unsigned char *)text.ptr, *end = at + text.len;
	size_t len = 0;
	while (at < end) {
		const unsigned char *special = skip_plain(at, end);
		size_t plain = (size_t)(special - at), escape_len = 0;
		char escape[ESCAPE_MAX];
		if (ret_inside)
			memcpy(ret_inside + len, at, plain);
		len += plain;
		at = special;
		if (at == end)
			break;
		at += escape_special(at, end, escape, &escape_len);
		if (ret_inside)
			memcpy(ret_inside + len, escape, escape_len);
		len += escape_len;
	}
	return len;
}

void json_append_string(struct buf *out, struct slice text)
{
	char *place = buf_extend(out, json_escape(text, NULL) + 2);
	if (!place)
		return;
	*place++ = '"';
	place += json_escape(text, place);
	*place = '"';
}

#include "common/codec/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_of_urls[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Writes the digits that hold the bytes, and gives where it ended. */
static char *write_digits(struct slice bytes, const char *digits, char *to)
{
	const unsigned char *at = (const unsigned char *)bytes.ptr;
	size_t left = bytes.len;
	for (; left >= 3; left -= 3, at += 3) {
		uint32_t group = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = digits[group >> 6 & 63];
		*to++ = digits[group & 63];
	}
	if (left) {
		uint32_t group = (uint32_t)at[0] << 16 | (left == 2 ? (uint32_t)at[1] << 8 : 0);
		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		if (left == 2)
			*to++ = digits[group >> 6 & 63];
	}
	return to;
}

void base64_encode(struct slice bytes, char *ret_text)
{
	char *to = write_digits(bytes, alphabet, ret_text);
	for (size_t padding = (3 - bytes.len % 3) % 3; padding; padding--)
		*to++ = '=';
}

void base64url_encode(struct slice bytes, char *ret_text)
{
	write_digits(bytes, alphabet_of_urls, ret_text);
}

static int digit_value(char c, const char *digits)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == digits[62] ? 62 : c == digits[63] ? 63 : -1;
}

/* Of digits alone, without padding. False: another character, or unused bits that are not zero. */
static bool read_digits(struct slice text, const char *digits, unsigned char *to)
{
	uint32_t group = 0;
	unsigned bits = 0;
	for (size_t i = 0; i < text.len; i++) {
		int value = digit_value(text.ptr[i], digits);
		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*to++ = (unsigned char)(group >> bits);
			group &= (UINT32_C(1) << bits) - 1;
		}
	}
	return group == 0;
}

bool base64_decode(struct slice text, void *ret_bytes, size_t *ret_len)
{
	size_t padding = 0;
	if (text.len % 4)
		return false;
	while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
		padding++;
	if (!read_digits((struct slice){text.ptr, text.len - padding}, alphabet, ret_bytes))
		return false;
	*ret_len = (text.len / 4 * 3) - padding;
	return true;
}

bool base64url_decode(struct slice text, void *ret_bytes, size_t *ret_len)
{
	if (text.len % 4 == 1 || !read_digits(text, alphabet_of_urls, ret_bytes))
		return false;
	*ret_len = text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0);
	return true;
}

/* UTF-8 as RFC 3629 has it, and a search for the bytes that need a look inside a JSON string, eight at a time.
 * Private to this room; pure. */
#ifndef COMMON_CODEC_UTF8_H
#define COMMON_CODEC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD"
#define UTF8_REPLACEMENT_LEN 3
#define UTF8_MAX 4

#define BYTES_OF(byte) (UINT64_C(0x0101010101010101) * (byte))
#define HIGH_BITS BYTES_OF(0x80)

static inline bool utf8_is_tail(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

/* Size of the character at "at", which lies before end; 0: these bytes are none. */
static inline size_t utf8_character(const unsigned char *at, const unsigned char *end)
{
	size_t left = (size_t)(end - at);
	unsigned char first = at[0];
	if (first < 0x80)
		return 1;
	if (first < 0xC2 || first > 0xF4 || left < 2 || !utf8_is_tail(at[1]))
		return 0;
	if (first < 0xE0)
		return 2;
	if (left < 3 || !utf8_is_tail(at[2]))
		return 0;
	if (first < 0xF0)
		return (first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F) ? 0 : 3;
	if (left < 4 || !utf8_is_tail(at[3]))
		return 0;
	return (first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F) ? 0 : 4;
}

/* Eight bytes as a number whose lowest byte is the first one. */
static inline uint64_t load_word(const unsigned char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* A high bit for each byte that is '"', '\', a control character or not ASCII. A carry can set a bit too many, but only
 * above one that is rightly set: the lowest is exact, and zero means none. */
static inline uint64_t flag_special(uint64_t word)
{
	uint64_t quotes = word ^ BYTES_OF('"'), slashes = word ^ BYTES_OF('\\');
	uint64_t flags = ((quotes - BYTES_OF(1)) & ~quotes) | ((slashes - BYTES_OF(1)) & ~slashes) |
	                 ((word - BYTES_OF(0x20)) & ~word) | word;
	return flags & HIGH_BITS;
}

static inline bool is_special(unsigned char byte)
{
	return byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x80;
}

/* The first byte from "at" on that flag_special() means, or end. */
static inline const unsigned char *skip_plain(const unsigned char *at, const unsigned char *end)
{
	while (end - at >= 8) {
		uint64_t flags = flag_special(load_word(at));
		if (flags)
			return at + __builtin_ctzll(flags) / 8;
		at += 8;
	}
	while (at < end && !is_special(*at))
		at++;
	return at;
}

#endif

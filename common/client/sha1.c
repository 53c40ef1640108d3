#include "common/client/sha1.h"

#define BLOCK_BYTES 64

static uint32_t rotate(uint32_t word, unsigned bits)
{
	return word << bits | word >> (32 - bits);
}

static void fill_schedule(uint32_t words[80], const uint8_t block[BLOCK_BYTES])
{
	for (int i = 0; i < 16; i++)
		words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
			   block[4 * i + 3];
	for (int i = 16; i < 80; i++)
		words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
}

static void add_block(uint32_t state[5], const uint8_t block[BLOCK_BYTES])
{
	uint32_t words[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
	fill_schedule(words, block);
	for (int i = 0; i < 80; i++) {
		uint32_t mixed = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999
				 : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
				 : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
					  : (b ^ c ^ d) + 0xCA62C1D6;
		uint32_t next = rotate(a, 5) + mixed + e + words[i];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
}

void tgc_sha1(struct slice bytes, uint8_t ret_digest[TGC_SHA1_BYTES])
{
	uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
	size_t whole = bytes.len / BLOCK_BYTES * BLOCK_BYTES, rest = bytes.len - whole;
	uint8_t tail[2 * BLOCK_BYTES] = {0};
	size_t tail_len = rest < BLOCK_BYTES - 8 ? BLOCK_BYTES : 2 * BLOCK_BYTES;
	for (size_t at = 0; at < whole; at += BLOCK_BYTES)
		add_block(state, (const uint8_t *)bytes.ptr + at);
	if (rest)
		memcpy(tail, bytes.ptr + whole, rest);
	tail[rest] = 0x80;
	for (size_t i = 0; i < 8; i++)
		tail[tail_len - 1 - i] = (uint8_t)((uint64_t)bytes.len * 8 >> (8 * i));
	for (size_t at = 0; at < tail_len; at += BLOCK_BYTES)
		add_block(state, tail + at);
	for (size_t i = 0; i < TGC_SHA1_BYTES; i++)
		ret_digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

#include "common/codec/fossil_delta.h"

static uint32_t load_be32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The sum of the bytes as big-endian words, the last one filled up with zeros. */
uint32_t fossil_checksum(struct slice bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.ptr;
	uint32_t sum = 0;
	size_t left = bytes.len;
	for (; left >= 4; left -= 4, at += 4)
		sum += load_be32(at);
	for (unsigned shift = 24; left; left--, shift -= 8)
		sum += (uint32_t)*at++ << shift;
	return sum;
}

static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A' + 10;
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 37;
	return digit == '_' ? 36 : digit == '~' ? 63 : -1;
}

/* Takes a number and the character behind it off the front. False: there is none of 32 bits, or the delta ends in it. */
static bool take_number(struct slice *delta, uint32_t *ret_number, char *ret_behind)
{
	uint64_t number = 0;
	size_t at = 0;
	int value;
	for (; at < delta->len && (value = digit_value(delta->ptr[at])) >= 0; at++) {
		number = number << 6 | (uint64_t)value;
		if (number > UINT32_MAX)
			return false;
	}
	if (at == 0 || at == delta->len)
		return false;
	*ret_number = (uint32_t)number;
	*ret_behind = delta->ptr[at];
	*delta = (struct slice){delta->ptr + at + 1, delta->len - at - 1};
	return true;
}

/* What a segment adds to the target. False: it is none, or reaches beyond the base or the delta. */
static bool take_segment(struct slice base, struct slice *delta, uint32_t count, char kind, struct slice *ret_bytes)
{
	uint32_t offset;
	char behind;
	if (kind == ':') {
		if (count > delta->len)
			return false;
		*ret_bytes = (struct slice){delta->ptr, count};
		*delta = (struct slice){delta->ptr + count, delta->len - count};
		return true;
	}
	if (kind != '@' || !take_number(delta, &offset, &behind) || behind != ',')
		return false;
	if (offset > base.len || count > base.len - offset)
		return false;
	*ret_bytes = (struct slice){count ? base.ptr + offset : NULL, count};
	return true;
}

/* Fills the target, of size bytes, as the segments say. */
static bool fill(struct slice base, struct slice delta, char *target, size_t size)
{
	size_t done = 0;
	uint32_t number;
	char kind;
	struct slice bytes;
	while (take_number(&delta, &number, &kind)) {
		if (kind == ';')
			return done == size && delta.len == 0 && number == fossil_checksum((struct slice){target, size});
		if (!take_segment(base, &delta, number, kind, &bytes) || bytes.len > size - done)
			return false;
		if (bytes.len)
			memcpy(target + done, bytes.ptr, bytes.len);
		done += bytes.len;
	}
	return false;
}

enum err fossil_apply(struct slice base, struct slice delta, size_t limit, struct buf *out)
{
	uint32_t size;
	char behind;
	if (!take_number(&delta, &size, &behind) || behind != '\n')
		return ERR_INVALID;
	if (size > limit)
		return ERR_LIMIT;
	bool had_failed = out->failed;
	char *target = buf_extend(out, size);
	if (!target && size) {
		out->failed = had_failed;
		return ERR_NOMEM;
	}
	if (fill(base, delta, target, size))
		return OK;
	out->len -= size;
	return ERR_INVALID;
}

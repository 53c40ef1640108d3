#include "common/codec/wsframe.h"

#include <string.h>

#define BIT_FINAL 0x80
#define BIT_MASKED 0x80
#define LEN_16 126
#define LEN_64 127

static size_t write_header(uint8_t *header, enum wsframe_op op, uint8_t mask_bit, uint64_t payload_len)
{
	size_t length_bytes = payload_len < LEN_16 ? 0 : payload_len <= UINT16_MAX ? 2 : 8;
	header[0] = (uint8_t)(BIT_FINAL | op);
	header[1] = (uint8_t)(mask_bit | (length_bytes == 0 ? payload_len : length_bytes == 2 ? LEN_16 : LEN_64));
	for (size_t i = 0; i < length_bytes; i++)
		header[2 + i] = (uint8_t)(payload_len >> 8 * (length_bytes - 1 - i));
	return 2 + length_bytes;
}

size_t wsframe_header(uint8_t ret_header[WSFRAME_HEADER_MAX], enum wsframe_op op, uint64_t payload_len)
{
	return write_header(ret_header, op, 0, payload_len);
}

size_t wsframe_header_masked(uint8_t ret_header[WSFRAME_HEADER_MAX], enum wsframe_op op, uint64_t payload_len,
                             const uint8_t mask[4])
{
	size_t size = write_header(ret_header, op, BIT_MASKED, payload_len);
	memcpy(ret_header + size, mask, 4);
	return size + 4;
}

void wsframe_mask(uint8_t *payload, size_t len, const uint8_t mask[4])
{
	uint64_t wide, word;
	size_t i = 0;
	memcpy(&wide, mask, 4);
	memcpy((uint8_t *)&wide + 4, mask, 4);
	for (; len - i >= sizeof word; i += sizeof word) {
		memcpy(&word, payload + i, sizeof word);
		word ^= wide;
		memcpy(payload + i, &word, sizeof word);
	}
	for (; i < len; i++)
		payload[i] ^= mask[i % 4];
}

size_t wsframe_close(uint8_t ret_frame[2 + WSFRAME_CONTROL_MAX], uint16_t code, struct slice reason)
{
	size_t len = reason.len < WSFRAME_REASON_MAX ? reason.len : WSFRAME_REASON_MAX;
	/* A byte 10xxxxxx behind the cut belongs to a character that the cut would split. */
	while (len && len < reason.len && ((unsigned char)reason.ptr[len] & 0xC0) == 0x80)
		len--;
	size_t size = write_header(ret_frame, WSFRAME_CLOSE, 0, 2 + len);
	ret_frame[size++] = (uint8_t)(code >> 8);
	ret_frame[size++] = (uint8_t)code;
	if (len)
		memcpy(ret_frame + size, reason.ptr, len);
	return size + len;
}

static bool is_reserved(unsigned op)
{
	return (op > WSFRAME_BINARY && op < WSFRAME_CLOSE) || op > WSFRAME_PONG;
}

static uint64_t read_big_endian(const uint8_t *bytes, size_t count)
{
	uint64_t number = 0;
	for (size_t i = 0; i < count; i++)
		number = number << 8 | bytes[i];
	return number;
}

enum err wsframe_read(struct slice bytes, struct wsframe *ret_frame)
{
	const uint8_t *header = (const uint8_t *)bytes.ptr;
	if (bytes.len < 1)
		return ERR_AGAIN;
	unsigned op = header[0] & 0x0F;
	bool final = header[0] & BIT_FINAL, control = op & 0x8;
	if (is_reserved(op) || (control && !final))
		return ERR_INVALID;
	if (bytes.len < 2)
		return ERR_AGAIN;
	uint64_t len = header[1] & 0x7F;
	if (control && len > WSFRAME_CONTROL_MAX)
		return ERR_INVALID;
	size_t length_bytes = len == LEN_16 ? 2 : len == LEN_64 ? 8 : 0, size = 2 + length_bytes;
	if (bytes.len < size)
		return ERR_AGAIN;
	if (length_bytes)
		len = read_big_endian(header + 2, length_bytes);
	if ((length_bytes == 2 && len < LEN_16) || (length_bytes == 8 && (len <= UINT16_MAX || len >> 63)))
		return ERR_INVALID;
	struct wsframe frame = {
	    .op = (enum wsframe_op)op,
	    .final = final,
	    .masked = header[1] & BIT_MASKED,
	    .rsv = header[0] >> 4 & 0x7,
	    .payload_len = len,
	};
	if (frame.masked) {
		if (bytes.len < size + 4)
			return ERR_AGAIN;
		memcpy(frame.mask, header + size, 4);
		size += 4;
	}
	frame.header_len = size;
	*ret_frame = frame;
	return OK;
}

bool wsframe_is_close_code(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

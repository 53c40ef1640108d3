#include "common/codec/msgpack_read.h"

#include <math.h>
#include <string.h>

void msgpack_reader_init(struct msgpack_reader *reader, struct slice bytes)
{
	const unsigned char *start = (const unsigned char *)(bytes.len ? bytes.ptr : "");
	reader->start = reader->at = start;
	reader->end = start + bytes.len;
	reader->is_done = false;
	reader->depth = 0;
	reader->error = NULL;
}

static bool fail(struct msgpack_reader *reader, const unsigned char *at, const char *message)
{
	reader->at = at;
	reader->error = message;
	return false;
}

static bool fail_short(struct msgpack_reader *reader)
{
	return fail(reader, reader->end, reader->end == reader->start ? "no value" : "the message ends too early");
}

/* A number in the order of the network, moved over. */
static bool take_bytes(struct msgpack_reader *reader, unsigned count, uint64_t *ret_number)
{
	uint64_t number = 0;
	if ((size_t)(reader->end - reader->at) < count)
		return fail_short(reader);
	for (unsigned i = 0; i < count; i++)
		number = number << 8 | *reader->at++;
	*ret_number = number;
	return true;
}

static bool give_uint(struct msgpack_piece *ret_piece, uint64_t number)
{
	*ret_piece = (struct msgpack_piece){.kind = MSGPACK_UINT, .uint = number};
	return true;
}

static bool give_int(struct msgpack_piece *ret_piece, int64_t number)
{
	if (number >= 0)
		return give_uint(ret_piece, (uint64_t)number);
	*ret_piece = (struct msgpack_piece){.kind = MSGPACK_INT, .sint = number};
	return true;
}

static bool read_uint(struct msgpack_reader *reader, unsigned bytes, struct msgpack_piece *ret_piece)
{
	uint64_t number;
	return take_bytes(reader, bytes, &number) && give_uint(ret_piece, number);
}

static bool read_int(struct msgpack_reader *reader, unsigned bytes, struct msgpack_piece *ret_piece)
{
	uint64_t number;
	if (!take_bytes(reader, bytes, &number))
		return false;
	uint64_t sign = UINT64_C(1) << (bytes * 8 - 1);
	if (!(number & sign))
		return give_uint(ret_piece, number);
	uint64_t below_zero = (sign - 1) - (number & (sign - 1)); /* -1 is 0 here, -2 is 1 */
	return give_int(ret_piece, -(int64_t)below_zero - 1);
}

static bool read_double(struct msgpack_reader *reader, unsigned bytes, struct msgpack_piece *ret_piece)
{
	const unsigned char *from = reader->at - 1;
	uint64_t bits;
	double real;
	if (!take_bytes(reader, bytes, &bits))
		return false;
	if (bytes == sizeof(float)) {
		uint32_t short_bits = (uint32_t)bits;
		float short_real;
		memcpy(&short_real, &short_bits, sizeof short_real);
		real = (double)short_real;
	} else {
		memcpy(&real, &bits, sizeof real);
	}
	if (!isfinite(real))
		return fail(reader, from, "a float that is no number, or infinite");
	*ret_piece = (struct msgpack_piece){.kind = MSGPACK_DOUBLE, .real = real};
	return true;
}

static bool read_string(struct msgpack_reader *reader, const unsigned char *from, uint64_t len, struct msgpack_piece *ret_piece)
{
	if (len > (size_t)(reader->end - reader->at))
		return fail_short(reader);
	struct slice text = {(const char *)reader->at, (size_t)len};
	if (!json_is_utf8(text))
		return fail(reader, from, "a str that is not UTF-8");
	reader->at += len;
	*ret_piece = (struct msgpack_piece){.kind = MSGPACK_STRING, .text = text};
	return true;
}

/* Each piece to come takes a byte at least: a count that the rest cannot hold is refused at once. */
static bool open_list(struct msgpack_reader *reader, const unsigned char *from, bool is_map, uint64_t count,
		      struct msgpack_piece *ret_piece)
{
	uint64_t left = is_map ? 2 * count : count;
	if (reader->depth == MSGPACK_DEPTH_MAX)
		return fail(reader, from, "nested too deeply");
	if (left > (size_t)(reader->end - reader->at))
		return fail_short(reader);
	reader->open[reader->depth].left = left;
	reader->open[reader->depth++].is_map = is_map;
	*ret_piece = (struct msgpack_piece){.kind = is_map ? MSGPACK_MAP : MSGPACK_ARRAY};
	return true;
}

static bool read_long(struct msgpack_reader *reader, unsigned char format, struct msgpack_piece *ret_piece)
{
	const unsigned char *from = reader->at - 1;
	uint64_t count;
	switch (format) {
	case 0xd9:
	case 0xda:
	case 0xdb:
		return take_bytes(reader, 1U << (format - 0xd9), &count) && read_string(reader, from, count, ret_piece);
	case 0xdc:
	case 0xdd:
		return take_bytes(reader, 2U << (format - 0xdc), &count) && open_list(reader, from, false, count, ret_piece);
	default:
		return take_bytes(reader, 2U << (format - 0xde), &count) && open_list(reader, from, true, count, ret_piece);
	}
}

static bool read_format(struct msgpack_reader *reader, unsigned char format, struct msgpack_piece *ret_piece)
{
	const unsigned char *from = reader->at - 1;
	switch (format) {
	case 0xc0:
		*ret_piece = (struct msgpack_piece){.kind = MSGPACK_NIL};
		return true;
	case 0xc2:
	case 0xc3:
		*ret_piece = (struct msgpack_piece){.kind = MSGPACK_BOOL, .boolean = format == 0xc3};
		return true;
	case 0xc4:
	case 0xc5:
	case 0xc6:
		return fail(reader, from, "a bin; text is a str");
	case 0xca:
	case 0xcb:
		return read_double(reader, 4U << (format - 0xca), ret_piece);
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		return read_uint(reader, 1U << (format - 0xcc), ret_piece);
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return read_int(reader, 1U << (format - 0xd0), ret_piece);
	default:
		return fail(reader, from, format == 0xc1 ? "the byte c1, which is never used" : "an ext type");
	}
}

static bool read_value(struct msgpack_reader *reader, struct msgpack_piece *ret_piece)
{
	if (reader->at == reader->end)
		return fail_short(reader);
	const unsigned char *from = reader->at++;
	unsigned char format = *from;
	if (format < 0x80)
		return give_uint(ret_piece, format);
	if (format >= 0xe0)
		return give_int(ret_piece, (int64_t)format - 0x100);
	if (format < 0x90)
		return open_list(reader, from, true, format & 0xf, ret_piece);
	if (format < 0xa0)
		return open_list(reader, from, false, format & 0xf, ret_piece);
	if (format < 0xc0)
		return read_string(reader, from, format & 0x1f, ret_piece);
	return format >= 0xd9 ? read_long(reader, format, ret_piece) : read_format(reader, format, ret_piece);
}

bool msgpack_reader_next(struct msgpack_reader *reader, struct msgpack_piece *ret_piece)
{
	bool is_key = false;
	if (reader->depth && !reader->open[reader->depth - 1].left) {
		reader->depth--;
		*ret_piece = (struct msgpack_piece){.kind = MSGPACK_END, .boolean = reader->open[reader->depth].is_map};
		return true;
	}
	if (reader->depth) {
		is_key = reader->open[reader->depth - 1].is_map && reader->open[reader->depth - 1].left % 2 == 0;
		reader->open[reader->depth - 1].left--;
	} else if (reader->is_done) {
		return reader->at == reader->end ? false : fail(reader, reader->at, "more bytes behind the value");
	}
	reader->is_done = true;
	const unsigned char *from = reader->at;
	if (!read_value(reader, ret_piece))
		return false;
	if (!is_key)
		return true;
	if (ret_piece->kind != MSGPACK_STRING)
		return fail(reader, from, "a key that is no str");
	ret_piece->kind = MSGPACK_KEY;
	return true;
}

#include "common/protocol/log.h"

#include <string.h>

#include "common/base/decimal.h"

#define EPOCH_DIGITS 16
#define CURSOR_EPOCH_DIGITS 8

const struct record_id RECORD_ID_MAX = {UINT64_MAX, UINT64_MAX};

int record_id_compare(struct record_id a, struct record_id b)
{
	if (a.ms != b.ms)
		return a.ms < b.ms ? -1 : 1;
	return (a.seq > b.seq) - (a.seq < b.seq);
}

bool record_id_is_before(struct record_id a, struct record_id b)
{
	return record_id_compare(a, b) < 0;
}

struct record_id record_id_earlier(struct record_id a, struct record_id b)
{
	return record_id_is_before(a, b) ? a : b;
}

struct record_id record_id_later(struct record_id a, struct record_id b)
{
	return record_id_is_before(a, b) ? b : a;
}

bool record_id_is_zero(struct record_id id)
{
	return id.ms == 0 && id.seq == 0;
}

struct record_id record_id_next(struct record_id id)
{
	if (id.seq < UINT64_MAX)
		return (struct record_id){id.ms, id.seq + 1};
	return id.ms < UINT64_MAX ? (struct record_id){id.ms + 1, 0} : id;
}

struct record_id record_id_previous(struct record_id id)
{
	if (id.seq > 0)
		return (struct record_id){id.ms, id.seq - 1};
	return id.ms > 0 ? (struct record_id){id.ms - 1, UINT64_MAX} : id;
}

size_t record_id_write(char out[RECORD_ID_TEXT], struct record_id id)
{
	size_t len = decimal_write(out, id.ms);
	out[len++] = '-';
	len += decimal_write(out + len, id.seq);
	out[len] = '\0';
	return len;
}

static enum err parse_number(struct slice text, uint64_t *ret_number)
{
	bool has_zeros = text.len > 1 && text.ptr[0] == '0';
	return !has_zeros && decimal_read(text, UINT64_MAX, ret_number) ? OK : ERR_INVALID;
}

enum err record_id_parse(struct slice text, struct record_id *ret_id)
{
	struct record_id id;
	const char *dash = text.len ? memchr(text.ptr, '-', text.len) : NULL;
	if (!dash)
		return ERR_INVALID;
	size_t ms_len = (size_t)(dash - text.ptr);
	if (parse_number((struct slice){text.ptr, ms_len}, &id.ms) ||
	    parse_number((struct slice){dash + 1, text.len - ms_len - 1}, &id.seq))
		return ERR_INVALID;
	*ret_id = id;
	return OK;
}

uint32_t cursor_epoch(uint64_t log_epoch)
{
	return (uint32_t)(log_epoch >> 32);
}

size_t cursor_write(char out[CURSOR_TEXT], struct record_id id, uint64_t log_epoch)
{
	size_t len = record_id_write(out, id);
	uint32_t epoch = cursor_epoch(log_epoch);
	out[len++] = '.';
	for (int shift = 4 * (CURSOR_EPOCH_DIGITS - 1); shift >= 0; shift -= 4)
		out[len++] = "0123456789abcdef"[epoch >> shift & 15];
	out[len] = '\0';
	return len;
}

static enum err parse_hex(struct slice text, size_t digits, uint64_t *ret_number)
{
	uint64_t number = 0;
	if (text.len != digits)
		return ERR_INVALID;
	for (size_t i = 0; i < text.len; i++) {
		char digit = text.ptr[i];
		if (digit >= '0' && digit <= '9')
			number = number << 4 | (uint64_t)(digit - '0');
		else if (digit >= 'a' && digit <= 'f')
			number = number << 4 | (uint64_t)(digit - 'a' + 10);
		else
			return ERR_INVALID;
	}
	*ret_number = number;
	return OK;
}

enum err epoch_parse(struct slice text, uint64_t *ret_epoch)
{
	uint64_t epoch;
	if (parse_hex(text, EPOCH_DIGITS, &epoch) || epoch == 0)
		return ERR_INVALID;
	*ret_epoch = epoch;
	return OK;
}

enum err cursor_parse(struct slice text, struct cursor *ret_cursor)
{
	struct cursor cursor = {.has_epoch = false};
	struct slice id = text;
	const char *dot = text.len ? memchr(text.ptr, '.', text.len) : NULL;
	if (dot) {
		uint64_t epoch;
		id.len = (size_t)(dot - text.ptr);
		if (parse_hex((struct slice){dot + 1, text.len - id.len - 1}, CURSOR_EPOCH_DIGITS, &epoch))
			return ERR_INVALID;
		cursor.has_epoch = true;
		cursor.epoch = (uint32_t)epoch;
	}
	if (record_id_parse(id, &cursor.id))
		return ERR_INVALID;
	*ret_cursor = cursor;
	return OK;
}

#include "common/data/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BYTES 256

void buf_init(struct buf *buf)
{
	*buf = (struct buf){0};
}

void buf_fini(struct buf *buf)
{
	free(buf->bytes);
	buf_init(buf);
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
}

void buf_shrink(struct buf *buf, size_t keep_bytes)
{
	buf_clear(buf);
	if (buf->capacity > keep_bytes)
		buf_fini(buf);
}

char *buf_extend(struct buf *buf, size_t bytes)
{
	if (!buf->bytes || bytes > buf->capacity - buf->len) {
		size_t capacity = buf->capacity ? buf->capacity : FIRST_BYTES;
		while (capacity - buf->len < bytes) {
			if (capacity > SIZE_MAX / 2)
				goto fail;
			capacity *= 2;
		}
		char *grown = realloc(buf->bytes, capacity);
		if (!grown)
			goto fail;
		buf->bytes = grown;
		buf->capacity = capacity;
	}
	char *place = buf->bytes + buf->len;
	buf->len += bytes;
	return place;
fail:
	buf->failed = true;
	return NULL;
}

void buf_append(struct buf *buf, const void *bytes, size_t len)
{
	if (len == 0)
		return;
	char *place = buf_extend(buf, len);
	if (place)
		memcpy(place, bytes, len);
}

void buf_append_slice(struct buf *buf, struct slice bytes)
{
	buf_append(buf, bytes.ptr, bytes.len);
}

void buf_append_text(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_append_char(struct buf *buf, char c)
{
	buf_append(buf, &c, 1);
}

void buf_append_u64(struct buf *buf, uint64_t number)
{
	char digits[20];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	buf_append(buf, digits + at, sizeof digits - at);
}

void buf_append_i64(struct buf *buf, int64_t number)
{
	if (number < 0)
		buf_append_char(buf, '-');
	buf_append_u64(buf, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int len = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	char *place = len < 0 ? NULL : buf_extend(buf, (size_t)len + 1);
	if (place) {
		vsnprintf(place, (size_t)len + 1, format, again);
		buf->len--;
	} else {
		buf->failed = true;
	}
	va_end(again);
}

void buf_drop_front(struct buf *buf, size_t bytes)
{
	if (bytes > buf->len)
		bytes = buf->len;
	if (bytes)
		memmove(buf->bytes, buf->bytes + bytes, buf->len - bytes);
	buf->len -= bytes;
}

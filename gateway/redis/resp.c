#include "gateway/redis/resp.h"

#define NUMBER_BYTES 24

static void put_head(struct buf *out, char kind, uint64_t number)
{
	buf_append_char(out, kind);
	buf_append_u64(out, number);
	buf_append(out, "\r\n", 2);
}

void resp_begin(struct buf *out, size_t words)
{
	put_head(out, '*', words);
}

void resp_word(struct buf *out, struct slice word)
{
	put_head(out, '$', word.len);
	buf_append_slice(out, word);
	buf_append(out, "\r\n", 2);
}

void resp_text(struct buf *out, const char *word)
{
	resp_word(out, slice_of(word));
}

void resp_u64(struct buf *out, uint64_t number)
{
	char digits[NUMBER_BYTES];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	resp_word(out, (struct slice){digits + at, sizeof digits - at});
}

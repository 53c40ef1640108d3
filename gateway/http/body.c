#include "gateway/http/body.h"

#include <string.h>

#include "common/base/decimal.h"

#define LENGTH_DIGITS_MAX 18 /* below 2^63 */
#define CHUNK_DIGITS_MAX 15
#define LINE_END_BYTES 2 /* CR LF */

static const char why_line[] = "a line inside the body does not end with CR LF";

static bool refuse(struct refusal *ret_refusal, unsigned status, const char *code, const char *message)
{
	*ret_refusal = (struct refusal){.status = status, .code = code, .message = message, .metric = METRIC_REFUSED_BAD_REQUEST};
	return false;
}

static bool read_length(struct slice text, uint64_t *ret_length)
{
	return text.len <= LENGTH_DIGITS_MAX && decimal_read(text, UINT64_MAX, ret_length);
}

bool body_open(struct body *body, const struct head *head, struct refusal *ret_refusal)
{
	struct slice length, coding;
	size_t lengths, codings;
	bool has_length = head_get(head, "Content-Length", &length, &lengths);
	bool has_coding = head_get(head, "Transfer-Encoding", &coding, &codings);
	*body = (struct body){.state = BODY_PLAIN};
	if (lengths > 1 || codings > 1 || (lengths && codings))
		return refuse(ret_refusal, 400, "bad_request", "the length of the body is given more than once");
	if (has_length && !read_length(length, &body->left))
		return refuse(ret_refusal, 400, "bad_request", "Content-Length is not a number of bytes");
	if (!has_coding)
		return true;
	if (head->minor < 1)
		return refuse(ret_refusal, 400, "bad_request", "HTTP/1.0 has no Transfer-Encoding");
	if (!head_is_same_word(coding, SLICE_LITERAL("chunked")))
		return refuse(ret_refusal, 501, "unsupported_coding", "the only Transfer-Encoding here is chunked");
	body->is_chunked = true;
	body->state = BODY_CHUNK_SIZE;
	return true;
}

bool body_length(const struct body *body, uint64_t *ret_bytes)
{
	if (body->is_chunked)
		return false;
	*ret_bytes = body->left;
	return true;
}

bool body_is_over(const struct body *body)
{
	return body->state == BODY_OVER || (body->state == BODY_PLAIN && body->left == 0);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes a line of at most that many bytes, its end included. BODY_DATA: there is one. */
static enum body_step take_line(struct slice *input, size_t bytes_max, struct slice *ret_line, const char **ret_why)
{
	size_t look = input->len < bytes_max ? input->len : bytes_max;
	for (size_t at = 0; at < look; at++) {
		char c = input->ptr[at];
		if (c == '\r' && at + 1 == input->len)
			return BODY_MORE;
		if (c == '\r' && at + 1 < look && input->ptr[at + 1] == '\n') {
			*ret_line = (struct slice){input->ptr, at};
			input->ptr += at + LINE_END_BYTES;
			input->len -= at + LINE_END_BYTES;
			return BODY_DATA;
		}
		if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f) {
			*ret_why = why_line;
			return BODY_BAD;
		}
	}
	*ret_why = "a line inside the body is too long";
	return look < bytes_max ? BODY_MORE : BODY_BAD;
}

/* <hex digits>[;extension...]: RFC 9112 section 7.1. White space before the ";" is not taken. */
static enum body_step read_size(struct body *body, struct slice *input, const char **ret_why)
{
	struct slice line;
	uint64_t size = 0;
	size_t digits = 0;
	enum body_step step = take_line(input, BODY_CHUNK_LINE_MAX, &line, ret_why);
	if (step != BODY_DATA)
		return step;
	while (digits < line.len && digit_of(line.ptr[digits]) >= 0) {
		size = size << 4 | (unsigned)digit_of(line.ptr[digits]);
		if (++digits > CHUNK_DIGITS_MAX)
			break;
	}
	if (digits == 0 || digits > CHUNK_DIGITS_MAX || (digits < line.len && line.ptr[digits] != ';')) {
		*ret_why = "the size of a chunk is not a hexadecimal number";
		return BODY_BAD;
	}
	body->left = size;
	body->state = size ? BODY_CHUNK : BODY_TRAILERS;
	return BODY_DATA;
}

static enum body_step read_chunk_end(struct body *body, struct slice *input, const char **ret_why)
{
	for (size_t i = 0; i < LINE_END_BYTES && i < input->len; i++) {
		if (input->ptr[i] != "\r\n"[i]) {
			*ret_why = "a chunk is longer than its size says";
			return BODY_BAD;
		}
	}
	if (input->len < LINE_END_BYTES)
		return BODY_MORE;
	input->ptr += LINE_END_BYTES;
	input->len -= LINE_END_BYTES;
	body->state = BODY_CHUNK_SIZE;
	return BODY_DATA;
}

static enum body_step read_trailer(struct body *body, struct slice *input, const char **ret_why)
{
	struct slice line;
	enum body_step step = take_line(input, BODY_TRAILERS_MAX - body->trailer_bytes, &line, ret_why);
	if (step != BODY_DATA)
		return step;
	if (line.len == 0) {
		body->state = BODY_OVER;
		return BODY_DATA;
	}
	body->trailer_bytes += line.len + LINE_END_BYTES;
	const char *colon = memchr(line.ptr, ':', line.len);
	if (colon && colon != line.ptr && line.ptr[0] != ' ' && line.ptr[0] != '\t' && body->trailer_bytes < BODY_TRAILERS_MAX)
		return BODY_DATA;
	*ret_why = "what follows the last chunk is no list of fields, or too long";
	return BODY_BAD;
}

/* Reads over what is around the data. BODY_DATA: one step further. */
static enum body_step read_frame(struct body *body, struct slice *input, const char **ret_why)
{
	switch (body->state) {
	case BODY_CHUNK_SIZE:
		return read_size(body, input, ret_why);
	case BODY_CHUNK_END:
		return read_chunk_end(body, input, ret_why);
	case BODY_TRAILERS:
		return read_trailer(body, input, ret_why);
	default:
		return BODY_END;
	}
}

enum body_step body_next(struct body *body, struct slice *input, struct slice *ret_piece, const char **ret_why)
{
	while (body->state != BODY_PLAIN && body->state != BODY_CHUNK) {
		enum body_step step = read_frame(body, input, ret_why);
		if (step != BODY_DATA)
			return step;
	}
	if (body->left == 0)
		return BODY_END;
	if (input->len == 0)
		return BODY_MORE;
	*ret_piece = (struct slice){input->ptr, body->left < input->len ? (size_t)body->left : input->len};
	return BODY_DATA;
}

void body_take(struct body *body, struct slice *input, size_t bytes)
{
	input->ptr += bytes;
	input->len -= bytes;
	body->left -= bytes;
	if (body->left == 0 && body->state == BODY_CHUNK)
		body->state = BODY_CHUNK_END;
}

/* The body of a request as it comes from the socket: how long it is (RFC 9112 section 6), and its bytes without the chunks
 * around them. Strict, since a proxy in front that takes a length differently can be made to smuggle requests: both lengths at
 * once, a length that is not plain digits, a chunk that does not end where it says are refused. Pure: the caller keeps the
 * bytes that came and takes them off as they are used. */
#ifndef GATEWAY_HTTP_BODY_H
#define GATEWAY_HTTP_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "gateway/http/head.h"
#include "gateway/http/refusal.h"

#define BODY_CHUNK_LINE_MAX 256 /* bytes of a chunk's size, its extensions and the line's end */
#define BODY_TRAILERS_MAX 4096  /* bytes of all trailer fields; they are read over */

enum body_state { BODY_PLAIN, BODY_CHUNK_SIZE, BODY_CHUNK, BODY_CHUNK_END, BODY_TRAILERS, BODY_OVER };

struct body {
	enum body_state state;
	uint64_t left;        /* bytes of the body, or of the chunk */
	size_t trailer_bytes; /* that were read over */
	bool is_chunked;
};

enum body_step {
	BODY_DATA, /* ret_piece is what comes next: the front of the input; body_take() moves on */
	BODY_MORE, /* nothing can be said before more bytes are there */
	BODY_END,
	BODY_BAD,  /* the request ends here, and with it the connection; ret_why says what is wrong */
};

/* False: refused (400, or 501 for a coding other than chunked). A request without a length has no body. */
bool body_open(struct body *body, const struct head *head, struct refusal *ret_refusal);
/* The body's length where the head tells it; false: chunked. */
bool body_length(const struct body *body, uint64_t *ret_bytes);

/* Takes what is around the data off the front of the input. The input must be able to grow to BODY_TRAILERS_MAX. */
enum body_step body_next(struct body *body, struct slice *input, struct slice *ret_piece, const char **ret_why);
void body_take(struct body *body, struct slice *input, size_t bytes); /* at most the piece that was given last */
bool body_is_over(const struct body *body);

#endif

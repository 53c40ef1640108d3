/* Reads HTTP answers off a raw connection, strictly: a length or chunks or the end of the connection says where the body ends.
 * What it cannot do fails the test, except where a result says otherwise. Used by one thread. */
#ifndef TESTS_SUPPORT_HTTP_H
#define TESTS_SUPPORT_HTTP_H

#include <stdbool.h>

#include "tests/support/raw.h"

struct http_answer {
	int status;       /* 0: the connection ended before the head did */
	char head[4096];  /* NUL-terminated, with its empty line */
	struct buf body;  /* NUL-terminated behind its len */
	bool is_whole;    /* false: the connection ended inside the body */
	bool is_chunked, has_length;
};

void http_answer_free(struct http_answer *answer); /* frees the body; the answer may be used again */

/* The next answer. */
void http_read(struct raw *raw, struct http_answer *ret_answer);
void http_read_head_only(struct raw *raw, struct http_answer *ret_answer); /* of an answer to HEAD, or with status 100 or 204 */
/* Reads only on until that many bytes of the body are there, or all of it; the rest is lost. */
void http_read_some(struct raw *raw, size_t bytes, struct http_answer *ret_answer);
/* Sends a request line and fields, each line with its CR LF but for the empty one, a body with Content-Length if not NULL, and reads the
 * answer. */
void http_ask(struct raw *raw, const char *head, const char *body, struct http_answer *ret_answer);
/* On a connection of its own: connects, asks, closes. */
void http_ask_once(uint16_t port, const char *head, const char *body, struct http_answer *ret_answer);

void http_expect(const struct http_answer *answer, int status, const char *part); /* whole, with that in its body */
bool http_has_field(const struct http_answer *answer, const char *line);          /* "Allow: GET", as it is written */

#endif

/* The head of an answer, and answers that are an error. Pure. */
#ifndef GATEWAY_HTTP_RESPONSE_H
#define GATEWAY_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "common/data/buf.h"
#include "gateway/http/refusal.h"

struct responder;

#define RESPONSE_STREAMED SIZE_MAX
#define RESPONSE_JSON "application/json"
#define RESPONSE_NDJSON "application/x-ndjson"
#define RESPONSE_EVENTS "text/event-stream"

struct response {
	unsigned status;
	const char *content_type; /* NULL: there is no body */
	size_t length;            /* of the body; RESPONSE_STREAMED: nobody knows yet */
	const char *allow;        /* the methods that the path knows: with 405 and for OPTIONS; NULL: not said */
	unsigned retry_after_s;   /* 0: not said */
	const char *challenge;    /* WWW-Authenticate; NULL: none */
	const char *error;        /* static; the code of the error that the body says, for logs; NULL: it says none */
	bool varies_by_coding;    /* the body is compressed for clients that ask for it */
	bool is_gzip;             /* it is */
	bool is_live;             /* a proxy must not hold back what has come to fill a buffer of its own */
	bool is_preflight;        /* tells a browser what it may send */
};

/* How an answer goes on its connection. */
struct response_form {
	int minor;           /* of the request: 1.0 or 1.1 */
	bool closes;         /* the connection ends behind it */
	struct slice origin; /* the browser's, allowed; empty: none */
};

void response_write_head(struct buf *out, const struct response *response, const struct response_form *form);
/* Whether the body of such an answer goes in chunks; else its end is that of its length or of the connection. */
bool response_is_chunked(const struct response *response, const struct response_form *form);

/* {"error":{"code":...,"message":...}} with a newline behind. */
void response_write_error(struct buf *out, const char *code, const char *message);
/* Writes the same of a refusal into body, which is empty, and gives the answer that it is the body of. */
struct response response_of_refusal(const struct refusal *refusal, struct buf *body);
/* Answers by an error and finishes. */
void responder_refuse(struct responder *responder, const struct refusal *refusal);

const char *status_phrase(unsigned status);

#endif

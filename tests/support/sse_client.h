/* An EventSource of the test's own over a raw connection: asks for a stream, takes the chunks apart and gives what an EventSource
 * would dispatch. It does nothing by itself and does not reconnect. What it cannot do fails the test, except where a result
 * says otherwise. Used by one thread. */
#ifndef TESTS_SUPPORT_SSE_CLIENT_H
#define TESTS_SUPPORT_SSE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/support/raw.h"
#include "tests/support/sse_reader.h"

struct sse_client {
	struct raw raw;
	struct sse_reader reader;
	char head[4096]; /* of the answer, NUL-terminated */
	bool is_chunked;
	size_t chunk_left;
	bool has_chunk, has_ended;
	bool is_whole;   /* has_ended: with the last chunk, or, where there are none, without a reset */
	char last_id[64];
};

enum sse_read { SSE_MESSAGE, SSE_END, SSE_LATE };

/* Connects and asks; the answer must be a stream. fields: header lines, each with CR LF. */
void sse_client_open(struct sse_client *client, uint16_t port, const char *target, const char *fields);
/* The same with a small SO_RCVBUF: it soon counts as slow when it is not read. */
void sse_client_open_small(struct sse_client *client, uint16_t port, const char *target, const char *fields);
/* The same with what last_id says as its Last-Event-ID, on a new connection: as a browser reconnects. */
void sse_client_reopen(struct sse_client *client, uint16_t port, const char *target);
/* Reads the head of the answer to what was sent over client->raw, which is connected, and begins. */
void sse_client_begin(struct sse_client *client);
void sse_client_close(struct sse_client *client);

enum sse_read sse_client_next(struct sse_client *client, struct sse_message *ret_message, struct deadline deadline);
/* The next message must be of that type, in time, and hold that. */
void sse_client_expect(struct sse_client *client, const char *type, const char *part);
/* Waits for so many comments in all; a message must not come. */
void sse_client_wait_comments(struct sse_client *client, size_t comments);
/* The stream must end, whole and between two messages; there is none before that. */
void sse_client_expect_end(struct sse_client *client);

#endif

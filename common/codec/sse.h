/* Server-Sent Events (WHATWG HTML, "Server-sent events"): messages of an event stream, each ended by an empty line. An event of
 * the log is a message of the default name whose data is the event's JSON element and whose id is the cursor behind it; all
 * else that a client is told is named by its "op". Line ends inside the data, which JSON may have between its tokens, begin a new
 * data line, so nothing that is published can end a message or begin a field. Pure; any thread. */
#ifndef COMMON_CODEC_SSE_H
#define COMMON_CODEC_SSE_H

#include "common/codec/codec.h"

#define SSE_COMMENT ":\n\n" /* says nothing, moves nothing: the connection is alive */

/* cursor: what resumes behind the event. Empty: nothing does, and the client keeps the one it has. */
void sse_event(struct buf *out, const struct record *record, struct slice cursor);
/* A message without data: nothing is dispatched, but the client resumes from there ("dispatch the event", step 1). */
void sse_cursor(struct buf *out, struct slice cursor);

/* Batches are their events, one behind the other, each with its bare id; messages from peers are JSON. */
extern const struct codec codec_sse;

#endif

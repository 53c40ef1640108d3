/* A stage in front of a responder that compresses a long answer on its way (Content-Encoding: gzip), piece by piece: what was written
 * can be read at once. For calls whose answer is made in pieces; short ones go by responder_send(), which compresses by itself. */
#ifndef GATEWAY_HTTP_GZIP_STAGE_H
#define GATEWAY_HTTP_GZIP_STAGE_H

#include "common/data/buf.h"
#include "gateway/http/response.h"

#define GZIP_LEVEL 1 /* events are alike: more takes five times as long for a fifth less */

/* What the call writes to in place of the responder, which lives longer; the responder itself where nothing is to be compressed, or
 * without memory. Errors go through it as they are. */
struct responder *gzip_stage_open(struct responder *responder);
void gzip_stage_close(struct responder *responder); /* of what gzip_stage_open() gave; writes nothing */

/* Says in the head how a whole body goes, and compresses it where that is asked for and pays: gives the bytes to send, which are the
 * body's own or in packed. */
struct slice gzip_whole(const struct responder *responder, struct response *response, struct slice body, struct buf *packed);

#endif

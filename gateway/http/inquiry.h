/* An inquiry is a call that asks one question about the past and answers with one JSON body, in one piece. Private to this room. */
#ifndef GATEWAY_HTTP_INQUIRY_H
#define GATEWAY_HTTP_INQUIRY_H

#include <stdbool.h>

#include "common/data/buf.h"
#include "gateway/http/api.h"
#include "gateway/history/question.h"

/* Writes what a good answer says to a client of these grants. False: it lacks what it should have. */
typedef bool inquiry_write(struct buf *out, const struct answer *answer, const struct grants *grants);

/* False: refused with 406. */
bool inquiry_is_acceptable(const struct api_request *request);
/* Owns the question; NULL is memory that ran out. NULL: refused. */
struct call *inquiry_open(const struct api_request *request, struct question *question, inquiry_write *write);
struct call *inquiry_refuse(const struct api_request *request, enum err error); /* as what came of a question; gives NULL */

#endif

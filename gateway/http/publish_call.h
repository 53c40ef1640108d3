/* One event on its way into the log for an HTTP client: from the text of its request to the text of its answer. Embedded in the
 * call that it belongs to; same thread. Private to this room. */
#ifndef GATEWAY_HTTP_PUBLISH_CALL_H
#define GATEWAY_HTTP_PUBLISH_CALL_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/list.h"
#include "common/base/slice.h"
#include "common/data/buf.h"
#include "common/protocol/log.h"
#include "gateway/http/refusal.h"
#include "gateway/session/past.h"

struct api_request;
struct call;
struct grants;
struct publish;

/* It is done: with its id (is_ok), or with a refusal. Never called inside a call of this header. */
typedef void publish_done(struct publish *publish);

struct publish {
	struct asker asker;
	publish_done *on_done;
	unsigned retry_after_s;
	bool is_done, is_ok;
	struct record_id id;
	struct refusal refusal;
	char message[192]; /* of the refusal, where it is not static */
};

void publish_init(struct publish *publish, unsigned retry_after_s, publish_done *on_done);
void publish_fini(struct publish *publish); /* cancels */

/* grants: of who publishes. request: {"channel":<string>,"data":<any JSON>}, further members are ignored. It may be done at once, refused, and on_done is then
 * not called. */
void publish_start(struct publish *publish, struct exchange *exchange, const struct grants *grants, struct slice request);
void publish_fail(struct publish *publish, enum err error);
void publish_refuse(struct publish *publish, unsigned status, const char *code, const char *message);
bool publish_is_done(const struct publish *publish);
void publish_append(const struct publish *publish, struct buf *out); /* what came of it, as a line of JSON */

struct call *lines_open(const struct api_request *request); /* POST /v1/publish of application/x-ndjson */

#endif

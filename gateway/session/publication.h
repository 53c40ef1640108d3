/* What a client wants to publish, checked and made into a question: the same rules for the op "publish" and for POST /v1/publish. An
 * event that no node would hear is refused. Pure; the exchange's thread. */
#ifndef GATEWAY_SESSION_PUBLICATION_H
#define GATEWAY_SESSION_PUBLICATION_H

#include "common/base/err.h"
#include "common/base/slice.h"

struct exchange;
struct grants;
struct question;

#define PUBLICATION_CHANNEL_MAX 1024 /* bytes */

struct publication_error {
	const char *code;  /* static: "bad_request" "channel_not_served" "not_allowed" "internal" */
	char message[192]; /* names the field */
};

/* channel as it is to be in Redis, payload byte for byte. The session that the event belongs to is taken from them as the feed
 * takes it (intake.h). grants: of who publishes; the event must be one that they cover. ERR_INVALID, ERR_DENIED, ERR_NOMEM: ret_error is set. */
enum err publication_question(const struct exchange *exchange, const struct grants *grants, struct slice channel, struct slice payload,
			      struct question **ret_question, struct publication_error *ret_error) MUST_USE;

#endif

/* What a request for a state asks for: its fields as a question about the past. The same rules for the op "state" and for GET
 * /v1/state. Pure; the exchange's thread. */
#ifndef GATEWAY_SESSION_STATE_QUERY_H
#define GATEWAY_SESSION_STATE_QUERY_H

#include "common/base/err.h"
#include "common/protocol/value.h"
#include "gateway/history/question.h"
#include "gateway/session/history_query.h"

struct exchange;
struct grants;

/* body: the request's fields (session, at, diffFrom); grants: of who asks: what they do not let see is no part of the state. ERR_INVALID, ERR_UNSUPPORTED, ERR_NOMEM: ret_error is set. */
enum err state_query_of(const struct exchange *exchange, const struct grants *grants, const struct value *body,
			struct question **ret_question, struct history_error *ret_error) MUST_USE;

#endif

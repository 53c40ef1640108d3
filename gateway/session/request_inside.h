/* What the files of the ops share: the request on its way, and how it is answered. Each op's function answers its request or
 * refuses it, at once or later; one without an id is not answered. Nobody outside this room includes it. */
#ifndef GATEWAY_SESSION_REQUEST_INSIDE_H
#define GATEWAY_SESSION_REQUEST_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/protocol/value.h"
#include "gateway/filter/filter.h"

struct exchange;
struct grants;
struct session;

/* Lives during the call. */
struct request {
	struct session *session;
	struct arena *arena;
	struct slice message; /* as the client sent it */
	const struct value *body, *id;
};

void request_subscribe(const struct request *request);
void request_unsubscribe(const struct request *request);
void request_resync(const struct request *request);
void request_history(const struct request *request);
void request_publish(const struct request *request);
void request_state(const struct request *request);
void request_replay(const struct request *request);
void request_control(const struct request *request);
void request_auth(const struct request *request);
void publishes_forget(struct exchange *exchange); /* those that wait for their answer in vain: the exchange ends */

void request_succeed(const struct request *request, struct value *ok);
void request_reply(struct session *session, const struct value *id, struct value *ok); /* without an id: does nothing */
void request_fail(const struct request *request, const char *code, const char *message); /* for good; time does not heal it */
void request_fail_for_now(const struct request *request, const char *code, const char *message, uint64_t retry_after_ms);
void request_mistyped(const struct request *request, const char *field, const char *wanted); /* "a string" */

/* Reading fields. False: the request is refused. */
bool request_optional_string(const struct request *request, const char *field, const struct value **ret_value); /* NULL: not there */
bool request_required_string(const struct request *request, const char *field, struct slice *ret_text);
bool request_speed(const struct request *request, double *ret_speed); /* "speed"; without it ret_speed stays */
bool request_without_delta(const struct request *request); /* the op knows none */
bool request_filter(const struct request *request, struct filter **ret_filter); /* channels and filter, narrowed; gives a reference */
/* What of the wish the client may see takes its place. False: refused, and the reference is given up. */
bool request_narrow(const struct request *request, struct filter **filter);
const struct grants *request_grants(const struct request *request); /* of its client; NULL: before op auth */

#endif

/* Finds the credential of a request in its head: where one may stand, in this order, is said here and nowhere else.
 *   Authorization: Bearer <token or key>    X-API-Key: <key>    ?access_token=<token or key>  ?api_key=<key>
 *   Sec-WebSocket-Protocol: bearer.<token>, beside the real one
 * The first that is there is taken (Authorization of another scheme is none); nobody looks at those behind it. What is there twice in one of these forms is refused, since nobody
 * could say which was meant. Pure; what is wrong is said without the credential. */
#ifndef GATEWAY_HTTP_CREDENTIAL_H
#define GATEWAY_HTTP_CREDENTIAL_H

#include <stdbool.h>

#include "common/base/slice.h"
#include "gateway/http/head.h"
#include "gateway/http/query.h"

enum credential_status {
	CREDENTIAL_NONE,
	CREDENTIAL_FOUND,
	CREDENTIAL_MALFORMED, /* ret_why: a static sentence */
};

/* Whether an entry of Sec-WebSocket-Protocol is a credential, and no protocol. */
bool credential_is_offer(struct slice entry);
/* query: decoded, of this head. ret_credential points into one of the two. */
enum credential_status credential_find(const struct head *head, const struct query *query, struct slice *ret_credential,
				       const char **ret_why);

#endif

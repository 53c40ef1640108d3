/* Who may come in: the judgement that a WebSocket handshake and every request of the HTTP API pass alike. The origin, whether
 * this node still takes anybody, and the credential: who the client is, what it may, whether it asks too often and whether it has
 * connections enough already. Pure but for the keys, which auth.h guards, and the counts. */
#ifndef GATEWAY_HTTP_ENTRY_H
#define GATEWAY_HTTP_ENTRY_H

#include <stdbool.h>

#include "gateway/http/cors.h"
#include "gateway/http/head.h"
#include "gateway/http/refusal.h"

struct admission;
struct auth;
struct connections;
struct exchange;
struct grants;

#define ENTRY_NO_CREDENTIAL "Bearer realm=\"tracegate\""
#define ENTRY_MALFORMED "Bearer realm=\"tracegate\", error=\"invalid_request\""
#define ENTRY_BAD_CREDENTIAL "Bearer realm=\"tracegate\", error=\"invalid_token\""
#define ENTRY_NOT_GRANTED "Bearer realm=\"tracegate\", error=\"insufficient_scope\""

struct entry_policy {
	const struct cors *cors;
	bool is_draining;
	unsigned retry_after_s;
	struct auth *auth;
	bool may_tell_later; /* who it is, by a message: without a credential it comes in with no grants */
	bool is_over_memory;             /* nobody new comes in */
	struct connections *connections; /* counts those of an identity; NULL: nobody does */
	struct admission *admission;     /* of this connection; counted in the name of whom it says it is */
	struct exchange *exchange;       /* of a request that counts among those of its client in a second; NULL: it does not */
};

struct entry {
	struct grants *grants; /* a reference; NULL: see may_tell_later */
};

/* False: refused; there are no grants then. A browser's question ahead of its request (OPTIONS) brings no credential, and gets no
 * grants. */
bool entry_judge(const struct head *head, const struct entry_policy *policy, struct entry *ret_entry, struct refusal *ret_refusal);

#endif

/* Decides what to do with a client's request head, before the library sees it and before anything is allocated for it:
 * a valid WebSocket handshake goes on, everything else is answered at once with the status and the JSON body that
 * docs/protocol.md promises. Pure. */
#ifndef GATEWAY_HTTP_UPGRADE_H
#define GATEWAY_HTTP_UPGRADE_H

#include <stdbool.h>

#include "gateway/http/cors.h"
#include "gateway/http/head.h"
#include "gateway/http/refusal.h"
#include "gateway/session/front.h"

struct admission;
struct auth;
struct connections;
struct grants;

struct upgrade_policy {
	struct cors cors;
	bool draining;
	unsigned retry_after_s;
	struct auth *auth; /* NULL: no credential is good, and one is needed */
	bool is_over_memory;
	struct connections *connections; /* as in entry.h */
	struct admission *admission;
};

enum upgrade_verdict { UPGRADE_GO, UPGRADE_REFUSE };

/* ret_grants: what the client may, a reference; NULL: it has yet to say who it is. */
enum upgrade_verdict upgrade_decide(const struct head *head, const struct upgrade_policy *policy, const struct front **ret_front,
				    struct grants **ret_grants, struct refusal *ret_refusal);

#endif

/* Reads what a credential grants: the members "channels", "sessions", "agents", "ops" and "limits" of the claim "tracegate" or
 * of an entry of the API key file. What is absent means all; what is there is read whole or refused, since half of a restriction would
 * be a right that nobody gave. Pure. */
#ifndef GATEWAY_AUTH_RIGHTS_H
#define GATEWAY_AUTH_RIGHTS_H

#include "common/base/arena.h"
#include "common/protocol/value.h"
#include "gateway/auth/grants.h"
#include "gateway/filter/filter.h"

#define RIGHTS_IDENTITY_MAX 256 /* bytes */
#define RIGHTS_LIMIT_MAX UINT64_C(1000000000)

bool rights_is_member(struct slice name); /* one of those above */
/* Whether somebody may have this name: 1 to RIGHTS_IDENTITY_MAX bytes without control characters, so that it can be said in an order to
 * disconnect and in a line of a log as it is. */
bool rights_is_identity(struct slice name);
/* Fills grants, which are new. scratch is used on the way. ERR_INVALID, ERR_LIMIT: ret_error says which member and why. ERR_NOMEM. */
enum err rights_read(const struct value *map, struct filter_patterns served, struct arena *scratch, struct grants *grants,
                     struct filter_error *ret_error) MUST_USE;

#endif

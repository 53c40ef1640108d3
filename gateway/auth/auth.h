/* Who a client is: judges a credential (JWT or API key) by the keys of this node and gives what it grants. The keys come from
 * the configuration and its files, and are read again when a file changes; a file that cannot be read then leaves the keys as they
 * were. Thread-safe: any worker asks, one thread reloads.
 * What a token must have, in this order (RFC 7519, RFC 8725): three parts of base64url; a header that is a JSON object with an
 * "alg" that the chosen key is pinned to, no "crit", no "b64"; a signature of that key; claims that are a JSON object without
 * doubles, each of its type. Secrets are never in why, logs or metrics. */
#ifndef GATEWAY_AUTH_AUTH_H
#define GATEWAY_AUTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "gateway/auth/grants.h"
#include "gateway/filter/filter.h"

struct auth;

struct auth_settings {
	bool is_required;              /* auth.required; else no credential at all is "anonymous" with everything granted */
	const char *jwt_secret;        /* NULL or empty: none; so with all files */
	const char *jwt_keys_file, *jwt_public_key_file, *api_keys_file;
	const struct slice *jwt_algorithms; /* that tokens of keys without an "alg" of their own may have; none: by the kind of key */
	size_t jwt_algorithm_count;
	const char *jwt_issuer, *jwt_audience; /* NULL or empty: not asked for */
	uint64_t jwt_leeway_ms;
	bool requires_expiry;
	struct filter_patterns served; /* as redis.patterns; borrowed */
};

/* ERR_INVALID, ERR_IO: ret_why names the option or file, what is wrong in it and where. settings' texts are borrowed. */
enum err auth_new(const struct auth_settings *settings, struct auth **ret_auth, char ret_why[256]) MUST_USE;
void auth_free(struct auth *auth);

enum auth_verdict {
	AUTH_GRANTED,
	AUTH_REFUSED, /* 401, 4401; ret_why: a static sentence that tells the client what is wrong and an attacker nothing */
	AUTH_NO_MEMORY,
};
/* now_ms: wall clock. ret_grants: a reference. */
enum auth_verdict auth_check(struct auth *auth, struct slice credential, uint64_t now_ms, struct grants **ret_grants,
			     const char **ret_why) MUST_USE;
/* For a client that brought no credential: a reference to what anonymous clients get; NULL: auth is required. */
struct grants *auth_anonymous(struct auth *auth) MUST_USE;
/* Whether grants given earlier still stand: false when their API key is gone from its file, or anything in its entry has changed, and
 * when the key that signed their token is gone. */
bool auth_is_known(struct auth *auth, const struct grants *grants);

enum auth_reload { AUTH_UNCHANGED, AUTH_RELOADED, AUTH_FAILED /* ret_why says which file and why; the old keys stay */ };
/* Looks whether a file changed (inode, size, time of change) and reads it then; a replaced symbolic link counts, as Kubernetes
 * updates Secrets. One file a call: to be called again until AUTH_UNCHANGED. A file that failed is tried again only when it changed
 * once more. */
enum auth_reload auth_refresh(struct auth *auth, char ret_why[256]);

#endif

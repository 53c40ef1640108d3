/* JSON Web Tokens: RFC 7515 (compact serialization), RFC 7519 (claims), and what RFC 8725 advises. A token is read, then judged:
 * its signature by the keys of a keyset, its claims by the rules of this gateway. Nothing that a token says of its own key (jwk, jku,
 * x5c, x5u) is looked at. Pure. */
#ifndef GATEWAY_AUTH_TOKEN_H
#define GATEWAY_AUTH_TOKEN_H

#include "common/base/arena.h"
#include "gateway/auth/keyset.h"
#include "gateway/auth/refusal.h"

#define TOKEN_BYTES_MAX ((size_t)32 << 10)
#define TOKEN_ARENA_BYTES ((size_t)16 << 20) /* more than the trees of the longest token take */
#define TOKEN_TRIES_MAX 16                   /* keys that are tried where the token names none */

struct token {
	struct slice signed_text;         /* header and payload as they came, with the dot between */
	struct slice payload, signature;  /* as they came */
	const struct value *header;
};

struct token_rules {
	struct slice issuer, audience; /* empty: not asked for */
	uint64_t leeway_ms;
	bool requires_expiry;
	struct filter_patterns served;
};

/* Whether the credential is a token, and not an API key: two dots, and before the first of them a JSON object in base64url. ret_token
 * points into the credential and the arena. ERR_INVALID: it is none. ERR_NOMEM. */
enum err token_read(struct slice credential, struct arena *arena, struct token *ret_token) MUST_USE;
/* Which key signed it, of the keysets (NULL where there is none). ERR_DENIED: ret_refusal says why none did. ERR_NOMEM. */
enum err token_verify(const struct token *token, struct keyset *const *keysets, size_t count, struct arena *arena,
                      const struct verifier **ret_verifier, enum refusal *ret_refusal) MUST_USE;
/* What its claims grant now. ERR_DENIED: ret_refusal. ERR_NOMEM. */
enum err token_grants(const struct token *token, const struct token_rules *rules, uint64_t now_ms, struct arena *arena,
                      struct grants **ret_grants, enum refusal *ret_refusal) MUST_USE;

#endif

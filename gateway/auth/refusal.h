/* Every way to refuse a credential, once: what the client is told, and the metric that counts it. The sentences tell a client what to
 * mend, and nothing about keys. Static. */
#ifndef GATEWAY_AUTH_REFUSAL_H
#define GATEWAY_AUTH_REFUSAL_H

#include "gateway/metrics/metrics.h"

/* REFUSAL(id, metric, sentence) */
#define REFUSALS                                                                                                       \
	REFUSAL(TOO_LONG, MALFORMED, "the credential is too long")                                                     \
	REFUSAL(NO_SUCH_KEY, UNKNOWN_KEY, "there is no such API key, and it is no token")                              \
	REFUSAL(KEY_EXPIRED, EXPIRED, "the API key has expired")                                                       \
	REFUSAL(BASE64, MALFORMED, "the token is not three parts of base64url")                                        \
	REFUSAL(HEADER, MALFORMED, "the token's header needs \"alg\", and its members their types")                    \
	REFUSAL(CRITICAL, MALFORMED, "the token's header asks for an extension (crit, b64), and there are none here")  \
	REFUSAL(OTHER_TYPE, MALFORMED, "the token's \"typ\" is not that of an access token")                           \
	REFUSAL(NO_KEY, UNKNOWN_KEY, "no key here fits the token's \"kid\" and \"alg\"")                               \
	REFUSAL(SIGNATURE, BAD_SIGNATURE, "the token's signature is wrong")                                            \
	REFUSAL(NO_CLAIMS, CLAIMS, "the token's claims are no JSON object with unique names")                          \
	REFUSAL(NO_EXPIRY, CLAIMS, "the token has no \"exp\"")                                                         \
	REFUSAL(TIME_TYPE, CLAIMS, "the token's \"exp\", \"nbf\" or \"iat\" is no number")                             \
	REFUSAL(EXPIRED, EXPIRED, "the token has expired")                                                             \
	REFUSAL(NOT_BEFORE, EARLY, "the token is not valid yet (nbf)")                                                 \
	REFUSAL(ISSUED_LATER, EARLY, "the token was issued in the future (iat)")                                       \
	REFUSAL(SUBJECT, CLAIMS, "the token needs a \"sub\", a string of 1 to 256 bytes without control characters")     \
	REFUSAL(ISSUER, CLAIMS, "the token's \"iss\" is not the one wanted here")                                      \
	REFUSAL(AUDIENCE, CLAIMS, "the token's \"aud\" is not for this gateway")                                       \
	REFUSAL(TOKEN_ID, CLAIMS, "the token's \"jti\" is no string")                                                  \
	REFUSAL(RIGHTS, CLAIMS, "the token's \"tracegate\" is no object, or has a member that means nothing")              \
	REFUSAL(CHANNELS, CLAIMS, "the token's \"tracegate\": its \"channels\" are not as documented")                    \
	REFUSAL(SESSIONS, CLAIMS, "the token's \"tracegate\": its \"sessions\" are not as documented")                    \
	REFUSAL(AGENTS, CLAIMS, "the token's \"tracegate\": its \"agents\" are not as documented")                        \
	REFUSAL(OPS, CLAIMS, "the token's \"tracegate\": its \"ops\" are not as documented")                              \
	REFUSAL(LIMITS, CLAIMS, "the token's \"tracegate\": its \"limits\" are not as documented")

enum refusal {
#define REFUSAL(id, metric, sentence) REFUSAL_##id,
	REFUSALS
#undef REFUSAL
};

struct refusal_facts {
	const char *sentence;
	enum metric metric;
};

extern const struct refusal_facts refusals[];

#endif

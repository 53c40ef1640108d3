/* Keys made at run time and tokens signed with them, good and bad: the header says whatever the test wants, the signature is made
 * as asked. All texts are the caller's to free(). A failure of OpenSSL aborts. */
#ifndef TESTS_SUPPORT_TOKEN_H
#define TESTS_SUPPORT_TOKEN_H

#include <stddef.h>

struct test_key;

struct test_key *test_key_secret(const void *bytes, size_t len);
struct test_key *test_key_rsa(unsigned bits);
struct test_key *test_key_ec(const char *curve); /* "P-256", "P-384", "P-521" */
void test_key_free(struct test_key *key);

char *test_key_public_pem(const struct test_key *key);
char *test_key_private_pem(const struct test_key *key);
/* A JWK; more: members to add, as ",\"kid\":\"a\"", or "". */
char *test_key_jwk(const struct test_key *key, const char *more);

/* Header and claims are texts, which need be no JSON. algorithm: how it is signed, whatever the header says, "HS256" and so on;
 * "": with an empty signature. */
char *test_token(const char *header, const char *claims, const char *algorithm, const struct test_key *key);
/* What most tests want: HS256, with the header {"alg":"HS256","typ":"JWT"}. */
char *test_token_hs256(const char *claims, const char *secret);
/* The header line that brings such a token of the identity. limits: members of that claim, as "\"connections\":3", or "". Valid until
 * the next call. */
const char *test_bearer_limited(const char *identity, const char *limits, const char *secret);

#endif

/* Signatures, beside another implementation of tokens (libjwt): what it signs is taken here, what is signed here it
 * takes. */
#include <jwt.h>

#include "kit.h"

#include "gateway/auth/algorithm.h"
#include "gateway/auth/keyset.h"
#include "gateway/auth/verifier.h"
#include "tests/support/suite.h"

static struct test_key *rsa, *ec[3], *secret;

static void make_keys(void)
{
	static const char *const curves[] = {"P-256", "P-384", "P-521"};
	rsa = test_key_rsa(2048);
	for (int i = 0; i < 3; i++)
		ec[i] = test_key_ec(curves[i]);
	secret = test_key_secret(KIT_SECRET, strlen(KIT_SECRET));
}

static void free_keys(void)
{
	test_key_free(rsa);
	for (int i = 0; i < 3; i++)
		test_key_free(ec[i]);
	test_key_free(secret);
}

/* libjwt knows no PSS. */
static const struct {
	enum algorithm algorithm;
	jwt_alg_t theirs;
} shared[] = {
    {ALGORITHM_HS256, JWT_ALG_HS256}, {ALGORITHM_HS384, JWT_ALG_HS384}, {ALGORITHM_HS512, JWT_ALG_HS512},
    {ALGORITHM_RS256, JWT_ALG_RS256}, {ALGORITHM_RS384, JWT_ALG_RS384}, {ALGORITHM_RS512, JWT_ALG_RS512},
    {ALGORITHM_ES256, JWT_ALG_ES256}, {ALGORITHM_ES384, JWT_ALG_ES384}, {ALGORITHM_ES512, JWT_ALG_ES512},
};

static struct test_key *key_for(enum algorithm algorithm)
{
	switch (algorithms[algorithm].family) {
	case FAMILY_HMAC:
		return secret;
	case FAMILY_EC:
		return ec[algorithm - ALGORITHM_ES256];
	case FAMILY_RSA_PKCS1:
	case FAMILY_RSA_PSS:
		break;
	}
	return rsa;
}

/* A node with this one key. */
static struct auth *node_with(enum algorithm algorithm)
{
	char path[KIT_PATH];
	struct auth_settings settings = kit_settings();
	char *jwk = test_key_jwk(key_for(algorithm), ""), *jwks = malloc(strlen(jwk) + 32);
	sprintf(jwks, "{\"keys\":[%s]}", jwk);
	kit_write("keys.json", jwks);
	settings.jwt_keys_file = kit_path("keys.json", path);
	struct auth *auth = kit_auth(&settings);
	free(jwk);
	free(jwks);
	return auth;
}

START_TEST(takes_what_another_implementation_signs)
{
	jwt_t *theirs = NULL;
	struct auth *auth = node_with(shared[_i].algorithm);
	bool is_secret = shared[_i].algorithm <= ALGORITHM_HS512;
	char *key = is_secret ? strdup(KIT_SECRET) : test_key_private_pem(key_for(shared[_i].algorithm));
	ck_assert_int_eq(jwt_new(&theirs), 0);
	ck_assert_int_eq(jwt_add_grant(theirs, "sub", "someone"), 0);
	ck_assert_int_eq(jwt_add_grant_int(theirs, "exp", KIT_NOW_S + 60), 0);
	ck_assert_int_eq(jwt_set_alg(theirs, shared[_i].theirs, (unsigned char *)key, (int)strlen(key)), 0);
	char *token = jwt_encode_str(theirs);
	const char *why = kit_judge(auth, token);
	ck_assert_msg(!why, "%s: %s", algorithms[shared[_i].algorithm].name, why);
	free(token);
	jwt_free(theirs);
	free(key);
	auth_free(auth);
}
END_TEST

START_TEST(another_implementation_takes_what_is_signed_for_the_tests)
{
	char header[64];
	jwt_t *theirs = NULL;
	const char *name = algorithms[shared[_i].algorithm].name;
	bool is_secret = shared[_i].algorithm <= ALGORITHM_HS512;
	char *key = is_secret ? strdup(KIT_SECRET) : test_key_public_pem(key_for(shared[_i].algorithm));
	snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", name);
	char *token = test_token(header, KIT_CLAIMS, name, key_for(shared[_i].algorithm));
	ck_assert_int_eq(jwt_decode(&theirs, token, (unsigned char *)key, (int)strlen(key)), 0);
	ck_assert_str_eq(jwt_get_grant(theirs, "sub"), "someone");
	jwt_free(theirs);
	free(token);
	free(key);
}
END_TEST

/* What libjwt does with the attack that this room is built against: it takes it. So the attack is a real one. */
START_TEST(the_confusion_of_rsa_and_hmac_is_real_and_is_refused_here)
{
	jwt_t *theirs = NULL;
	char *pem = test_key_public_pem(rsa);
	struct test_key *as_secret = test_key_secret(pem, strlen(pem));
	char *token = test_token("{\"alg\":\"HS256\"}", KIT_CLAIMS, "HS256", as_secret);
	ck_assert_int_eq(jwt_decode(&theirs, token, (unsigned char *)pem, (int)strlen(pem)), 0);
	struct auth *auth = node_with(ALGORITHM_RS256);
	ck_assert_msg(strstr(kit_judge(auth, token), "no key here fits") != NULL, "taken");
	jwt_free(theirs);
	auth_free(auth);
	test_key_free(as_secret);
	free(token);
	free(pem);
}
END_TEST

/* RFC 7515 appendix A.1: the key, the token and its signature. */
START_TEST(verifies_the_example_of_the_standard)
{
	static const char jwks[] = "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
	                           "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}]}";
	static const struct slice text = SLICE_LITERAL(
	    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
	    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ");
	static const unsigned char signature[] = {116, 24,  223, 180, 151, 153, 224, 37,  79,  250, 96,
	                                          125, 216, 173, 187, 186, 22,  212, 37,  77,  105, 214,
	                                          191, 240, 91,  88,  5,   88,  83,  132, 141, 121};
	char why[KEYSET_WHY];
	struct keyset *keyset = keyset_new();
	ck_assert_int_eq(keyset_read_jwks(slice_of(jwks), ALGORITHM_ALL, keyset, why), OK);
	struct slice given = {(const char *)signature, sizeof signature}, cut = {given.ptr, given.len - 1};
	ck_assert_int_eq(verifier_check(keyset->verifiers, ALGORITHM_HS256, text, given), OK);
	ck_assert_int_eq(verifier_check(keyset->verifiers, ALGORITHM_HS256, text, cut), ERR_DENIED);
	ck_assert_int_eq(verifier_check(keyset->verifiers, ALGORITHM_HS256, text, SLICE_NONE), ERR_DENIED);
	ck_assert_int_eq(verifier_check(keyset->verifiers, ALGORITHM_HS384, text, given), ERR_DENIED);
	ck_assert_int_eq(verifier_check(keyset->verifiers, ALGORITHM_RS256, text, given), ERR_DENIED);
	keyset_unref(keyset);
}
END_TEST

START_TEST(knows_its_algorithms_by_their_exact_names)
{
	enum algorithm found;
	for (int algorithm = 0; algorithm < ALGORITHMS; algorithm++) {
		ck_assert(algorithm_find(slice_of(algorithms[algorithm].name), &found));
		ck_assert_int_eq(found, algorithm);
	}
	static const char *const others[] = {"",       "none",  "hs256",  "HS256 ", "HS25",
	                                     "HS2560", "EdDSA", "ES256K", "RS1",    "HS1"};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		ck_assert_msg(!algorithm_find(slice_of(others[i]), &found), "%s", others[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verifier");
	TCase *both = tcase_create("with libjwt");
	tcase_add_unchecked_fixture(both, make_keys, free_keys);
	tcase_add_checked_fixture(both, kit_open_folder, kit_close_folder);
	tcase_add_loop_test(both, takes_what_another_implementation_signs, 0, sizeof shared / sizeof shared[0]);
	tcase_add_loop_test(both, another_implementation_takes_what_is_signed_for_the_tests, 0,
	                    sizeof shared / sizeof shared[0]);
	tcase_add_test(both, the_confusion_of_rsa_and_hmac_is_real_and_is_refused_here);
	tcase_add_test(both, verifies_the_example_of_the_standard);
	tcase_add_test(both, knows_its_algorithms_by_their_exact_names);
	suite_add_tcase(suite, both);
	return suite_run(suite);
}

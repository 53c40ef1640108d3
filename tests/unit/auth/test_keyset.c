/* Files with keys: what they may hold, and what is said of one that is wrong. */
#include "kit.h"

#include "gateway/auth/keyset.h"
#include "tests/support/suite.h"

static struct test_key *rsa, *small_rsa, *ec, *secret;
static char why[KEYSET_WHY];

static void make_keys(void)
{
	rsa = test_key_rsa(2048);
	small_rsa = test_key_rsa(1024);
	ec = test_key_ec("P-384");
	secret = test_key_secret(KIT_SECRET, 40);
}

static void free_keys(void)
{
	test_key_free(rsa);
	test_key_free(small_rsa);
	test_key_free(ec);
	test_key_free(secret);
}

static struct keyset *read_jwks(const char *text, enum err wanted)
{
	struct keyset *keyset = keyset_new();
	why[0] = '\0';
	enum err error = keyset_read_jwks(slice_of(text), ALGORITHM_ALL, keyset, why);
	ck_assert_msg(error == wanted, "%s: %s", text, why);
	if (error == OK)
		return keyset;
	keyset_unref(keyset);
	return NULL;
}

/* A set of these keys, each with more members: "ec" "rsa" "small" "secret". */
static char *jwks_of(const struct test_key *const *list, const char *const *more, size_t count)
{
	static char text[16384];
	size_t len = (size_t)snprintf(text, sizeof text, "{\"other\":1,\"keys\":[");
	for (size_t i = 0; i < count; i++) {
		char *jwk = test_key_jwk(list[i], more[i]);
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? "," : "", jwk);
		free(jwk);
	}
	snprintf(text + len, sizeof text - len, "]}");
	return text;
}

START_TEST(each_key_is_pinned_by_its_own_algorithm_or_by_what_it_is)
{
	const struct test_key *const list[] = {rsa, rsa, ec, secret, secret};
	const char *const more[] = {",\"alg\":\"PS384\",\"kid\":\"a\"", "", ",\"kid\":\"\"", "",
	                            ",\"alg\":\"HS256\",\"use\":\"sig\""};
	struct keyset *keyset = read_jwks(jwks_of(list, more, 5), OK);
	ck_assert_uint_eq(keyset->verifier_count, 5);
	const struct verifier *keys = keyset->verifiers;
	ck_assert_uint_eq(keys[0].algorithms, ALGORITHM_BIT(ALGORITHM_PS384));
	ck_assert(slice_is(keys[0].id, "a"));
	ck_assert_uint_eq(keys[1].algorithms, algorithm_family(FAMILY_RSA_PKCS1) | algorithm_family(FAMILY_RSA_PSS));
	ck_assert_ptr_null(keys[1].id.ptr);
	ck_assert_uint_eq(keys[2].algorithms, ALGORITHM_BIT(ALGORITHM_ES384));
	ck_assert(keys[2].id.ptr && keys[2].id.len == 0); /* an empty name is one */
	ck_assert_uint_eq(keys[3].algorithms,
	                  ALGORITHM_BIT(ALGORITHM_HS256)); /* 40 bytes are too few for the longer ones */
	ck_assert_int_eq(keys[3].kind, VERIFIER_SECRET);
	ck_assert_uint_eq(keys[0].fingerprint, keys[1].fingerprint);
	ck_assert_uint_ne(keys[1].fingerprint, keys[2].fingerprint);
	keyset_unref(keyset);
}
END_TEST

START_TEST(passes_over_keys_that_are_there_for_something_else)
{
	const struct test_key *const list[] = {rsa, rsa, rsa, ec, rsa};
	const char *const more[] = {",\"use\":\"enc\"", ",\"key_ops\":[\"encrypt\",7]", ",\"alg\":\"RSA-OAEP\"",
	                            ",\"x5c\":[1]", ",\"key_ops\":[\"sign\",\"verify\"]"};
	struct keyset *keyset = read_jwks(jwks_of(list, more, 5), OK);
	ck_assert_uint_eq(keyset->verifier_count, 2);
	ck_assert_int_eq(keyset->verifiers[0].kind, VERIFIER_EC);
	keyset_unref(keyset);
	read_jwks(jwks_of(list, more, 3), ERR_INVALID);
	ck_assert_str_eq(why, "none of its 3 keys is one to verify tokens with");
	read_jwks(
	    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"},{\"kty\":\"EC\",\"crv\":\"secp256k1\"}]}",
	    ERR_INVALID);
	ck_assert_str_eq(why, "none of its 2 keys is one to verify tokens with");
}
END_TEST

static const struct {
	const char *text, *why;
} wrong_sets[] = {
    {"", "at byte 0: "},
    {"{", "at byte 1: "},
    {"[]", "must be a JSON object with an array \"keys\""},
    {"{\"keys\":{}}", "must be a JSON object with an array \"keys\""},
    {"{\"keys\":[]}", "none of its 0 keys"},
    {"{\"keys\":[],\"keys\":[]}", "at byte "},
    {"{\"keys\":[7]}", "keys[0]: must be an object, not number"},
    {"{\"keys\":[{}]}", "keys[0]: kty: is missing"},
    {"{\"keys\":[{\"kty\":1}]}", "keys[0]: kty: must be a string, not number"},
    {"{\"keys\":[{\"kty\":\"oct\"}]}", "keys[0]: k: is missing"},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"\"}]}", "keys[0]: k: is missing"},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"a+/=\"}]}", "keys[0]: k: is not base64url"},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
     "keys[0]: a secret of 3 bytes is too short; at least 32 bytes are needed"},
    {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\"}]}", "keys[0]: e: is missing"},
    {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
     "keys[0]: an RSA key of 17 bits is refused; 2048 to 8192 bits are needed"},
    {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AAAA\",\"e\":\"AQAB\"}]}", "keys[0]: modulus and exponent are no RSA key"},
    {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQABAQABAQAB\"}]}",
     "keys[0]: the modulus or the exponent is too large"},
    {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQ\"}]}", "keys[0]: modulus and exponent are no RSA key"},
    {"{\"keys\":[{\"kty\":\"EC\"}]}", "keys[0]: crv: is missing"},
    {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}",
     "keys[0]: x and y must be as long as the curve's coordinates"},
    {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":"
     "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
     "keys[0]: x and y are no point of the curve"},
    {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"AA\"}]}", "keys[0]: d: this is a private key"},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\",\"use\":1}]}", "keys[0]: use: must be a string, not number"},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\",\"key_ops\":\"verify\"}]}",
     "keys[0]: key_ops: must be an array of strings, not string"},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\",\"kid\":7}]}", "keys[0]: kid: must be a string, not number"},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\",\"alg\":[]}]}", "keys[0]: alg: must be a string, not array"},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\",\"kty\":\"RSA\"}]}", "at byte "},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"alg\":\"RS256\"}]}",
     "keys[0]: none of the algorithms that are allowed fits this key, which could do HS256"},
};

START_TEST(says_what_is_wrong_with_a_set)
{
	read_jwks(wrong_sets[_i].text, ERR_INVALID);
	ck_assert_msg(strstr(why, wrong_sets[_i].why) == why, "%s: %s", wrong_sets[_i].text, why);
}
END_TEST

START_TEST(refuses_small_keys_and_too_many_of_them)
{
	const struct test_key *list[KEYSET_VERIFIERS_MAX + 1];
	const char *more[KEYSET_VERIFIERS_MAX + 1];
	for (size_t i = 0; i <= KEYSET_VERIFIERS_MAX; i++) {
		list[i] = secret;
		more[i] = "";
	}
	keyset_unref(read_jwks(jwks_of(list, more, KEYSET_VERIFIERS_MAX), OK));
	read_jwks(jwks_of(list, more, KEYSET_VERIFIERS_MAX + 1), ERR_LIMIT);
	ck_assert_str_eq(why, "keys[64]: is one too many; at most 64");
	list[1] = small_rsa;
	read_jwks(jwks_of(list, more, 2), ERR_INVALID);
	ck_assert_str_eq(why, "keys[1]: an RSA key of 1024 bits is refused; 2048 to 8192 bits are needed");
}
END_TEST

static enum err read_pem(const char *text, unsigned allowed, size_t *ret_count)
{
	struct keyset *keyset = keyset_new();
	why[0] = '\0';
	enum err error = keyset_read_pem(slice_of(text), allowed, keyset, why);
	*ret_count = keyset->verifier_count;
	keyset_unref(keyset);
	return error;
}

START_TEST(reads_public_keys_in_pem_one_behind_the_other)
{
	char text[4096];
	size_t count;
	char *first = test_key_public_pem(rsa), *second = test_key_public_pem(ec);
	snprintf(text, sizeof text, "a note\n%s\n%s", first, second);
	ck_assert_msg(read_pem(text, ALGORITHM_ALL, &count) == OK && count == 2, "%s", why);
	text[strlen(text) - 1] = '\0'; /* the last newline */
	ck_assert_msg(read_pem(text, ALGORITHM_ALL, &count) == OK && count == 2, "%s", why);
	ck_assert_int_eq(read_pem(text, algorithm_family(FAMILY_EC), &count), ERR_INVALID);
	ck_assert_msg(
	    strstr(why, "block 1: none of the algorithms that are allowed fits this key, which could do RS256") == why,
	    "%s", why);
	free(first);
	free(second);
}
END_TEST

START_TEST(says_what_is_wrong_with_a_pem_file)
{
	char *small = test_key_public_pem(small_rsa), *private = test_key_private_pem(ec);
	size_t count;
	ck_assert_int_eq(read_pem("", ALGORITHM_ALL, &count), ERR_INVALID);
	ck_assert_msg(strstr(why, "holds no public key in PEM") == why, "%s", why);
	ck_assert_int_eq(read_pem("{\"keys\":[]}", ALGORITHM_ALL, &count), ERR_INVALID);
	ck_assert_msg(strstr(why, "holds no public key in PEM") == why, "%s", why);
	ck_assert_int_eq(read_pem(small, ALGORITHM_ALL, &count), ERR_INVALID);
	ck_assert_str_eq(why, "block 1: an RSA key of 1024 bits is refused; 2048 to 8192 bits are needed");
	ck_assert_int_eq(read_pem(private, ALGORITHM_ALL, &count), ERR_INVALID);
	ck_assert_str_eq(why, "block 1: this is a private key; the gateway is to have the public part alone");
	ck_assert_int_eq(
	    read_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", ALGORITHM_ALL, &count),
	    ERR_INVALID);
	ck_assert_str_eq(why, "block 1: this is no public key and no certificate");
	ck_assert_int_eq(read_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n", ALGORITHM_ALL, &count), ERR_INVALID);
	ck_assert_str_eq(why, "block 1: is no PEM");
	free(small);
	free(private);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyset");
	TCase *sets = tcase_create("JWKS and PEM");
	tcase_add_unchecked_fixture(sets, make_keys, free_keys);
	tcase_add_test(sets, each_key_is_pinned_by_its_own_algorithm_or_by_what_it_is);
	tcase_add_test(sets, passes_over_keys_that_are_there_for_something_else);
	tcase_add_loop_test(sets, says_what_is_wrong_with_a_set, 0, sizeof wrong_sets / sizeof wrong_sets[0]);
	tcase_add_test(sets, refuses_small_keys_and_too_many_of_them);
	tcase_add_test(sets, reads_public_keys_in_pem_one_behind_the_other);
	tcase_add_test(sets, says_what_is_wrong_with_a_pem_file);
	suite_add_tcase(suite, sets);
	return suite_run(suite);
}

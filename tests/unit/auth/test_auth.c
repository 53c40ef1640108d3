/* Tokens that attack, and beside each kind of them one that is good. */
#include "kit.h"

#include "gateway/auth/refusal.h"
#include "gateway/metrics/metrics.h"
#include "tests/support/suite.h"

/* The keys of the tests; those from ATTACK on are not the node's. */
enum key {
	SECRET,
	RSA,
	EC256,
	EC384,
	EC521,
	NAMED_RSA, /* in the JWKS: kid "named", alg RS256 */
	NAMED_EC,  /* kid "curve" */
	ATTACK,
	OTHER_SECRET = ATTACK,
	OTHER_RSA,
	OTHER_EC,
	RSA_PEM, /* secrets: the public keys as text */
	RSA_PEM_CUT,
	EC_PEM,
	EC_PEM_CUT,
	RSA_JWK,
	NOTHING,
	KEYS
};

static struct test_key *keys[KEYS];
static struct auth *auth;

static struct test_key *secret_of(char *text, size_t cut)
{
	struct test_key *key = test_key_secret(text, strlen(text) - cut);
	free(text);
	return key;
}

static void make_keys(void)
{
	keys[SECRET] = test_key_secret(KIT_SECRET, strlen(KIT_SECRET));
	keys[RSA] = test_key_rsa(2048);
	keys[EC256] = test_key_ec("P-256");
	keys[EC384] = test_key_ec("P-384");
	keys[EC521] = test_key_ec("P-521");
	keys[NAMED_RSA] = test_key_rsa(2048);
	keys[NAMED_EC] = test_key_ec("P-256");
	keys[OTHER_SECRET] = test_key_secret("another secret of sixty-four bytes, which the node does not know", 64);
	keys[OTHER_RSA] = test_key_rsa(2048);
	keys[OTHER_EC] = test_key_ec("P-256");
	keys[RSA_PEM] = secret_of(test_key_public_pem(keys[RSA]), 0);
	keys[RSA_PEM_CUT] = secret_of(test_key_public_pem(keys[RSA]), 1);
	keys[EC_PEM] = secret_of(test_key_public_pem(keys[EC256]), 0);
	keys[EC_PEM_CUT] = secret_of(test_key_public_pem(keys[EC256]), 1);
	keys[RSA_JWK] = secret_of(test_key_jwk(keys[NAMED_RSA], ""), 0);
	keys[NOTHING] = test_key_secret("", 0);
}

static void free_keys(void)
{
	for (int key = 0; key < KEYS; key++)
		test_key_free(keys[key]);
}

static void write_keys(void)
{
	char pem[8192], jwks[8192];
	char *texts[6];
	for (int i = 0; i < 4; i++)
		texts[i] = test_key_public_pem(keys[RSA + i]);
	texts[4] = test_key_jwk(keys[NAMED_RSA], ",\"kid\":\"named\",\"alg\":\"RS256\",\"use\":\"sig\"");
	texts[5] = test_key_jwk(keys[NAMED_EC], ",\"kid\":\"curve\",\"key_ops\":[\"verify\"]");
	snprintf(pem, sizeof pem, "%s%s%s%s", texts[0], texts[1], texts[2], texts[3]);
	snprintf(jwks, sizeof jwks, "{\"keys\":[%s,%s]}", texts[4], texts[5]);
	kit_write("keys.pem", pem);
	kit_write("keys.json", jwks);
	kit_write("api.json", "{\"keys\":[{\"id\":\"robot\",\"key\":\"robot-key.with.dots\"}]}");
	for (int i = 0; i < 6; i++)
		free(texts[i]);
}

static void set_up(void)
{
	char pem[KIT_PATH], jwks[KIT_PATH], api[KIT_PATH];
	struct auth_settings settings = kit_settings();
	kit_open_folder();
	write_keys();
	settings.jwt_secret = KIT_SECRET;
	settings.jwt_public_key_file = kit_path("keys.pem", pem);
	settings.jwt_keys_file = kit_path("keys.json", jwks);
	settings.api_keys_file = kit_path("api.json", api);
	auth = kit_auth(&settings);
	ck_assert_int_eq(metrics_join(), OK);
}

static void tear_down(void)
{
	auth_free(auth);
	metrics_reset();
	kit_close_folder();
}

static const struct {
	const char *header, *algorithm;
	enum key key;
} good[] = {
    {"{\"alg\":\"HS256\"}", "HS256", SECRET},
    {"{\"alg\":\"HS384\",\"typ\":\"JWT\"}", "HS384", SECRET},
    {"{\"alg\":\"HS512\",\"typ\":\"at+jwt\"}", "HS512", SECRET},
    {"{\"alg\":\"RS256\",\"typ\":\"jwt\"}", "RS256", RSA},
    {"{\"alg\":\"RS384\"}", "RS384", RSA},
    {"{\"alg\":\"RS512\"}", "RS512", RSA},
    {"{\"alg\":\"PS256\"}", "PS256", RSA},
    {"{\"alg\":\"PS384\"}", "PS384", RSA},
    {"{\"alg\":\"PS512\"}", "PS512", RSA},
    {"{\"alg\":\"ES256\"}", "ES256", EC256},
    {"{\"alg\":\"ES384\"}", "ES384", EC384},
    {"{\"alg\":\"ES512\"}", "ES512", EC521},
    {"{\"alg\":\"RS256\",\"kid\":\"named\"}", "RS256", NAMED_RSA},
    {"{\"alg\":\"RS256\"}", "RS256", NAMED_RSA},
    {"{\"alg\":\"ES256\",\"kid\":\"curve\"}", "ES256", NAMED_EC},
    {" {\"kid\":\"whatever\", \"alg\":\"HS256\"}\n", "HS256", SECRET}, /* a secret has no id: it is for all */
    {"{\"alg\":\"HS256\",\"jku\":\"https://evil.example/\",\"x5u\":\"x\",\"jwk\":{}}", "HS256",
     SECRET}, /* never looked at */
};

START_TEST(takes_what_is_signed_by_a_key_and_algorithm_of_its_own)
{
	char *token = test_token(good[_i].header, KIT_CLAIMS, good[_i].algorithm, keys[good[_i].key]);
	const char *why = kit_judge(auth, token);
	ck_assert_msg(!why, "%s: %s", good[_i].header, why);
	ck_assert_uint_eq(metric_read(METRIC_CREDENTIALS_TOKEN), 1);
	free(token);
}
END_TEST

#define NO_KEY "no key here fits"
#define WRONG "the token's signature is wrong"
#define NO_TOKEN "there is no such API key, and it is no token"
#define BAD_HEADER "header needs \"alg\""

/* Each is signed with a key that an attacker has, or with a good one for something that must not be. */
static const struct {
	const char *header, *algorithm;
	enum key key;
	const char *why;
} bad[] = {
    /* confusion: a public key as the secret of an HMAC */
    {"{\"alg\":\"HS256\"}", "HS256", RSA_PEM, WRONG},
    {"{\"alg\":\"HS256\"}", "HS256", RSA_PEM_CUT, WRONG},
    {"{\"alg\":\"HS384\"}", "HS384", RSA_PEM, WRONG},
    {"{\"alg\":\"HS512\"}", "HS512", RSA_PEM_CUT, WRONG},
    {"{\"alg\":\"HS256\"}", "HS256", EC_PEM, WRONG},
    {"{\"alg\":\"HS256\"}", "HS256", EC_PEM_CUT, WRONG},
    {"{\"alg\":\"HS256\",\"kid\":\"named\"}", "HS256", RSA_JWK, WRONG},
    {"{\"alg\":\"HS256\"}", "HS256", NOTHING, WRONG},
    /* one algorithm said, another done */
    {"{\"alg\":\"RS256\"}", "HS256", RSA_PEM, WRONG},
    {"{\"alg\":\"ES256\"}", "HS256", EC_PEM, WRONG},
    {"{\"alg\":\"PS256\"}", "RS256", RSA, WRONG},
    {"{\"alg\":\"RS256\"}", "PS256", RSA, WRONG},
    {"{\"alg\":\"RS256\"}", "RS512", RSA, WRONG},
    {"{\"alg\":\"HS256\"}", "HS384", SECRET, WRONG},
    {"{\"alg\":\"ES256\"}", "ES384", EC384, WRONG},
    {"{\"alg\":\"ES384\"}", "ES256", EC256, WRONG},
    /* a key asked for what it is not pinned to */
    {"{\"alg\":\"RS512\",\"kid\":\"named\"}", "RS512", NAMED_RSA, WRONG}, /* the PEM keys have no id and are tried */
    {"{\"alg\":\"PS256\"}", "PS256", NAMED_RSA, WRONG},
    /* keys that are not ours */
    {"{\"alg\":\"HS256\"}", "HS256", OTHER_SECRET, WRONG},
    {"{\"alg\":\"RS256\"}", "RS256", OTHER_RSA, WRONG},
    {"{\"alg\":\"ES256\"}", "ES256", OTHER_EC, WRONG},
    {"{\"alg\":\"PS512\"}", "PS512", OTHER_RSA, WRONG},
    /* no signature */
    {"{\"alg\":\"HS256\"}", "", SECRET, WRONG},
    {"{\"alg\":\"RS256\"}", "", RSA, WRONG},
    {"{\"alg\":\"ES256\"}", "", EC256, WRONG},
    {"{\"alg\":\"none\"}", "", NOTHING, NO_KEY},
    {"{\"alg\":\"None\"}", "", NOTHING, NO_KEY},
    {"{\"alg\":\"NONE\"}", "", NOTHING, NO_KEY},
    {"{\"alg\":\"nOnE\"}", "", NOTHING, NO_KEY},
    {"{\"alg\":\"none\"}", "HS256", SECRET, NO_KEY},
    {"{\"alg\":\"none \"}", "HS256", SECRET, NO_KEY},
    {"{\"alg\":\"n\\u006fne\"}", "HS256", SECRET, NO_KEY},
    {"{\"alg\":\"\"}", "HS256", SECRET, NO_KEY},
    {"{\"alg\":\"hs256\"}", "HS256", SECRET, NO_KEY},
    {"{\"alg\":\"HS256\\u0000\"}", "HS256", SECRET, NO_KEY},
    {"{\"alg\":\"HS2\"}", "HS256", SECRET, NO_KEY},
    {"{\"alg\":\"EdDSA\"}", "HS256", SECRET, NO_KEY},
    {"{\"alg\":null}", "HS256", SECRET, BAD_HEADER},
    {"{\"alg\":true}", "HS256", SECRET, BAD_HEADER},
    {"{\"alg\":256}", "HS256", SECRET, BAD_HEADER},
    {"{\"alg\":[\"HS256\"]}", "HS256", SECRET, BAD_HEADER},
    {"{\"alg\":{\"HS256\":1}}", "HS256", SECRET, BAD_HEADER},
    {"{\"typ\":\"JWT\"}", "HS256", SECRET, BAD_HEADER},
    {"{}", "HS256", SECRET, BAD_HEADER},
    /* headers that are none: then it is no token */
    {"{\"alg\":\"none\",\"alg\":\"HS256\"}", "HS256", SECRET, NO_TOKEN},
    {"{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", "HS256", SECRET, NO_TOKEN},
    {"[\"HS256\"]", "HS256", SECRET, NO_TOKEN},
    {"\"HS256\"", "HS256", SECRET, NO_TOKEN},
    {"", "HS256", SECRET, NO_TOKEN},
    {"{\"alg\":\"HS256\"}x", "HS256", SECRET, NO_TOKEN},
    {"{\"alg\":\"HS256\",}", "HS256", SECRET, NO_TOKEN},
    {"{\"alg\":\"HS256\",\"x\":\"\xff\"}", "HS256", SECRET, NO_TOKEN},
    /* extensions */
    {"{\"alg\":\"HS256\",\"crit\":[]}", "HS256", SECRET, "extension"},
    {"{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", "HS256", SECRET, "extension"},
    {"{\"alg\":\"HS256\",\"crit\":null}", "HS256", SECRET, "extension"},
    {"{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}", "HS256", SECRET, "extension"},
    {"{\"alg\":\"HS256\",\"b64\":false}", "HS256", SECRET, "extension"},
    {"{\"alg\":\"HS256\",\"b64\":true}", "HS256", SECRET, "extension"},
    /* tokens for something else */
    {"{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", "HS256", SECRET, "\"typ\""},
    {"{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}", "HS256", SECRET, "\"typ\""},
    {"{\"alg\":\"HS256\",\"typ\":\"\"}", "HS256", SECRET, "\"typ\""},
    {"{\"alg\":\"HS256\",\"typ\":null}", "HS256", SECRET, BAD_HEADER},
    /* kid */
    {"{\"alg\":\"HS256\",\"kid\":\"../../../../dev/null\"}", "HS256", NOTHING, WRONG},
    {"{\"alg\":\"HS256\",\"kid\":\"/dev/null\\u0000\"}", "HS256", NOTHING, WRONG},
    {"{\"alg\":\"HS256\",\"kid\":\"x' UNION SELECT 'secret' --\"}", "HS256", OTHER_SECRET, WRONG},
    {"{\"alg\":\"HS256\",\"kid\":\"|id\"}", "HS256", OTHER_SECRET, WRONG},
    {"{\"alg\":\"RS256\",\"kid\":\"curve\"}", "RS256", NAMED_RSA, WRONG}, /* another key's name */
    {"{\"alg\":\"RS256\",\"kid\":\"unknown\"}", "RS256", NAMED_RSA, WRONG},
    {"{\"alg\":\"RS256\",\"kid\":\"Named\"}", "RS256", NAMED_RSA, WRONG},
    {"{\"alg\":\"RS256\",\"kid\":\"named\\u0000\"}", "RS256", NAMED_RSA, WRONG},
    {"{\"alg\":\"RS256\",\"kid\":\"\"}", "RS256", NAMED_RSA, WRONG},
    {"{\"alg\":\"RS256\",\"kid\":null}", "RS256", NAMED_RSA, BAD_HEADER},
    {"{\"alg\":\"RS256\",\"kid\":0}", "RS256", NAMED_RSA, BAD_HEADER},
    {"{\"alg\":\"RS256\",\"kid\":[\"named\"]}", "RS256", NAMED_RSA, BAD_HEADER},
};

START_TEST(refuses_an_attack)
{
	char *token = test_token(bad[_i].header, KIT_CLAIMS, bad[_i].algorithm, keys[bad[_i].key]);
	const char *why = kit_judge(auth, token);
	ck_assert_msg(why && strstr(why, bad[_i].why), "%s signed with %s: %s", bad[_i].header, bad[_i].algorithm,
	              why ? why : "taken");
	free(token);
}
END_TEST

/* A key that the token brings along in its header is the attacker's. */
START_TEST(never_uses_a_key_that_the_token_brings)
{
	char header[4096];
	char *jwk = test_key_jwk(keys[OTHER_RSA], ",\"kid\":\"named\",\"alg\":\"RS256\"");
	snprintf(header, sizeof header, "{\"alg\":\"RS256\",\"kid\":\"named\",\"jwk\":%s}", jwk);
	char *token = test_token(header, KIT_CLAIMS, "RS256", keys[OTHER_RSA]);
	ck_assert_str_eq(kit_judge(auth, token), WRONG);
	free(token);
	free(jwk);
}
END_TEST

/* As an attacker changes a good token: what is put where its last dot is, or instead of its end. */
START_TEST(refuses_a_good_token_that_was_touched)
{
	char *token = test_token(good[0].header, KIT_CLAIMS, "HS256", keys[SECRET]), touched[1024];
	size_t len = strlen(token), last_dot = (size_t)(strrchr(token, '.') - token);
	static const char *const behind[] = {"=", ".", "A", " ", "\n", "%", "..", ".x", "+"};
	for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
		snprintf(touched, sizeof touched, "%s%s", token, behind[i]);
		ck_assert_msg(kit_judge(auth, touched), "\"%s\" behind it", behind[i]);
		snprintf(touched, sizeof touched, "%s%s", behind[i], token);
		ck_assert_msg(kit_judge(auth, touched), "\"%s\" before it", behind[i]);
	}
	for (size_t i = 0; i < len; i++) { /* each bit of each byte counts, unused ones too */
		snprintf(touched, sizeof touched, "%s", token);
		touched[i] = touched[i] == 'A' ? 'B' : 'A';
		if (token[i] != touched[i])
			ck_assert_msg(kit_judge(auth, touched), "byte %zu", i);
		snprintf(touched, sizeof touched, "%.*s", (int)i, token);
		ck_assert_msg(kit_judge(auth, touched), "cut to %zu", i);
	}
	snprintf(touched, sizeof touched, "%.*s", (int)last_dot, token);
	ck_assert_str_eq(kit_judge(auth, touched), NO_TOKEN); /* the signature is gone with its dot */
	ck_assert_ptr_null(kit_judge(auth, token));
	free(token);
}
END_TEST

START_TEST(an_ecdsa_signature_is_two_numbers_side_by_side_and_none_is_zero)
{
	char *token = test_token(good[9].header, KIT_CLAIMS, "", keys[EC256]), forged[1024];
	snprintf(forged, sizeof forged, "%s%.86s", token,
	         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	ck_assert_str_eq(kit_judge(auth, forged), WRONG);
	snprintf(forged, sizeof forged, "%sMAYCAQECAQE", token); /* the ASN.1 form */
	ck_assert_str_eq(kit_judge(auth, forged), WRONG);
	free(token);
}
END_TEST

START_TEST(a_token_is_bounded)
{
	static char long_header[40000], credential[70000];
	memset(credential, 'A', sizeof credential - 1);
	ck_assert_str_eq(kit_judge(auth, credential), "the credential is too long");
	memset(long_header, '[', 20000);
	char *token = test_token(long_header, KIT_CLAIMS, "HS256", keys[SECRET]);
	ck_assert_ptr_nonnull(kit_judge(auth, token));
	free(token);
	size_t len = (size_t)snprintf(long_header, sizeof long_header, "{\"alg\":\"HS256\",\"x5c\":\"");
	memset(long_header + len, 'x', 16000);
	snprintf(long_header + len + 16000, 8, "\"}");
	token = test_token(long_header, KIT_CLAIMS, "HS256", keys[SECRET]);
	ck_assert_ptr_null(kit_judge(auth, token));
	free(token);
}
END_TEST

START_TEST(counts_what_it_refuses_by_its_reason)
{
	char *token = test_token(good[0].header, "{\"sub\":\"u\",\"exp\":1}", "HS256", keys[SECRET]);
	ck_assert_str_eq(kit_judge(auth, token), refusals[REFUSAL_EXPIRED].sentence);
	ck_assert_str_eq(kit_judge(auth, "nonsense"), NO_TOKEN);
	ck_assert_str_eq(kit_judge(auth, ""), NO_TOKEN);
	ck_assert_uint_eq(metric_read(METRIC_CREDENTIALS_EXPIRED), 1);
	ck_assert_uint_eq(metric_read(METRIC_CREDENTIALS_UNKNOWN_KEY), 2);
	ck_assert_uint_eq(metric_read(METRIC_CREDENTIALS_BAD_SIGNATURE), 0);
	free(token);
}
END_TEST

START_TEST(a_key_with_two_dots_that_is_no_token_is_an_api_key)
{
	ck_assert_ptr_null(kit_judge(auth, "robot-key.with.dots"));
	ck_assert_ptr_nonnull(kit_judge(auth, "robot-key.with.dot"));
	ck_assert_ptr_nonnull(kit_judge(auth, "robot-key.with.dots "));
	ck_assert_uint_eq(metric_read(METRIC_CREDENTIALS_API_KEY), 1);
}
END_TEST

START_TEST(who_brings_nothing_is_anonymous_only_where_nothing_is_required)
{
	struct auth_settings settings = kit_settings();
	settings.is_required = false;
	struct auth *open = kit_auth(&settings);
	struct grants *grants = auth_anonymous(open);
	ck_assert(slice_is(grants->identity, "anonymous"));
	ck_assert(grants->has_system && !grants->scope && grants->ops == GRANT_ALL && !grants->expires_ms);
	ck_assert(auth_is_known(open, grants));
	ck_assert_str_eq(kit_judge(open, "guess"), NO_TOKEN); /* what is brought must be good */
	grants_unref(grants);
	auth_free(open);
	ck_assert_ptr_null(auth_anonymous(auth));
}
END_TEST

/* Settings that a node must not start with, and what it says. */
static const struct {
	const char *secret, *algorithm, *why;
} wrong[] = {
    {"", NULL, "auth.required is yes, but there are no keys; set one of auth.jwt_secret_file"},
    {"31 bytes are one byte too short", NULL,
     "auth.jwt_secret: a secret of 31 bytes is too short; at least 32 bytes are needed"},
    {"32 bytes are enough for HS256...", "HS512",
     "auth.jwt_secret: none of the algorithms that are allowed fits this key, which could do HS256"},
    {KIT_SECRET, "RS256", "auth.jwt_secret: none of the algorithms"},
    {KIT_SECRET, "none", "auth.jwt_algorithms: there is no \"none\""},
    {KIT_SECRET, "hs256", "auth.jwt_algorithms: there is no \"hs256\""},
    {"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE", NULL,
     "auth.jwt_secret: this is a key in PEM, and no secret"},
};

START_TEST(says_what_is_wrong_with_its_settings)
{
	struct auth_settings settings = kit_settings();
	struct slice algorithm = slice_of(wrong[_i].algorithm);
	struct auth *none = NULL;
	char why[256] = "";
	settings.jwt_secret = wrong[_i].secret;
	settings.jwt_algorithms = &algorithm;
	settings.jwt_algorithm_count = algorithm.ptr ? 1 : 0;
	ck_assert_int_eq(auth_new(&settings, &none, why), ERR_INVALID);
	ck_assert_msg(strstr(why, wrong[_i].why) == why, "%s", why);
	ck_assert_msg(!*wrong[_i].secret || !strstr(why, wrong[_i].secret), "%s", why);
}
END_TEST

START_TEST(the_algorithms_of_the_configuration_hold_for_keys_without_their_own)
{
	char jwks[KIT_PATH];
	struct slice allowed = SLICE_LITERAL("ES256");
	struct auth_settings settings = kit_settings();
	settings.jwt_keys_file = kit_path("keys.json", jwks);
	settings.jwt_algorithms = &allowed;
	settings.jwt_algorithm_count = 1;
	struct auth *narrow = kit_auth(&settings);
	char *by_rsa = test_token(good[12].header, KIT_CLAIMS, "RS256", keys[NAMED_RSA]); /* has its own */
	char *by_curve = test_token(good[14].header, KIT_CLAIMS, "ES256", keys[NAMED_EC]);
	ck_assert_ptr_null(kit_judge(narrow, by_rsa));
	ck_assert_ptr_null(kit_judge(narrow, by_curve));
	auth_free(narrow);
	free(by_rsa);
	free(by_curve);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth");
	TCase *node = tcase_create("a node with all kinds of keys");
	tcase_add_unchecked_fixture(node, make_keys, free_keys);
	tcase_add_checked_fixture(node, set_up, tear_down);
	tcase_add_loop_test(node, takes_what_is_signed_by_a_key_and_algorithm_of_its_own, 0,
	                    sizeof good / sizeof good[0]);
	tcase_add_loop_test(node, refuses_an_attack, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(node, never_uses_a_key_that_the_token_brings);
	tcase_add_test(node, refuses_a_good_token_that_was_touched);
	tcase_add_test(node, an_ecdsa_signature_is_two_numbers_side_by_side_and_none_is_zero);
	tcase_add_test(node, a_token_is_bounded);
	tcase_add_test(node, counts_what_it_refuses_by_its_reason);
	tcase_add_test(node, a_key_with_two_dots_that_is_no_token_is_an_api_key);
	tcase_add_test(node, who_brings_nothing_is_anonymous_only_where_nothing_is_required);
	tcase_add_loop_test(node, says_what_is_wrong_with_its_settings, 0, sizeof wrong / sizeof wrong[0]);
	tcase_add_test(node, the_algorithms_of_the_configuration_hold_for_keys_without_their_own);
	suite_add_tcase(suite, node);
	return suite_run(suite);
}

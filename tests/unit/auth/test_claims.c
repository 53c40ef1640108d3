/* What a token claims, claim by claim: each good form, and each that must not pass. */
#include "kit.h"

#include "gateway/auth/token.h"
#include "gateway/filter/filter.h"
#include "tests/support/suite.h"

#define HEADER "{\"alg\":\"HS256\"}"

static struct auth *auth;
static struct auth_settings settings;

static void set_up(void)
{
	settings = kit_settings();
	settings.jwt_secret = KIT_SECRET;
	settings.jwt_issuer = "https://issuer.example";
	settings.jwt_audience = "tracegate";
	auth = kit_auth(&settings);
}

static void tear_down(void)
{
	auth_free(auth);
}

/* NULL: granted. */
static const char *judge(struct auth *by, const char *claims)
{
	char *token = test_token_hs256(claims, KIT_SECRET);
	const char *why = kit_judge(by, token);
	free(token);
	return why;
}

static struct grants *grant(struct auth *by, const char *claims)
{
	char *token = test_token_hs256(claims, KIT_SECRET);
	struct grants *grants = NULL;
	const char *why = "";
	enum auth_verdict verdict = auth_check(by, slice_of(token), KIT_NOW_MS, &grants, &why);
	ck_assert_msg(verdict == AUTH_GRANTED, "%s: %s", claims, why);
	free(token);
	return grants;
}

/* With good claims beside it. now is 1764031200. */
static const struct {
	const char *claims;
	uint64_t leeway_ms;
	const char *why; /* NULL: granted */
} times[] = {
    {"\"exp\":1764031201", 0, NULL},
    {"\"exp\":1764031200", 0, "expired"},
    {"\"exp\":1764031199", 0, "expired"},
    {"\"exp\":1764031200.001", 0, NULL},
    {"\"exp\":1764031200.0", 0, "expired"},
    {"\"exp\":1764031199.999", 0, "expired"},
    {"\"exp\":1.764031201e9", 0, NULL},
    {"\"exp\":1.764031199e9", 0, "expired"},
    {"\"exp\":2147483648", 0, NULL},
    {"\"exp\":9223372036854775807", 0, NULL},
    {"\"exp\":9223372036854775808", 0, NULL},
    {"\"exp\":18446744073709551615", 60000, NULL},
    {"\"exp\":18446744073709551616", 60000, NULL},
    {"\"exp\":1e400", 60000, NULL},
    {"\"exp\":-1e400", 0, "expired"},
    {"\"exp\":1e-400", 0, "expired"},
    {"\"exp\":-1", 0, "expired"},
    {"\"exp\":-9223372036854775809", 0, "expired"},
    {"\"exp\":0", 0, "expired"},
    {"\"exp\":-0.0", 0, "expired"},
    {"\"exp\":\"1764031800\"", 0, "is no number"},
    {"\"exp\":\"\"", 0, "is no number"},
    {"\"exp\":null", 0, "is no number"},
    {"\"exp\":true", 0, "is no number"},
    {"\"exp\":[1764031800]", 0, "is no number"},
    {"\"exp\":{}", 0, "is no number"},
    {"\"jti\":\"x\"", 0, "no \"exp\""},
    {"\"Exp\":1764031800", 0, "no \"exp\""},
    {"\"exp\\u0000\":1764031800", 0, "no JSON object with unique names"},
    {"\"exp\":1,\"exp\":1764031800", 0, "unique names"},
    {"\"exp\":1764031800,\"\\u0065xp\":1", 0, "unique names"},
    {"\"exp\":1764031800,\"nbf\":1764031200", 0, NULL},
    {"\"exp\":1764031800,\"nbf\":1764031201", 0, "not valid yet"},
    {"\"exp\":1764031800,\"nbf\":1764031200.001", 0, "not valid yet"},
    {"\"exp\":1764031800,\"nbf\":9223372036854775807", 60000, "not valid yet"},
    {"\"exp\":1764031800,\"nbf\":18446744073709551616", 60000, "not valid yet"},
    {"\"exp\":1764031800,\"nbf\":-1", 0, NULL},
    {"\"exp\":1764031800,\"nbf\":\"1\"", 0, "is no number"},
    {"\"exp\":1764031800,\"nbf\":null", 0, "is no number"},
    {"\"exp\":1764031800,\"nbf\":[]", 0, "is no number"},
    {"\"exp\":1764031800,\"iat\":1764031200", 0, NULL},
    {"\"exp\":1764031800,\"iat\":1764031201", 0, "issued in the future"},
    {"\"exp\":1764031800,\"iat\":1e300", 60000, "issued in the future"},
    {"\"exp\":1764031800,\"iat\":false", 0, "is no number"},
    {"\"exp\":1764031800,\"iat\":\"now\"", 0, "is no number"},
    /* clocks that differ, with a leeway of a minute */
    {"\"exp\":1764031195", 60000, NULL},
    {"\"exp\":1764031141", 60000, NULL},
    {"\"exp\":1764031140", 60000, "expired"},
    {"\"exp\":1764031080", 60000, "expired"},
    {"\"exp\":1764031800,\"nbf\":1764031205,\"iat\":1764031205", 60000, NULL},
    {"\"exp\":1764031800,\"nbf\":1764031259,\"iat\":1764031259", 60000, NULL},
    {"\"exp\":1764031800,\"nbf\":1764031260,\"iat\":1764031260", 60000, NULL},
    {"\"exp\":1764031800,\"nbf\":1764031261", 60000, "not valid yet"},
    {"\"exp\":1764031800,\"nbf\":1764031320", 60000, "not valid yet"},
    {"\"exp\":1764031800,\"iat\":1764031320", 60000, "issued in the future"},
};

START_TEST(judges_times)
{
	char claims[512];
	settings.jwt_leeway_ms = times[_i].leeway_ms;
	struct auth *with_leeway = kit_auth(&settings);
	snprintf(claims, sizeof claims, "{\"sub\":\"u\",\"iss\":\"https://issuer.example\",\"aud\":\"tracegate\",%s}",
	         times[_i].claims);
	const char *why = judge(with_leeway, claims);
	if (times[_i].why)
		ck_assert_msg(why && strstr(why, times[_i].why), "%s: %s", times[_i].claims, why ? why : "granted");
	else
		ck_assert_msg(!why, "%s: %s", times[_i].claims, why);
	auth_free(with_leeway);
}
END_TEST

#define RIGHT "\"exp\":1764031800,\"iss\":\"https://issuer.example\",\"aud\":\"tracegate\""
#define ISSUED "\"exp\":1764031800,\"sub\":\"u\",\"iss\":\"https://issuer.example\""

static const struct {
	const char *claims, *why;
} names[] = {
    {"{" RIGHT ",\"sub\":\"u\"}", NULL},
    {"{" RIGHT ",\"sub\":\"\\u00fc \\\"\"}", NULL},
    {"{" RIGHT ",\"sub\":\"u\\u0000\"}", "\"sub\""},
    {"{" RIGHT ",\"sub\":\"a\\u0001b\"}", "\"sub\""},
    {"{" RIGHT ",\"sub\":\"\\u007f\"}", "\"sub\""},
    {"{" RIGHT "}", "\"sub\""},
    {"{" RIGHT ",\"sub\":\"\"}", "\"sub\""},
    {"{" RIGHT ",\"sub\":1}", "\"sub\""},
    {"{" RIGHT ",\"sub\":null}", "\"sub\""},
    {"{" RIGHT ",\"sub\":[\"u\"]}", "\"sub\""},
    {"{" RIGHT ",\"sub\":\"u\",\"jti\":7}", "\"jti\""},
    {"{" RIGHT ",\"sub\":\"u\",\"jti\":\"7\"}", NULL},
    {"{\"exp\":1764031800,\"sub\":\"u\",\"aud\":\"tracegate\"}", "\"iss\""},
    {"{\"exp\":1764031800,\"sub\":\"u\",\"aud\":\"tracegate\",\"iss\":\"https://issuer.example/\"}", "\"iss\""},
    {"{\"exp\":1764031800,\"sub\":\"u\",\"aud\":\"tracegate\",\"iss\":\"https://issuer.example\\u0000\"}", "\"iss\""},
    {"{\"exp\":1764031800,\"sub\":\"u\",\"aud\":\"tracegate\",\"iss\":[\"https://issuer.example\"]}", "\"iss\""},
    {"{\"exp\":1764031800,\"sub\":\"u\",\"aud\":\"tracegate\",\"iss\":null}", "\"iss\""},
    {"{" ISSUED "}", "\"aud\""},
    {"{" ISSUED ",\"aud\":\"other\"}", "\"aud\""},
    {"{" ISSUED ",\"aud\":\"\"}", "\"aud\""},
    {"{" ISSUED ",\"aud\":\"Tracegate\"}", "\"aud\""},
    {"{" ISSUED ",\"aud\":[]}", "\"aud\""},
    {"{" ISSUED ",\"aud\":[\"other\"]}", "\"aud\""},
    {"{" ISSUED ",\"aud\":[\"other\",\"tracegate\"]}", NULL},
    {"{" ISSUED ",\"aud\":[\"tracegate\",1]}", "\"aud\""},
    {"{" ISSUED ",\"aud\":[[\"tracegate\"]]}", "\"aud\""},
    {"{" ISSUED ",\"aud\":{\"tracegate\":1}}", "\"aud\""},
    {"{" ISSUED ",\"aud\":null}", "\"aud\""},
    {"[]", "no JSON object"},
    {"null", "no JSON object"},
    {"", "no JSON object"},
    {"\"u\"", "no JSON object"},
    {"{" RIGHT ",\"sub\":\"u\"}}", "no JSON object"},
    {"{" RIGHT ",\"sub\":\"u\",\"sub\":\"admin\"}", "unique names"},
    {"{" RIGHT ",\"sub\":\"\xc0\xaf\"}", "no JSON object"},
    {"{" RIGHT ",\"sub\":NaN}", "no JSON object"},
};

START_TEST(judges_who_it_is_from_and_for)
{
	const char *why = judge(auth, names[_i].claims);
	if (names[_i].why)
		ck_assert_msg(why && strstr(why, names[_i].why), "%s: %s", names[_i].claims, why ? why : "granted");
	else
		ck_assert_msg(!why, "%s: %s", names[_i].claims, why);
}
END_TEST

START_TEST(asks_for_no_more_than_it_is_told_to)
{
	struct auth_settings lenient = kit_settings();
	lenient.jwt_secret = KIT_SECRET;
	lenient.requires_expiry = false;
	struct auth *by = kit_auth(&lenient);
	struct grants *grants = grant(by, "{\"sub\":\"u\"}");
	ck_assert_uint_eq(grants->expires_ms, 0);
	grants_unref(grants);
	ck_assert_ptr_null(judge(by, "{\"sub\":\"u\",\"iss\":\"anyone\",\"aud\":[\"a\",\"b\"],\"exp\":1764031800}"));
	ck_assert_ptr_nonnull(judge(by, "{\"sub\":\"u\",\"exp\":null}")); /* what is there has its type all the same */
	ck_assert_ptr_nonnull(judge(by, "{\"sub\":\"u\",\"iss\":7}"));
	ck_assert_ptr_nonnull(judge(by, "{\"sub\":\"u\",\"aud\":[7]}"));
	auth_free(by);
}
END_TEST

START_TEST(gives_what_is_claimed)
{
	settings.jwt_leeway_ms = 5000;
	struct auth *by = kit_auth(&settings);
	struct grants *grants =
	    grant(by, "{" RIGHT ",\"sub\":\"u\",\"tracegate\":{\"channels\":[\"trace:*\",\"system:*\"],"
	              "\"sessions\":[\"s1\",\"s2\"],\"agents\":[\"a1\"],\"ops\":[\"subscribe\",\"history\"],"
	              "\"limits\":{\"eventsPerSecond\":50,\"connections\":0}}}");
	ck_assert(slice_is(grants->identity, "u"));
	ck_assert_uint_eq(grants->expires_ms, UINT64_C(1764031805000)); /* while it is taken */
	ck_assert_uint_eq(grants->ops, GRANT_SUBSCRIBE | GRANT_HISTORY);
	ck_assert(grants->has_system);
	ck_assert_uint_eq(grants->channel_count, 2);
	ck_assert_uint_eq(grants->session_count, 2);
	ck_assert_uint_eq(grants->agent_count, 1);
	ck_assert(slice_is(grants->sessions[1], "s2"));
	ck_assert(grants->limits.is_set[LIMIT_EVENTS_PER_SECOND] &&
	          grants->limits.value[LIMIT_EVENTS_PER_SECOND] == 50);
	ck_assert(grants->limits.is_set[LIMIT_CONNECTIONS] && grants->limits.value[LIMIT_CONNECTIONS] == 0);
	ck_assert(!grants->limits.is_set[LIMIT_COMMANDS_PER_SECOND]);
	ck_assert_ptr_nonnull(grants->scope);
	ck_assert(auth_is_known(by, grants));
	ck_assert_uint_ne(grants->key, 0);
	grants_unref(grants);
	auth_free(by);
}
END_TEST

static const struct {
	const char *rights, *named;
} undocumented[] = {
    {"7", "no object"},
    {"{\"channel\":[]}", "a member that means nothing"},
    {"{\"channels\":[7]}", "\"channels\""},
    {"{\"sessions\":\"s1\"}", "\"sessions\""},
    {"{\"agents\":[\"\"]}", "\"agents\""},
    {"{\"ops\":[\"all\"]}", "\"ops\""},
    {"{\"limits\":{\"connections\":-1}}", "\"limits\""},
};

START_TEST(names_the_member_of_what_is_granted_that_is_wrong)
{
	char claims[256];
	snprintf(claims, sizeof claims, "{" RIGHT ",\"sub\":\"u\",\"tracegate\":%s}", undocumented[_i].rights);
	const char *sentence = judge(auth, claims);
	ck_assert_msg(sentence && strstr(sentence, undocumented[_i].named), "%s: %s", claims, sentence);
}
END_TEST

START_TEST(without_lists_everything_is_granted_but_the_system_channels)
{
	struct grants *grants = grant(auth, "{" RIGHT ",\"sub\":\"u\"}");
	ck_assert_ptr_null(grants->scope);
	ck_assert_uint_eq(grants->ops, GRANT_ALL);
	ck_assert(!grants->has_system);
	grants_unref(grants);
	grants = grant(auth, "{" RIGHT ",\"sub\":\"u\",\"tracegate\":{\"channels\":[\"*\",\"s*\",\"[s]ystem:*\"]}}");
	ck_assert(!grants->has_system);
	grants_unref(grants);
}
END_TEST

/* A token is read, and no API key, where it has three parts and the first is a JSON object. */
static const struct {
	const char *credential;
	bool is_token;
} forms[] = {
    {"e30..", true},
    {"e30.e30.AA", true},
    {"e30.=.=", true},
    {"e30.e30", false},
    {"e30", false},
    {"", false},
    {"..", false},
    {".e30.", false},
    {"e30.e30.AA.AA", false},
    {"e30.e30.AA.AA.AA", false}, /* an encrypted one */
    {"e30=.e30.AA", false},
    {"W10.e30.AA", false}, /* [] */
    {"e31.e30.AA", false}, /* not its canonical form */
    {"key.with.dots", false},
};

START_TEST(tells_a_token_from_a_key)
{
	struct arena arena;
	struct token token;
	arena_init(&arena, TOKEN_ARENA_BYTES);
	enum err error = token_read(slice_of(forms[_i].credential), &arena, &token);
	ck_assert_msg(error == (forms[_i].is_token ? OK : ERR_INVALID), "%s", forms[_i].credential);
	arena_fini(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("claims");
	TCase *tokens = tcase_create("tokens signed rightly");
	tcase_add_checked_fixture(tokens, set_up, tear_down);
	tcase_add_loop_test(tokens, judges_times, 0, sizeof times / sizeof times[0]);
	tcase_add_loop_test(tokens, judges_who_it_is_from_and_for, 0, sizeof names / sizeof names[0]);
	tcase_add_test(tokens, asks_for_no_more_than_it_is_told_to);
	tcase_add_test(tokens, gives_what_is_claimed);
	tcase_add_loop_test(tokens, names_the_member_of_what_is_granted_that_is_wrong, 0, sizeof undocumented / sizeof undocumented[0]);
	tcase_add_test(tokens, without_lists_everything_is_granted_but_the_system_channels);
	tcase_add_loop_test(tokens, tells_a_token_from_a_key, 0, sizeof forms / sizeof forms[0]);
	suite_add_tcase(suite, tokens);
	return suite_run(suite);
}

/* The API key file. */
#include "kit.h"

#include "gateway/auth/keyset.h"
#include "tests/support/suite.h"

static char why[KEYSET_WHY];

static struct keyset *read_keys(const char *text, enum err wanted)
{
	struct keyset *keyset = keyset_new();
	why[0] = '\0';
	enum err error = keyset_read_api_keys(slice_of(text), kit_served, keyset, why);
	ck_assert_msg(error == wanted, "%s: %s", text, why);
	if (error == OK)
		return keyset;
	keyset_unref(keyset);
	return NULL;
}

static struct grants *find(const struct keyset *keyset, const char *key)
{
	unsigned char digest[API_KEY_DIGEST_BYTES];
	keyset_digest(slice_of(key), digest);
	struct api_key *found = keyset_find(keyset, digest);
	return found ? found->grants : NULL;
}

START_TEST(finds_a_key_in_either_form)
{
	char text[1024], hex[2 * API_KEY_DIGEST_BYTES + 1];
	unsigned char digest[API_KEY_DIGEST_BYTES];
	keyset_digest(SLICE_LITERAL("correct-horse"), digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(hex + 2 * i, 3, i % 2 ? "%02x" : "%02X", digest[i]);
	snprintf(text, sizeof text,
	         "{\"keys\":[{\"id\":\"robot\",\"key\":\"robot-key\"},{\"id\":\"horse\",\"sha256\":\"%s\",\"ops\":["
	         "\"history\"],"
	         "\"sessions\":[\"s1\"],\"limits\":{\"connections\":2},\"expires\":\"2027-01-01T00:00:00Z\"}]}",
	         hex);
	struct keyset *keyset = read_keys(text, OK);
	ck_assert(slice_is(find(keyset, "robot-key")->identity, "robot"));
	ck_assert_uint_eq(find(keyset, "robot-key")->expires_ms, 0);
	struct grants *horse = find(keyset, "correct-horse");
	ck_assert(slice_is(horse->identity, "horse"));
	ck_assert_uint_eq(horse->ops, GRANT_HISTORY);
	ck_assert_uint_eq(horse->expires_ms, UINT64_C(1798761600000));
	ck_assert_uint_eq(horse->limits.value[LIMIT_CONNECTIONS], 2);
	ck_assert_ptr_nonnull(horse->scope);
	ck_assert_ptr_null(find(keyset, hex)); /* the hash is no key */
	ck_assert_ptr_null(find(keyset, "robot-ke"));
	ck_assert_ptr_null(find(keyset, ""));
	keyset_unref(keyset);
}
END_TEST

START_TEST(an_empty_file_of_keys_is_one)
{
	struct keyset *keyset = read_keys("{\"keys\":[]}", OK);
	ck_assert_ptr_null(find(keyset, "anything"));
	keyset_unref(keyset);
}
END_TEST

START_TEST(an_entry_that_changes_is_another)
{
	static const char *const entries[] = {
	    "{\"keys\":[{\"id\":\"a\",\"key\":\"key-of-a\"}]}",
	    "{\"keys\":[{\"id\":\"a\",\"key\":\"key-of-a\",\"ops\":[\"state\"]}]}",
	    "{\"keys\":[{\"id\":\"b\",\"key\":\"key-of-a\"}]}",
	};
	uint64_t marks[3];
	for (size_t i = 0; i < 3; i++) {
		struct keyset *keyset = read_keys(entries[i], OK), *again = read_keys(entries[i], OK);
		marks[i] = find(keyset, "key-of-a")->key;
		ck_assert_uint_eq(marks[i], find(again, "key-of-a")->key);
		keyset_unref(keyset);
		keyset_unref(again);
	}
	ck_assert_uint_ne(marks[0], marks[1]);
	ck_assert_uint_ne(marks[0], marks[2]);
	ck_assert_uint_ne(marks[0], 0);
}
END_TEST

#define ENTRY(members) "{\"keys\":[{\"id\":\"first\",\"key\":\"key-of-first\"},{" members "}]}"
#define NAMED "\"id\":\"a\",\"key\":\"key-of-a\""

static const struct {
	const char *text, *why;
} wrong[] = {
    {"", "at byte 0: "},
    {"{\"keys\":[", "at byte 9: "},
    {"[]", "must be a JSON object with an array \"keys\" and nothing else"},
    {"{}", "must be a JSON object with an array \"keys\" and nothing else"},
    {"{\"keys\":{}}", "must be a JSON object with an array \"keys\" and nothing else"},
    {"{\"keys\":[],\"version\":1}", "must be a JSON object with an array \"keys\" and nothing else"},
    {"{\"keys\":[\"key\"]}", "keys[0]: must be an object, not string"},
    {ENTRY(NAMED ",\"chanels\":[\"trace:*\"]"), "keys[1]: there is no field \"chanels\""},
    {ENTRY(NAMED ",\"key\":\"key-of-b\""), "at byte "},
    {ENTRY("\"key\":\"key-of-a\""), "keys[1]: id: must be a string of 1 to 256 bytes"},
    {ENTRY("\"id\":\"\",\"key\":\"key-of-a\""), "keys[1]: id: must be a string of 1 to 256 bytes"},
    {ENTRY("\"id\":1,\"key\":\"key-of-a\""), "keys[1]: id: must be a string of 1 to 256 bytes"},
    {ENTRY("\"id\":\"first\",\"key\":\"key-of-a\""), "keys[1]: id: another entry has the same"},
    {ENTRY("\"id\":\"a\",\"key\":\"key-of-first\""), " have the same key"},
    {ENTRY("\"id\":\"a\""), "keys[1]: key: one of \"key\" and \"sha256\" is needed"},
    {ENTRY(NAMED ",\"sha256\":\"00\""), "keys[1]: key: one of \"key\" and \"sha256\" is needed"},
    {ENTRY("\"id\":\"a\",\"key\":7"), "keys[1]: key: must be a string of 8 to 512 bytes"},
    {ENTRY("\"id\":\"a\",\"key\":\"short\""), "keys[1]: key: must be a string of 8 to 512 bytes"},
    {ENTRY("\"id\":\"a\",\"key\":\"with a space\""), "keys[1]: key: may hold visible ASCII characters only"},
    {ENTRY("\"id\":\"a\",\"key\":\"nul\\u0000nul-nul\""), "keys[1]: key: may hold visible ASCII characters only"},
    {ENTRY("\"id\":\"a\",\"key\":\"e30.e30.AAAA\""), "keys[1]: key: has the form of a token"},
    {ENTRY("\"id\":\"a\",\"sha256\":\"abc\""), "keys[1]: sha256: must be the 64 hex digits"},
    {ENTRY("\"id\":\"a\",\"sha256\":\"g000000000000000000000000000000000000000000000000000000000000000\""),
     "keys[1]: sha256: must be the 64 hex digits"},
    {ENTRY(NAMED ",\"expires\":1798761600"), "keys[1]: expires: must be an ISO 8601 time"},
    {ENTRY(NAMED ",\"expires\":\"now\""), "keys[1]: expires: must be an ISO 8601 time"},
    {ENTRY(NAMED ",\"expires\":\"1798761600000\""), "keys[1]: expires: must be an ISO 8601 time"},
    {ENTRY(NAMED ",\"expires\":\"2027-02-30\""), "keys[1]: expires: must be an ISO 8601 time"},
    {ENTRY(NAMED ",\"expires\":\"\""), "keys[1]: expires: must be an ISO 8601 time"},
    {ENTRY(NAMED ",\"expires\":null"), "keys[1]: expires: must be an ISO 8601 time"},
    {ENTRY(NAMED ",\"channels\":[]"), "keys[1]: channels: an empty list"},
    {ENTRY(NAMED ",\"agents\":[\"a\",1]"), "keys[1]: agents[1]: must be a string, not number"},
    {ENTRY(NAMED ",\"ops\":[\"write\"]"), "keys[1]: ops[0]: no such op"},
    {ENTRY(NAMED ",\"limits\":{\"connections\":\"1\"}"), "keys[1]: limits: connections must be a whole number"},
};

START_TEST(says_which_key_and_field_is_wrong_and_shows_no_key)
{
	read_keys(wrong[_i].text, ERR_INVALID);
	ck_assert_msg(strstr(why, wrong[_i].why) != NULL, "%s: %s", wrong[_i].text, why);
	ck_assert_msg(!strstr(why, "key-of"), "%s", why);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_keys");
	TCase *keys = tcase_create("API keys");
	tcase_add_test(keys, finds_a_key_in_either_form);
	tcase_add_test(keys, an_empty_file_of_keys_is_one);
	tcase_add_test(keys, an_entry_that_changes_is_another);
	tcase_add_loop_test(keys, says_which_key_and_field_is_wrong_and_shows_no_key, 0,
	                    sizeof wrong / sizeof wrong[0]);
	suite_add_tcase(suite, keys);
	return suite_run(suite);
}

/* Keys that change while the node runs. */
#include "kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "gateway/auth/keyfile.h"
#include "tests/support/suite.h"

static struct test_key *first, *second;
static struct auth *auth;
static char why[256];

static char *jwks_of(const struct test_key *key)
{
	char *jwk = test_key_jwk(key, ""), *text = malloc(strlen(jwk) + 32);
	sprintf(text, "{\"keys\":[%s]}", jwk);
	free(jwk);
	return text;
}

static void write_jwks(const char *name, const struct test_key *key)
{
	char *text = jwks_of(key);
	kit_write(name, text);
	free(text);
}

static void set_up(void)
{
	static char jwks[KIT_PATH], api[KIT_PATH]; /* borrowed by the auth */
	struct auth_settings settings = kit_settings();
	kit_open_folder();
	first = test_key_ec("P-256");
	second = test_key_ec("P-256");
	write_jwks("keys.json", first);
	kit_write("api.json", "{\"keys\":[{\"id\":\"a\",\"key\":\"key-of-a\"},{\"id\":\"b\",\"key\":\"key-of-b\"}]}");
	settings.jwt_keys_file = kit_path("keys.json", jwks);
	settings.api_keys_file = kit_path("api.json", api);
	auth = kit_auth(&settings);
}

static void tear_down(void)
{
	auth_free(auth);
	test_key_free(first);
	test_key_free(second);
	kit_close_folder();
}

/* NULL: granted. */
static const char *judge(const struct test_key *key)
{
	char *token = test_token("{\"alg\":\"ES256\"}", KIT_CLAIMS, "ES256", key);
	const char *reason = kit_judge(auth, token);
	free(token);
	return reason;
}

static struct grants *grant(const char *credential)
{
	struct grants *grants = NULL;
	const char *reason = "";
	ck_assert_int_eq(auth_check(auth, slice_of(credential), KIT_NOW_MS, &grants, &reason), AUTH_GRANTED);
	return grants;
}

START_TEST(does_nothing_while_nothing_changes)
{
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_UNCHANGED);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_UNCHANGED);
	ck_assert_ptr_null(judge(first));
	ck_assert_ptr_nonnull(judge(second));
}
END_TEST

START_TEST(takes_the_keys_of_a_file_that_was_replaced)
{
	write_jwks("keys.json", second);
	ck_assert_ptr_null(judge(first)); /* not before it looked */
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_RELOADED);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_UNCHANGED);
	ck_assert_ptr_nonnull(judge(first));
	ck_assert_ptr_null(judge(second));
	ck_assert_ptr_null(kit_judge(auth, "key-of-a")); /* the other file's keys stay */
}
END_TEST

START_TEST(takes_one_file_at_a_time_until_none_is_left)
{
	write_jwks("keys.json", second);
	kit_write("api.json", "{\"keys\":[]}");
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_RELOADED);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_RELOADED);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_UNCHANGED);
	ck_assert_ptr_null(judge(second));
	ck_assert_ptr_nonnull(kit_judge(auth, "key-of-a"));
}
END_TEST

START_TEST(keeps_the_old_keys_while_a_file_is_broken_and_tries_it_once)
{
	kit_write("keys.json", "{\"keys\":[{\"kty\":\"EC\"");
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_FAILED);
	ck_assert_msg(strstr(why, "auth.jwt_keys_file: ") == why && strstr(why, "keys.json: at byte "), "%s", why);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_UNCHANGED);
	ck_assert_ptr_null(judge(first));
	kit_write("api.json", "{\"keys\":[{\"id\":\"c\",\"key\":\"key-of-c\"}]}"); /* a broken file holds up no other */
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_RELOADED);
	ck_assert_ptr_null(kit_judge(auth, "key-of-c"));
	ck_assert_ptr_nonnull(kit_judge(auth, "key-of-a"));
	write_jwks("keys.json", second);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_RELOADED);
	ck_assert_ptr_null(judge(second));
}
END_TEST

START_TEST(keeps_the_old_keys_while_a_file_is_gone)
{
	char path[KIT_PATH];
	ck_assert_int_eq(unlink(kit_path("keys.json", path)), 0);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_FAILED);
	ck_assert_msg(strstr(why, "No such file") != NULL, "%s", why);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_UNCHANGED);
	ck_assert_ptr_null(judge(first));
	write_jwks("keys.json", second);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_RELOADED);
	ck_assert_ptr_null(judge(second));
}
END_TEST

START_TEST(waits_for_no_pipe)
{
	char path[KIT_PATH];
	ck_assert_int_eq(unlink(kit_path("keys.json", path)), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_FAILED);
	ck_assert_msg(strstr(why, "is no regular file") != NULL, "%s", why);
}
END_TEST

/* As the kubelet updates a Secret: keys.json -> ..data/keys.json, ..data -> ..version, and ..data is replaced by a
 * rename. */
START_TEST(follows_links_as_kubernetes_replaces_them)
{
	char from[KIT_PATH], to[KIT_PATH], path[KIT_PATH];
	struct auth_settings settings = kit_settings();
	write_jwks("v1", first);
	write_jwks("v2", second);
	ck_assert_int_eq(symlink("v1", kit_path("data", to)), 0);
	ck_assert_int_eq(symlink("data", kit_path("mounted", path)), 0);
	settings.jwt_keys_file = path;
	auth_free(auth);
	auth = kit_auth(&settings);
	ck_assert_ptr_null(judge(first));
	ck_assert_int_eq(symlink("v2", kit_path("data_new", from)), 0);
	ck_assert_int_eq(rename(from, to), 0);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_RELOADED);
	ck_assert_ptr_null(judge(second));
	ck_assert_ptr_nonnull(judge(first));
	auth_free(auth);
	auth = NULL;
}
END_TEST

START_TEST(knows_whose_key_is_gone_or_has_changed)
{
	char *token = test_token("{\"alg\":\"ES256\"}", KIT_CLAIMS, "ES256", first);
	struct grants *a = grant("key-of-a"), *b = grant("key-of-b"), *by_token = grant(token);
	ck_assert(auth_is_known(auth, a) && auth_is_known(auth, b) && auth_is_known(auth, by_token));
	kit_write("api.json",
	          "{\"keys\":[{\"id\":\"b\",\"key\":\"key-of-b\",\"ops\":[]},{\"id\":\"c\",\"key\":\"key-of-c\"}]}");
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_RELOADED);
	ck_assert(!auth_is_known(auth, a));
	ck_assert(!auth_is_known(auth, b));
	ck_assert(auth_is_known(auth, by_token));
	ck_assert(slice_is(a->identity, "a")); /* what is held lives on */
	write_jwks("keys.json", second);
	ck_assert_int_eq(auth_refresh(auth, why), AUTH_RELOADED);
	ck_assert(!auth_is_known(auth, by_token));
	grants_unref(a);
	grants_unref(b);
	grants_unref(by_token);
	free(token);
}
END_TEST

static _Atomic bool is_over;

static void *ask_until_it_is_over(void *argument)
{
	size_t granted = 0;
	while (!atomic_load(&is_over) || granted == 0) {
		struct grants *grants = NULL;
		const char *reason;
		if (auth_check(auth, SLICE_LITERAL("key-of-a"), KIT_NOW_MS, &grants, &reason) != AUTH_GRANTED)
			return argument; /* anything but NULL: it failed */
		granted += auth_is_known(auth, grants);
		grants_unref(grants);
	}
	return NULL;
}

START_TEST(workers_ask_while_keys_are_replaced)
{
	pthread_t askers[2];
	char text[256];
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&askers[i], NULL, ask_until_it_is_over, auth), 0);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(text, sizeof text,
		         "{\"keys\":[{\"id\":\"a\",\"key\":\"key-of-a\"},{\"id\":\"n%u\",\"key\":\"key-number-%u\"}]}",
		         i, i);
		kit_write("api.json", text);
		ck_assert_int_eq(auth_refresh(auth, why), AUTH_RELOADED);
	}
	atomic_store(&is_over, true);
	for (size_t i = 0; i < 2; i++) {
		void *failure = NULL;
		ck_assert_int_eq(pthread_join(askers[i], &failure), 0);
		ck_assert_ptr_null(failure);
	}
}
END_TEST

START_TEST(reads_a_regular_file_and_nothing_else)
{
	char path[KIT_PATH], *text = NULL, reason[KEYFILE_WHY];
	size_t len = 0;
	kit_write("some", "two");
	ck_assert_int_eq(keyfile_read(kit_path("some", path), &text, &len, reason), OK);
	ck_assert(slice_is((struct slice){text, len}, "two"));
	keyfile_free(text, len);
	ck_assert_int_eq(keyfile_read(kit_folder, &text, &len, reason), ERR_IO);
	ck_assert_str_eq(reason, "is no regular file");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reload");
	TCase *files = tcase_create("files");
	tcase_add_checked_fixture(files, set_up, tear_down);
	tcase_add_test(files, does_nothing_while_nothing_changes);
	tcase_add_test(files, takes_the_keys_of_a_file_that_was_replaced);
	tcase_add_test(files, takes_one_file_at_a_time_until_none_is_left);
	tcase_add_test(files, keeps_the_old_keys_while_a_file_is_broken_and_tries_it_once);
	tcase_add_test(files, keeps_the_old_keys_while_a_file_is_gone);
	tcase_add_test(files, waits_for_no_pipe);
	tcase_add_test(files, follows_links_as_kubernetes_replaces_them);
	tcase_add_test(files, knows_whose_key_is_gone_or_has_changed);
	tcase_add_test(files, workers_ask_while_keys_are_replaced);
	tcase_add_test(files, reads_a_regular_file_and_nothing_else);
	suite_add_tcase(suite, files);
	return suite_run(suite);
}

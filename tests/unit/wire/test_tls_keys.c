/* Handshakes in memory, with what the files hold: who comes in with a client certificate, and who no longer does. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "gateway/wire/openssl.h"
#include "gateway/wire/tls_keys.h"
#include "tests/support/suite.h"

#define ROUNDS 10

/* An authority with three certificates and with lists; another one of the same name; one below the first. */
static const char script[] =
	"set -e; cd \"$0\"\n"
	"key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n"
	"authority() { openssl req -x509 $key -keyout $1.key -out $1.pem -days 2 -subj /CN=authority; }\n"
	"issue() { openssl req -new $key -keyout $1.key -out $1.csr -subj /CN=$1; printf \"$3\" >$1.ext\n"
	"	openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem; }\n"
	"printf '[ca]\\ndefault_ca=a\\n[a]\\ndatabase=index\\ncrlnumber=number\\ndefault_md=sha256\\n' >lists.cnf\n"
	"list() { echo 01 >number; : >index; [ -z \"$3\" ] || printf 'R\\t400101000000Z\\t260101000000Z\\t%s\\tunknown\\t/CN=x\\n' \\\n"
	"	$(openssl x509 -in $3.pem -noout -serial | cut -d= -f2) >index\n"
	"	openssl ca -config lists.cnf -gencrl -cert $2.pem -keyfile $2.key -out $1 -crldays ${4:-1}; }\n"
	"authority ca; authority other; issue between ca 'basicConstraints=critical,CA:TRUE'\n"
	"issue server ca ''; issue good ca ''; issue bad ca ''; issue deep between ''\n"
	"cat deep.pem between.pem >chain.pem\n"
	"list none.crl ca ''; list bad.crl ca bad; list forged.crl other bad; list long.crl ca '' 30\n"
	"list between.crl between ''; list deep.crl between deep; list above.crl ca between\n"
	"cat none.crl between.crl >both.crl; cat none.crl deep.crl >deeply.crl; cat above.crl between.crl >highly.crl\n"
	"cat none.crl long.crl >several.crl; cat none.crl forged.crl >partly.crl\n"
	"head -c 150 bad.crl >cut.crl; : >empty.crl; openssl crl -in bad.crl -outform DER -out binary.crl\n";

static char folder[] = "/tmp/tracegate-tls-XXXXXX";
static char lists[64], authorities[64], certificate[64], key[64], why[TLS_KEYS_WHY_MAX];
static struct tls_keys *keys;

static void run(const char *text)
{
	pid_t child = fork();
	int status = -1;
	if (child == 0) {
		if (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout))
			_exit(126);
		execlp("sh", "sh", "-c", text, folder, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

static void make_files(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	run(script);
}

static void remove_files(void)
{
	run("rm -r \"$0\"");
}

static void path_of(char path[64], const char *name)
{
	snprintf(path, 64, "%s/%s", folder, name);
}

static void set_up(void)
{
	path_of(lists, "lists");
	path_of(authorities, "ca.pem");
	path_of(certificate, "server.pem");
	path_of(key, "server.key");
	keys = NULL;
}

static void tear_down(void)
{
	clock_real();
	tls_keys_free(keys);
}

/* Puts that file in the place of the lists. */
static void put(const char *name)
{
	char command[160];
	snprintf(command, sizeof command, "cd \"$0\" && cp %s lists.new && mv lists.new lists", name);
	run(command);
}

static enum err open_keys(const char *name)
{
	const struct tls_keys_settings settings = {.certificate_file = certificate,
						   .key_file = key,
						   .client_ca_file = authorities,
						   .client_crl_file = name ? lists : "",
						   .client_auth = TLS_CLIENT_AUTH_REQUIRED};
	if (name)
		put(name);
	return tls_keys_new(&settings, &keys, why);
}

/* Changed files are read when they were still for a look. */
static void replace(const char *name)
{
	put(name);
	tls_keys_look(keys);
	tls_keys_look(keys);
}

static SSL *client_of(const char *name, const char *key_name)
{
	char path[64];
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	path_of(path, name);
	ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(context, path), 1);
	path_of(path, key_name);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM), 1);
	SSL *client = SSL_new(context);
	SSL_CTX_free(context);
	SSL_set_connect_state(client);
	return client;
}

/* The server's session when it took the client; else NULL, and why it did not in ret_result (X509_V_ERR_...). */
static SSL *shake(SSL *server, const char *name, const char *key_name, long *ret_result)
{
	BIO *near, *far;
	SSL *client = client_of(name, key_name);
	bool is_done = false;
	ck_assert_int_eq(BIO_new_bio_pair(&near, 0, &far, 0), 1);
	SSL_set_bio(client, near, near);
	SSL_set_bio(server, far, far);
	SSL_set_accept_state(server);
	for (int i = 0; i < ROUNDS && !is_done; i++) {
		SSL_do_handshake(client);
		is_done = SSL_do_handshake(server) == 1;
	}
	*ret_result = SSL_get_verify_result(server);
	SSL_free(client);
	ERR_clear_error();
	if (is_done && tls_keys_admit(keys, server))
		return server;
	SSL_free(server);
	return NULL;
}

static long result_of(const char *name, const char *key_name)
{
	long result;
	SSL *session = shake(tls_keys_session(keys), name, key_name, &result);
	ck_assert((session != NULL) == (result == X509_V_OK));
	SSL_free(session);
	return result;
}

static SSL *taken(const char *name, const char *key_name)
{
	long result;
	SSL *session = shake(tls_keys_session(keys), name, key_name, &result);
	ck_assert_msg(session != NULL, "%s", X509_verify_cert_error_string(result));
	return session;
}

START_TEST(without_lists_nobody_is_revoked)
{
	ck_assert_int_eq(open_keys(NULL), OK);
	SSL *session = taken("bad.pem", "bad.key");
	ck_assert(!tls_keys_have_revoked(keys, session));
	ck_assert(!tls_keys_have_old_list(keys, why));
	SSL_free(session);
}
END_TEST

START_TEST(who_is_on_the_list_does_not_come_in)
{
	ck_assert_int_eq(open_keys("bad.crl"), OK);
	ck_assert_int_eq(result_of("good.pem", "good.key"), X509_V_OK);
	ck_assert_int_eq(result_of("bad.pem", "bad.key"), X509_V_ERR_CERT_REVOKED);
}
END_TEST

START_TEST(a_new_list_counts_for_sessions_that_are_open_and_for_those_that_begin)
{
	long result;
	ck_assert_int_eq(open_keys("none.crl"), OK);
	SSL *good = taken("good.pem", "good.key"), *bad = taken("bad.pem", "bad.key"), *late = tls_keys_session(keys);
	unsigned readings = tls_keys_readings(keys);
	tls_keys_look(keys);
	ck_assert_uint_eq(tls_keys_readings(keys), readings);
	replace("bad.crl");
	ck_assert_uint_ne(tls_keys_readings(keys), readings);
	ck_assert(tls_keys_have_revoked(keys, bad));
	ck_assert(!tls_keys_have_revoked(keys, good));
	ck_assert_ptr_null(shake(late, "bad.pem", "bad.key", &result)); /* by the lists that it began with it would do */
	ck_assert_int_eq(result, X509_V_OK);
	replace("none.crl");
	ck_assert(!tls_keys_have_revoked(keys, bad));
	ck_assert_int_eq(result_of("bad.pem", "bad.key"), X509_V_OK);
	SSL_free(good);
	SSL_free(bad);
}
END_TEST

static const char *const broken[] = {"cut.crl", "empty.crl", "binary.crl", "forged.crl", "partly.crl", "ca.pem"};

START_TEST(a_broken_file_leaves_the_lists_before_in_place)
{
	ck_assert_int_eq(open_keys("bad.crl"), OK);
	unsigned readings = tls_keys_readings(keys);
	replace(broken[_i]);
	ck_assert_uint_eq(tls_keys_readings(keys), readings);
	ck_assert_int_eq(result_of("bad.pem", "bad.key"), X509_V_ERR_CERT_REVOKED);
	ck_assert_int_eq(result_of("good.pem", "good.key"), X509_V_OK);
}
END_TEST

START_TEST(a_broken_file_at_the_start_is_named)
{
	ck_assert_int_eq(open_keys(broken[_i]), ERR_IO);
	char begin[96];
	int len = snprintf(begin, sizeof begin, "tls.client_crl_file: %s: ", lists);
	ck_assert_msg(strncmp(why, begin, (size_t)len) == 0 && strlen(why) > (size_t)len, "%s", why);
}
END_TEST

START_TEST(every_authority_of_a_chain_needs_a_list)
{
	ck_assert_int_eq(open_keys("none.crl"), OK);
	ck_assert_int_eq(result_of("chain.pem", "deep.key"), X509_V_ERR_UNABLE_TO_GET_CRL);
	replace("between.crl");
	ck_assert_int_eq(result_of("chain.pem", "deep.key"), X509_V_ERR_UNABLE_TO_GET_CRL);
	ck_assert_int_eq(result_of("good.pem", "good.key"), X509_V_ERR_UNABLE_TO_GET_CRL);
	replace("both.crl");
	SSL *session = taken("chain.pem", "deep.key");
	replace("deeply.crl");
	ck_assert(tls_keys_have_revoked(keys, session));
	ck_assert_int_eq(result_of("chain.pem", "deep.key"), X509_V_ERR_CERT_REVOKED);
	replace("highly.crl");
	ck_assert(tls_keys_have_revoked(keys, session));
	ck_assert_int_eq(result_of("chain.pem", "deep.key"), X509_V_ERR_CERT_REVOKED);
	SSL_free(session);
}
END_TEST

START_TEST(tells_of_a_list_that_is_out_of_date)
{
	ck_assert_int_eq(open_keys("none.crl"), OK);
	uint64_t now_ms = clock_wall_ms(), day_ms = 24 * 3600 * MS_PER_S;
	clock_fake(1, now_ms + day_ms / 2);
	ck_assert(!tls_keys_have_old_list(keys, why));
	clock_fake(1, now_ms + 2 * day_ms);
	ck_assert(tls_keys_have_old_list(keys, why));
	ck_assert_ptr_nonnull(strstr(why, lists));
	ck_assert_ptr_nonnull(strstr(why, "the list of /CN=authority is out of date"));
	/* Of several lists of one authority one is enough. */
	replace("several.crl");
	ck_assert(!tls_keys_have_old_list(keys, why));
	clock_fake(1, now_ms + 31 * day_ms);
	ck_assert(tls_keys_have_old_list(keys, why));
}
END_TEST

START_TEST(tells_of_a_certificate_at_the_wrong_time)
{
	ck_assert_int_eq(open_keys(NULL), OK);
	uint64_t now_ms = clock_wall_ms(), day_ms = 24 * 3600 * MS_PER_S;
	ck_assert(!tls_keys_are_untimely(keys, why));
	clock_fake(1, now_ms + 3 * day_ms);
	ck_assert(tls_keys_are_untimely(keys, why));
	ck_assert_ptr_nonnull(strstr(why, "server.pem: the certificate has expired"));
	clock_fake(1, now_ms - day_ms);
	ck_assert(tls_keys_are_untimely(keys, why));
	ck_assert_ptr_nonnull(strstr(why, "is not valid yet"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tls keys");
	TCase *tests = tcase_create("tls keys");
	tcase_add_unchecked_fixture(tests, make_files, remove_files);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, without_lists_nobody_is_revoked);
	tcase_add_test(tests, who_is_on_the_list_does_not_come_in);
	tcase_add_test(tests, a_new_list_counts_for_sessions_that_are_open_and_for_those_that_begin);
	tcase_add_loop_test(tests, a_broken_file_leaves_the_lists_before_in_place, 0, sizeof broken / sizeof broken[0]);
	tcase_add_loop_test(tests, a_broken_file_at_the_start_is_named, 0, sizeof broken / sizeof broken[0]);
	tcase_add_test(tests, every_authority_of_a_chain_needs_a_list);
	tcase_add_test(tests, tells_of_a_list_that_is_out_of_date);
	tcase_add_test(tests, tells_of_a_certificate_at_the_wrong_time);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

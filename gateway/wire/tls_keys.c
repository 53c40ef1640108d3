#define _GNU_SOURCE
#include "gateway/wire/tls_keys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/file_mark.h"
#include "common/base/log.h"
#include "gateway/metrics/metrics.h"
#include "gateway/wire/openssl.h"
#include "gateway/wire/revocation.h"

#define ROOM "wire"
#define FILES 4
#define SECURITY_LEVEL 2 /* at least 112 bits: RSA of 2048, no SHA-1 in signatures (SSL_CTX_set_security_level(3)) */
#define RENEW_MS ((uint64_t)12 * 3600 * 1000)
#define TICKETS 1

struct marks {
	struct file_mark of[FILES];
};

/* What the files held, read together. The lists are beside the context, which lives as long as the last session that it began: they can
 * be long, and are of use in a handshake alone. */
struct reading {
	SSL_CTX *context;
	struct revocation revocation;
};

struct tls_keys {
	struct tls_keys_settings settings;
	pthread_mutex_t lock; /* protects the reading: who changes it is the thread that looks */
	struct reading reading;
	atomic_uint readings;
	/* Of the thread that looks: */
	bool has_told_of_old_list, has_told_of_time;
	struct marks tried, seen; /* when files were read last, well or not; at the last look */
	uint64_t read_ms;
};

static void take_marks(const struct tls_keys_settings *settings, struct marks *ret_marks)
{
	ret_marks->of[0] = file_mark_take(settings->certificate_file);
	ret_marks->of[1] = file_mark_take(settings->key_file);
	ret_marks->of[2] = file_mark_take(settings->client_ca_file);
	ret_marks->of[3] = file_mark_take(settings->client_crl_file);
}

static bool are_same(const struct marks *a, const struct marks *b)
{
	for (size_t i = 0; i < FILES; i++) {
		if (!file_mark_is_same(&a->of[i], &b->of[i]))
			return false;
	}
	return true;
}

static bool tell(char why[TLS_KEYS_WHY_MAX], const char *option, const char *path, const char *reason)
{
	snprintf(why, TLS_KEYS_WHY_MAX, "%s: %.120s: %s", option, path, reason);
	ERR_clear_error();
	return false;
}

/* That a file holds nothing of the kind, which PEM and, since OpenSSL 3, keys say each in a way of their own. */
static bool is_nothing_there(unsigned long error)
{
	return ERR_GET_REASON(error) == ERR_R_UNSUPPORTED ||
	       (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE);
}

/* The first error is the cause, those behind it are where it passed. nothing: what to say where there is nothing to read in it. */
static bool explain(char why[TLS_KEYS_WHY_MAX], const char *option, const char *path, const char *nothing)
{
	unsigned long error = ERR_peek_error();
	const char *reason = ERR_reason_error_string(error);
	char text[128];
	if (ERR_SYSTEM_ERROR(error))
		reason = strerror_r(ERR_GET_REASON(error), text, sizeof text);
	else if (is_nothing_there(error))
		reason = nothing;
	return tell(why, option, path, reason ? reason : "OpenSSL gives no reason");
}

/* A key with a passphrase is refused: nobody is there to type it. The context is a bool: whether one was asked for. */
static int on_passphrase(char *text, int size, int is_for_writing, void *context)
{
	(void)text;
	(void)size;
	(void)is_for_writing;
	*(bool *)context = true;
	return -1;
}

/* HTTP/1.1, which carries the WebSocket too, and perhaps HTTP/2 are what is spoken here, the newer one first. A client that can only
 * speak something else is told so in the handshake (RFC 7301 section 3.2). */
static int on_alpn(SSL *session, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
		   void *context)
{
	static const unsigned char spoken[] = "\x02h2\x08http/1.1";
	const struct tls_keys_settings *settings = context;
	size_t skipped = settings->speaks_http2 ? 0 : sizeof "\x02h2" - 1;
	unsigned char *chosen = NULL;
	(void)session;
	if (SSL_select_next_proto(&chosen, out_len, spoken + skipped, (unsigned)(sizeof spoken - 1 - skipped), in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool load_key(SSL_CTX *context, const struct tls_keys_settings *settings, char why[TLS_KEYS_WHY_MAX])
{
	bool has_key_file = *settings->key_file, is_locked = false;
	const char *key_file = has_key_file ? settings->key_file : settings->certificate_file;
	const char *key_option = has_key_file ? "tls.key_file" : "tls.certificate_file (the key)";
	const char *nothing = has_key_file ? "no private key in PEM in it" : "no private key in it: set tls.key_file";
	char stranger[100];
	SSL_CTX_set_default_passwd_cb(context, on_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(context, &is_locked);
	bool is_taken = SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) == 1;
	SSL_CTX_set_default_passwd_cb(context, NULL);
	SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
	if (is_locked)
		return tell(why, key_option, key_file, "the key has a passphrase; store it without one");
	bool is_strange = ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_X509 && ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH;
	if (!is_taken && !is_strange)
		return explain(why, key_option, key_file, nothing);
	/* A key of another kind than the certificate's is taken, beside it. */
	if (!is_strange && SSL_CTX_check_private_key(context) == 1)
		return true;
	snprintf(stranger, sizeof stranger, "this key does not belong to %.70s", settings->certificate_file);
	return tell(why, key_option, key_file, stranger);
}

static bool load_pair(SSL_CTX *context, const struct tls_keys_settings *settings, char why[TLS_KEYS_WHY_MAX])
{
	if (SSL_CTX_use_certificate_chain_file(context, settings->certificate_file) != 1)
		return explain(why, "tls.certificate_file", settings->certificate_file, "no certificate in PEM in it");
	return load_key(context, settings, why);
}

static bool load_client_ca(SSL_CTX *context, const struct tls_keys_settings *settings, char why[TLS_KEYS_WHY_MAX])
{
	if (settings->client_auth == TLS_CLIENT_AUTH_NO)
		return true;
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(settings->client_ca_file);
	if (!names || SSL_CTX_load_verify_locations(context, settings->client_ca_file, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return explain(why, "tls.client_ca_file", settings->client_ca_file, "no certificate in PEM in it");
	}
	SSL_CTX_set_client_CA_list(context, names);
	bool is_required = settings->client_auth == TLS_CLIENT_AUTH_REQUIRED;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	return true;
}

static bool load_lists(struct reading *reading, const struct tls_keys_settings *settings, char why[TLS_KEYS_WHY_MAX])
{
	const char *reason;
	if (settings->client_auth == TLS_CLIENT_AUTH_NO || !*settings->client_crl_file)
		return true;
	SSL_CTX_set_options(reading->context, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(reading->context, 0);
	if (revocation_read(settings->client_ca_file, settings->client_crl_file, &reading->revocation, &reason))
		return true;
	return reason ? tell(why, "tls.client_crl_file", settings->client_crl_file, reason)
		      : explain(why, "tls.client_crl_file", settings->client_crl_file, "nothing in PEM in it");
}

/* Sessions are resumed by tickets alone, so that nothing of a client stays in memory. A peer that ends without a word is no error of
 * TLS: what stands in the stream says for itself where it ends. */
static void set_behaviour(SSL_CTX *context, const struct tls_keys_settings *settings)
{
	static const unsigned char name[] = "tracegate";
	SSL_CTX_set_min_proto_version(context, settings->is_1_3_only ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_security_level(context, SECURITY_LEVEL);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, TICKETS);
	SSL_CTX_set_session_id_context(context, name, sizeof name - 1);
	SSL_CTX_set_alpn_select_cb(context, on_alpn, (void *)(uintptr_t)settings);
}

/* False: why says why. */
static bool read_files(const struct tls_keys_settings *settings, struct reading *ret_reading, char why[TLS_KEYS_WHY_MAX])
{
	ERR_clear_error();
	struct reading reading = {.context = SSL_CTX_new(TLS_server_method())};
	if (!reading.context)
		return explain(why, "TLS", "cannot start", "this OpenSSL has none");
	set_behaviour(reading.context, settings);
	bool is_good = load_pair(reading.context, settings, why) && load_client_ca(reading.context, settings, why) &&
		       load_lists(&reading, settings, why);
	if (is_good)
		*ret_reading = reading;
	else
		SSL_CTX_free(reading.context);
	return is_good;
}

static void forget(struct reading *reading)
{
	SSL_CTX_free(reading->context);
	revocation_fini(&reading->revocation);
}

/* In seconds of the wall clock; otherwise where it cannot be read. */
static int64_t seconds_of(const ASN1_TIME *time, int64_t otherwise)
{
	struct tm broken_down;
	return time && ASN1_TIME_to_tm(time, &broken_down) == 1 ? (int64_t)timegm(&broken_down) : otherwise;
}

static int64_t expiry_of(const SSL_CTX *context)
{
	const X509 *certificate = SSL_CTX_get0_certificate(context);
	return certificate ? seconds_of(X509_get0_notAfter(certificate), 0) : 0;
}

enum err tls_keys_new(const struct tls_keys_settings *settings, struct tls_keys **ret_keys, char ret_why[TLS_KEYS_WHY_MAX])
{
	struct tls_keys *keys = calloc(1, sizeof *keys);
	if (!keys || pthread_mutex_init(&keys->lock, NULL) != 0) {
		free(keys);
		snprintf(ret_why, TLS_KEYS_WHY_MAX, "%s", err_name(ERR_NOMEM));
		return ERR_NOMEM;
	}
	keys->settings = *settings;
	take_marks(&keys->settings, &keys->tried);
	keys->seen = keys->tried;
	keys->read_ms = clock_mono_ms();
	if (!read_files(&keys->settings, &keys->reading, ret_why)) {
		tls_keys_free(keys);
		return ERR_IO;
	}
	*ret_keys = keys;
	return OK;
}

void tls_keys_free(struct tls_keys *keys)
{
	if (!keys)
		return;
	forget(&keys->reading);
	pthread_mutex_destroy(&keys->lock);
	free(keys);
}

struct ssl_st *tls_keys_session(struct tls_keys *keys)
{
	pthread_mutex_lock(&keys->lock);
	SSL *session = SSL_new(keys->reading.context); /* holds a reference to the context */
	X509_STORE *store = keys->reading.revocation.store;
	if (session && store && SSL_set1_verify_cert_store(session, store) != 1) {
		SSL_free(session);
		session = NULL;
	}
	pthread_mutex_unlock(&keys->lock);
	return session;
}

bool tls_keys_admit(struct tls_keys *keys, struct ssl_st *session)
{
	SSL_set0_verify_cert_store(session, NULL);
	return !tls_keys_have_revoked(keys, session);
}

unsigned tls_keys_readings(const struct tls_keys *keys)
{
	return atomic_load(&keys->readings);
}

bool tls_keys_have_revoked(struct tls_keys *keys, const struct ssl_st *session)
{
	if (!*keys->settings.client_crl_file)
		return false;
	pthread_mutex_lock(&keys->lock);
	X509_STORE *store = keys->reading.revocation.store;
	if (store)
		X509_STORE_up_ref(store);
	pthread_mutex_unlock(&keys->lock);
	bool is_revoked = store && revocation_holds(store, session);
	X509_STORE_free(store);
	return is_revoked;
}

bool tls_keys_have_old_list(const struct tls_keys *keys, char ret_what[TLS_KEYS_WHY_MAX])
{
	const struct revocation *revocation = &keys->reading.revocation;
	if (!revocation->store || revocation->good_until_s > (int64_t)(clock_wall_ms() / MS_PER_S))
		return false;
	snprintf(ret_what, TLS_KEYS_WHY_MAX,
		 "tls.client_crl_file: %.100s: the list of %s is out of date: certificates below it are refused", keys->settings.client_crl_file,
		 revocation->authority);
	return true;
}

bool tls_keys_are_untimely(const struct tls_keys *keys, char ret_what[TLS_KEYS_WHY_MAX])
{
	const X509 *certificate = SSL_CTX_get0_certificate(keys->reading.context);
	int64_t now_s = (int64_t)(clock_wall_ms() / MS_PER_S);
	bool is_early = certificate && seconds_of(X509_get0_notBefore(certificate), now_s) > now_s;
	bool is_late = certificate && seconds_of(X509_get0_notAfter(certificate), now_s) < now_s;
	if (is_early || is_late)
		snprintf(ret_what, TLS_KEYS_WHY_MAX, "tls.certificate_file: %.120s: the certificate %s: clients refuse it",
			 keys->settings.certificate_file, is_late ? "has expired" : "is not valid yet");
	return is_early || is_late;
}

static void set_gauges(const struct tls_keys *keys)
{
	int64_t until_s = keys->reading.revocation.good_until_s;
	metric_gauge_set(METRIC_TLS_EXPIRY, expiry_of(keys->reading.context));
	metric_gauge_set(METRIC_TLS_LISTS_EXPIRY, until_s < INT64_MAX ? until_s : 0);
}

static void put_in_place(struct tls_keys *keys, const struct reading *reading)
{
	pthread_mutex_lock(&keys->lock);
	struct reading before = keys->reading;
	keys->reading = *reading;
	pthread_mutex_unlock(&keys->lock);
	atomic_fetch_add(&keys->readings, 1);
	forget(&before);
	keys->has_told_of_old_list = keys->has_told_of_time = false;
	set_gauges(keys);
}

static void read_again(struct tls_keys *keys, const struct marks *marks, bool has_changed)
{
	char why[TLS_KEYS_WHY_MAX] = "";
	struct reading reading;
	bool is_good = read_files(&keys->settings, &reading, why);
	keys->tried = *marks;
	keys->read_ms = clock_mono_ms();
	if (!is_good) {
		metric_add(METRIC_TLS_RELOADS_FAILED, 1);
		log_error(ROOM, "the changed certificate files are of no use; the node goes on with those before",
			  log_text("cause", why));
		return;
	}
	put_in_place(keys, &reading);
	metric_add(METRIC_TLS_RELOADS, has_changed);
	if (has_changed)
		log_info(ROOM, "certificate files read again", log_text("file", keys->settings.certificate_file));
}

static void tell_of_old_list(struct tls_keys *keys)
{
	char what[TLS_KEYS_WHY_MAX];
	if (keys->has_told_of_old_list || !tls_keys_have_old_list(keys, what))
		return;
	keys->has_told_of_old_list = true;
	log_error(ROOM, "a revocation list is out of date", log_text("cause", what));
}

static void tell_of_time(struct tls_keys *keys)
{
	char what[TLS_KEYS_WHY_MAX];
	bool is_untimely = tls_keys_are_untimely(keys, what);
	if (is_untimely && !keys->has_told_of_time)
		log_warn(ROOM, "the certificate is of no use at this time", log_text("cause", what));
	keys->has_told_of_time = is_untimely;
}

/* Who writes two files one after the other is not caught between them, when they are still from one look to the next. */
void tls_keys_look(struct tls_keys *keys)
{
	struct marks now;
	take_marks(&keys->settings, &now);
	bool is_still = are_same(&now, &keys->seen);
	bool has_changed = !are_same(&now, &keys->tried);
	keys->seen = now;
	set_gauges(keys);
	if (is_still && (has_changed || clock_mono_ms() - keys->read_ms >= RENEW_MS))
		read_again(keys, &now, has_changed);
	tell_of_old_list(keys);
	tell_of_time(keys);
}

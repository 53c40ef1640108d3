#define _GNU_SOURCE
#include "gateway/wire/revocation.h"

#include <time.h>

#include "gateway/wire/openssl.h"

/* NULL: what stopped it is in OpenSSL's queue. Blocks of other kinds are passed over. */
static STACK_OF(X509_CRL) *read_lists(const char *path)
{
	ERR_clear_error();
	STACK_OF(X509_CRL) *lists = sk_X509_CRL_new_null();
	BIO *file = BIO_new_file(path, "r");
	X509_CRL *list = NULL;
	bool is_kept = lists && file;
	while (is_kept && (list = PEM_read_bio_X509_CRL(file, NULL, NULL, NULL))) {
		is_kept = sk_X509_CRL_push(lists, list) > 0;
		if (!is_kept)
			X509_CRL_free(list);
	}
	BIO_free(file);
	bool is_whole = is_kept && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	if (is_whole) {
		ERR_clear_error();
		return lists;
	}
	sk_X509_CRL_pop_free(lists, X509_CRL_free);
	return NULL;
}

/* Whether its authority is known here and did not sign it. Of an authority that clients bring along in their chains the handshake
 * judges that. */
static bool is_forged(X509_STORE_CTX *asked, X509_CRL *list)
{
	STACK_OF(X509) *authorities = X509_STORE_CTX_get1_certs(asked, X509_CRL_get_issuer(list));
	int count = sk_X509_num(authorities);
	bool is_signed = count <= 0;
	for (int i = 0; i < count && !is_signed; i++)
		is_signed = X509_CRL_verify(list, X509_get0_pubkey(sk_X509_value(authorities, i))) == 1;
	sk_X509_pop_free(authorities, X509_free);
	ERR_clear_error();
	return !is_signed;
}

static int64_t end_of(const X509_CRL *list)
{
	struct tm broken_down;
	const ASN1_TIME *next_update = X509_CRL_get0_nextUpdate(list);
	if (!next_update || ASN1_TIME_to_tm(next_update, &broken_down) != 1)
		return INT64_MAX;
	return (int64_t)timegm(&broken_down);
}

/* Of several lists of one authority OpenSSL takes one that is good now. */
static int64_t end_of_authority(STACK_OF(X509_CRL) *lists, X509_CRL *list)
{
	int64_t end_s = 0;
	for (int i = 0; i < sk_X509_CRL_num(lists); i++) {
		X509_CRL *other = sk_X509_CRL_value(lists, i);
		bool is_later = end_of(other) > end_s;
		if (is_later && X509_NAME_cmp(X509_CRL_get_issuer(other), X509_CRL_get_issuer(list)) == 0)
			end_s = end_of(other);
	}
	return end_s;
}

static void note_end(struct revocation *revocation, STACK_OF(X509_CRL) *lists)
{
	revocation->good_until_s = INT64_MAX;
	for (int i = 0; i < sk_X509_CRL_num(lists); i++) {
		X509_CRL *list = sk_X509_CRL_value(lists, i);
		int64_t end_s = end_of_authority(lists, list);
		if (end_s >= revocation->good_until_s)
			continue;
		revocation->good_until_s = end_s;
		X509_NAME_oneline(X509_CRL_get_issuer(list), revocation->authority, sizeof revocation->authority);
	}
}

static bool keep_lists(X509_STORE *store, STACK_OF(X509_CRL) *lists, const char **ret_why)
{
	X509_STORE_CTX *asked = X509_STORE_CTX_new();
	bool is_good = asked && X509_STORE_CTX_init(asked, store, NULL, NULL) == 1;
	for (int i = 0; i < sk_X509_CRL_num(lists) && is_good; i++) {
		X509_CRL *list = sk_X509_CRL_value(lists, i);
		bool is_wrong = is_forged(asked, list);
		if (is_wrong)
			*ret_why = "a list in it is not signed by its authority in tls.client_ca_file";
		is_good = !is_wrong && X509_STORE_add_crl(store, list) == 1;
	}
	X509_STORE_CTX_free(asked);
	return is_good;
}

bool revocation_read(const char *authorities_file, const char *lists_file, struct revocation *ret_revocation, const char **ret_why)
{
	STACK_OF(X509_CRL) *lists = read_lists(lists_file);
	X509_STORE *store = X509_STORE_new();
	*ret_why = NULL;
	if (lists && sk_X509_CRL_num(lists) == 0)
		*ret_why = "no revocation list in PEM (X509 CRL) in it";
	bool is_good = lists && store && !*ret_why && X509_STORE_load_file(store, authorities_file) == 1 &&
		       keep_lists(store, lists, ret_why);
	if (is_good) {
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
		*ret_revocation = (struct revocation){.store = store};
		note_end(ret_revocation, lists);
	} else {
		X509_STORE_free(store);
	}
	sk_X509_CRL_pop_free(lists, X509_CRL_free);
	return is_good;
}

void revocation_fini(struct revocation *revocation)
{
	X509_STORE_free(revocation->store);
	*revocation = (struct revocation){.store = NULL};
}

static bool is_listed(X509_STORE_CTX *asked, X509 *certificate)
{
	STACK_OF(X509_CRL) *lists = X509_STORE_CTX_get1_crls(asked, X509_get_issuer_name(certificate));
	X509_REVOKED *entry;
	bool is_found = false;
	for (int i = 0; i < sk_X509_CRL_num(lists) && !is_found; i++)
		is_found = X509_CRL_get0_by_cert(sk_X509_CRL_value(lists, i), &entry, certificate) == 1;
	sk_X509_CRL_pop_free(lists, X509_CRL_free);
	return is_found;
}

bool revocation_holds(struct x509_store_st *store, const struct ssl_st *session)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(session);
	X509_STORE_CTX *asked = sk_X509_num(chain) > 0 ? X509_STORE_CTX_new() : NULL;
	bool is_found = false;
	if (asked && X509_STORE_CTX_init(asked, store, NULL, NULL) == 1) {
		for (int i = 0; i < sk_X509_num(chain) && !is_found; i++)
			is_found = is_listed(asked, sk_X509_value(chain, i));
	}
	X509_STORE_CTX_free(asked);
	return is_found;
}

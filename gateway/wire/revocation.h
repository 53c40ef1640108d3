/* The revocation lists (RFC 5280 section 5) that client certificates are held against, as one PEM file had them, beside the authorities
 * that they are of. Each authority in the chain of a certificate must have a list that is not out of date: without one its
 * certificates are refused. What was read never changes, so any thread may ask it; the counting of its users is OpenSSL's. */
#ifndef GATEWAY_WIRE_REVOCATION_H
#define GATEWAY_WIRE_REVOCATION_H

#include <stdbool.h>
#include <stdint.h>

#define REVOCATION_AUTHORITY_MAX 64

struct ssl_st;
struct x509_store_st;

struct revocation {
	struct x509_store_st *store; /* authorities and lists: what a handshake is verified with; NULL: there are no lists */
	int64_t good_until_s;        /* since the Unix epoch; INT64_MAX: for ever */
	char authority[REVOCATION_AUTHORITY_MAX]; /* whose list is out of date first */
};

/* False: ret_why says what is wrong with the file of lists; NULL in it: OpenSSL's queue of errors does. */
bool revocation_read(const char *authorities_file, const char *lists_file, struct revocation *ret_revocation, const char **ret_why);
void revocation_fini(struct revocation *revocation); /* all of it zero is fine */

/* Whether a list of the store has a certificate by which the session's client came: its own, or one of an authority between. */
bool revocation_holds(struct x509_store_st *store, const struct ssl_st *session);

#endif

/* The certificate and the key by which this node speaks TLS, and what it asks of its clients. One for the node: every
 * worker begins sessions with it, the main thread looks from time to time whether the files have changed. Changed files that are
 * whole take the place of those before; one that is not leaves all of them there. Sessions that began keep what they began with,
 * but for a certificate that new lists revoke: who owns a session asks for it.
 * Tickets, by which clients resume, are sealed with keys of this process that are never written down and change with every
 * reading of the files, twice a day at least. Where there are revocation lists there are no tickets: each handshake is held against
 * them. */
#ifndef GATEWAY_WIRE_TLS_KEYS_H
#define GATEWAY_WIRE_TLS_KEYS_H

#include <stdbool.h>

#include "common/base/err.h"

#define TLS_KEYS_WHY_MAX 256

struct ssl_st;
struct tls_keys;

enum tls_client_auth { TLS_CLIENT_AUTH_NO, TLS_CLIENT_AUTH_OPTIONAL, TLS_CLIENT_AUTH_REQUIRED };

struct tls_keys_settings {
	const char *certificate_file, *key_file; /* PEM; the key may be empty: it is in the certificate's file */
	const char *client_ca_file;              /* PEM; empty: none */
	const char *client_crl_file;             /* PEM, only with the one before; empty: none */
	enum tls_client_auth client_auth;
	bool is_1_3_only;  /* else TLS 1.2 too */
	bool speaks_http2; /* h2 is offered too (ALPN) */
};

/* The texts are borrowed for its life. On failure ret_why names the option, the file and the reason. ERR_IO, ERR_NOMEM. */
enum err tls_keys_new(const struct tls_keys_settings *settings, struct tls_keys **ret_keys, char ret_why[TLS_KEYS_WHY_MAX])
	MUST_USE;
void tls_keys_free(struct tls_keys *keys); /* NULL is fine */

/* Any thread: */
struct ssl_st *tls_keys_session(struct tls_keys *keys); /* of a server, owned by the caller; NULL: no memory */
/* Once, when its handshake is over. False: a list that was read meanwhile revokes its client's certificate. */
bool tls_keys_admit(struct tls_keys *keys, struct ssl_st *session);
unsigned tls_keys_readings(const struct tls_keys *keys); /* another number whenever there are other lists */
/* Whether the lists that there are now revoke the certificate of an admitted session's client. */
bool tls_keys_have_revoked(struct tls_keys *keys, const struct ssl_st *session);

/* One thread, which may be busy with long lists for a while: */
void tls_keys_look(struct tls_keys *keys); /* reads the files again if they changed and have been still since the call before */
/* Whether a revocation list is out of date by now; ret_what says which, and what comes of it. */
bool tls_keys_have_old_list(const struct tls_keys *keys, char ret_what[TLS_KEYS_WHY_MAX]);
/* Whether the node's certificate has expired by now or is not valid yet; ret_what says which, and what comes of it. */
bool tls_keys_are_untimely(const struct tls_keys *keys, char ret_what[TLS_KEYS_WHY_MAX]);

#endif

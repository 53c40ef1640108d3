#include "gateway/redis/tls.h"

#include <hiredis/hiredis.h>
#include <stdint.h>
#include <stdio.h>

#if HIREDIS_MAJOR >= 1 && defined(TRACEGATE_HIREDIS_TLS)

#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

bool tls_is_built_in(void)
{
	return true;
}

/* hiredis itself checks the chain but not the name, so the session is made here. */
static SSL *new_session(SSL_CTX *settings, const char *host)
{
	SSL *session = SSL_new(settings);
	if (!session)
		return NULL;
	X509_VERIFY_PARAM *check = SSL_get0_param(session);
	if (X509_VERIFY_PARAM_set1_ip_asc(check, host) == 1)
		return session;
	/* What the macro SSL_set_tlsext_host_name does, without its cast. */
	void *name = (void *)(uintptr_t)host;
	bool is_named = SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1;
	if (is_named && SSL_set1_host(session, host) == 1)
		return session;
	SSL_free(session);
	return NULL;
}

enum err tls_begin(struct redisContext *context, const char *host, char *ret_why, unsigned long why_size)
{
	SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
	SSL *session = NULL;
	if (settings && SSL_CTX_set_default_verify_paths(settings) == 1) {
		SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION);
		SSL_CTX_set_verify(settings, SSL_VERIFY_PEER, NULL);
		session = new_session(settings, host);
	}
	SSL_CTX_free(settings); /* the session holds a reference of its own */
	if (!session) {
		snprintf(ret_why, why_size, "TLS could not be set up");
		return ERR_IO;
	}
	if (redisInitiateSSL(context, session) != REDIS_OK) {
		snprintf(ret_why, why_size, "TLS: %s", context->errstr);
		SSL_free(session);
		return ERR_IO;
	}
	return OK;
}

#else

bool tls_is_built_in(void)
{
	return false;
}

enum err tls_begin(struct redisContext *context, const char *host, char *ret_why, unsigned long why_size)
{
	(void)context;
	(void)host;
	snprintf(ret_why, why_size, "this build has no TLS towards Redis");
	return ERR_UNSUPPORTED;
}

#endif

#define TEXT_OF(value) #value
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *tls_library(void)
{
	return VERSION_TEXT(HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
}

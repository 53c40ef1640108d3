#define _GNU_SOURCE /* strerror_r that gives the text */
#include "common/client/secure.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifdef TGC_WITH_TLS

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct tgc_trust {
	SSL_CTX *context;
	BIO_METHOD *method;
};

struct tgc_secure {
	SSL *session;
	int fd;
	short events;
};

bool tgc_secure_is_built_in(void)
{
	return true;
}

static int fd_of(BIO *bio)
{
	return ((const struct tgc_secure *)BIO_get_data(bio))->fd;
}

static bool is_temporary(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* OpenSSL's own way to a socket would raise SIGPIPE in a program that is not ours. */
static int on_write(BIO *bio, const char *bytes, int len)
{
	ssize_t sent = send(fd_of(bio), bytes, (size_t)len, MSG_NOSIGNAL);
	BIO_clear_retry_flags(bio);
	if (sent < 0 && is_temporary(errno))
		BIO_set_retry_write(bio);
	return (int)sent;
}

static int on_read(BIO *bio, char *bytes, int len)
{
	ssize_t got = recv(fd_of(bio), bytes, (size_t)len, 0);
	BIO_clear_retry_flags(bio);
	if (got < 0 && is_temporary(errno))
		BIO_set_retry_read(bio);
	return (int)got;
}

static long on_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static bool explain(char why[TGC_WHY_MAX], const char *what)
{
	unsigned long error = ERR_peek_error();
	char text[96];
	const char *reason = ERR_reason_error_string(error);
	if (ERR_SYSTEM_ERROR(error))
		reason = strerror_r(ERR_GET_REASON(error), text, sizeof text);
	else if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER)
		reason = "the answer is not TLS; is it a plain port (ws://)?";
	snprintf(why, TGC_WHY_MAX, "%.140s: %s", what, reason ? reason : "OpenSSL gives no reason");
	ERR_clear_error();
	return false;
}

static bool read_files(SSL_CTX *context, const struct tgc_options *options, char why[TGC_WHY_MAX])
{
	const char *ca = options->ca_file, *certificate = options->certificate_file, *key = options->key_file;
	if (ca ? SSL_CTX_load_verify_locations(context, ca, NULL) != 1 : SSL_CTX_set_default_verify_paths(context) != 1)
		return explain(why, ca ? ca : "the system's certificates");
	if (!certificate)
		return true;
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
		return explain(why, certificate);
	key = key ? key : certificate;
	return SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 || explain(why, key);
}

static bool set_up(struct tgc_trust *trust, const struct tgc_options *options, char why[TGC_WHY_MAX])
{
	static const unsigned char spoken[] = "\x08http/1.1";
	trust->context = SSL_CTX_new(TLS_client_method());
	trust->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tgclient");
	if (!trust->context || !trust->method || BIO_meth_set_write(trust->method, on_write) != 1 ||
	    BIO_meth_set_read(trust->method, on_read) != 1 || BIO_meth_set_ctrl(trust->method, on_control) != 1)
		return explain(why, "TLS cannot start");
	SSL_CTX_set_min_proto_version(trust->context, TLS1_2_VERSION);
	SSL_CTX_set_options(trust->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(trust->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(trust->context, options->is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set_alpn_protos(trust->context, spoken, sizeof spoken - 1) != 0)
		return explain(why, "TLS cannot start");
	return read_files(trust->context, options, why);
}

struct tgc_trust *tgc_trust_new(const struct tgc_options *options, char ret_why[TGC_WHY_MAX])
{
	struct tgc_trust *trust = calloc(1, sizeof *trust);
	ERR_clear_error();
	if (!trust)
		snprintf(ret_why, TGC_WHY_MAX, "no memory for TLS");
	else if (set_up(trust, options, ret_why))
		return trust;
	tgc_trust_free(trust);
	return NULL;
}

void tgc_trust_free(struct tgc_trust *trust)
{
	if (!trust)
		return;
	SSL_CTX_free(trust->context);
	BIO_meth_free(trust->method);
	free(trust);
}

/* An address is compared with those in the certificate; a name with its names, and told to the peer, which may have several. */
static bool expect_host(SSL *session, const char *host)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1)
		return true;
	ERR_clear_error();
	/* What the macro SSL_set_tlsext_host_name does, without its cast. */
	void *name = (void *)(uintptr_t)host;
	return SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1 && SSL_set1_host(session, host) == 1;
}

struct tgc_secure *tgc_secure_new(const struct tgc_trust *trust, int fd, const char *host)
{
	struct tgc_secure *secure = calloc(1, sizeof *secure);
	if (!secure)
		return NULL;
	secure->fd = fd;
	secure->session = SSL_new(trust->context);
	BIO *bio = BIO_new(trust->method);
	if (!secure->session || !bio || !expect_host(secure->session, host)) {
		BIO_free(bio);
		tgc_secure_free(secure);
		return NULL;
	}
	BIO_set_data(bio, secure);
	BIO_set_init(bio, 1);
	SSL_set_bio(secure->session, bio, bio);
	SSL_set_connect_state(secure->session);
	return secure;
}

void tgc_secure_free(struct tgc_secure *secure)
{
	if (!secure)
		return;
	SSL_free(secure->session);
	free(secure);
}

/* Notes what the session waits for. True: it waits. */
static bool has_to_wait(struct tgc_secure *secure, int result)
{
	int error = SSL_get_error(secure->session, result);
	secure->events = error == SSL_ERROR_WANT_READ ? POLLIN : error == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
	return secure->events != 0;
}

static enum tgc_shake fail(const struct tgc_secure *secure, int error, char why[TGC_WHY_MAX])
{
	long verdict = SSL_get_verify_result(secure->session);
	char text[96];
	if (verdict != X509_V_OK)
		snprintf(why, TGC_WHY_MAX, "TLS: the certificate of the node: %s", X509_verify_cert_error_string(verdict));
	else if (ERR_peek_error())
		explain(why, "TLS");
	else
		snprintf(why, TGC_WHY_MAX, "TLS: %s", error ? strerror_r(error, text, sizeof text) : "the node closed the connection");
	return TGC_SHAKE_FAILED;
}

enum tgc_shake tgc_secure_shake(struct tgc_secure *secure, char ret_why[TGC_WHY_MAX])
{
	ERR_clear_error();
	errno = 0;
	int result = SSL_do_handshake(secure->session);
	int error = errno;
	secure->events = 0;
	if (result == 1)
		return TGC_SHAKE_DONE;
	return has_to_wait(secure, result) ? TGC_SHAKE_AGAIN : fail(secure, error, ret_why);
}

static ssize_t judge(struct tgc_secure *secure, int result)
{
	int error = errno;
	secure->events = 0;
	if (result > 0)
		return result;
	if (has_to_wait(secure, result)) {
		errno = EAGAIN;
		return -1;
	}
	if (SSL_get_error(secure->session, result) == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = error && !is_temporary(error) ? error : EPROTO;
	return -1;
}

ssize_t tgc_secure_read(struct tgc_secure *secure, void *ret_bytes, size_t len)
{
	ERR_clear_error();
	errno = 0;
	return judge(secure, SSL_read(secure->session, ret_bytes, (int)len));
}

ssize_t tgc_secure_write(struct tgc_secure *secure, const void *bytes, size_t len)
{
	ERR_clear_error();
	errno = 0;
	return judge(secure, SSL_write(secure->session, bytes, len > INT32_MAX ? INT32_MAX : (int)len));
}

short tgc_secure_events(const struct tgc_secure *secure)
{
	return secure->events;
}

void tgc_secure_goodbye(struct tgc_secure *secure)
{
	ERR_clear_error();
	if (SSL_is_init_finished(secure->session))
		SSL_shutdown(secure->session);
	ERR_clear_error();
}

#else

bool tgc_secure_is_built_in(void)
{
	return false;
}

struct tgc_trust *tgc_trust_new(const struct tgc_options *options, char ret_why[TGC_WHY_MAX])
{
	(void)options;
	snprintf(ret_why, TGC_WHY_MAX, "this build of the client has no TLS");
	return NULL;
}

void tgc_trust_free(struct tgc_trust *trust)
{
	(void)trust;
}

struct tgc_secure *tgc_secure_new(const struct tgc_trust *trust, int fd, const char *host)
{
	(void)trust;
	(void)fd;
	(void)host;
	return NULL;
}

void tgc_secure_free(struct tgc_secure *secure)
{
	(void)secure;
}

enum tgc_shake tgc_secure_shake(struct tgc_secure *secure, char ret_why[TGC_WHY_MAX])
{
	(void)secure;
	(void)ret_why;
	return TGC_SHAKE_FAILED;
}

ssize_t tgc_secure_read(struct tgc_secure *secure, void *ret_bytes, size_t len)
{
	(void)secure;
	(void)ret_bytes;
	(void)len;
	return -1;
}

ssize_t tgc_secure_write(struct tgc_secure *secure, const void *bytes, size_t len)
{
	(void)secure;
	(void)bytes;
	(void)len;
	return -1;
}

short tgc_secure_events(const struct tgc_secure *secure)
{
	(void)secure;
	return 0;
}

void tgc_secure_goodbye(struct tgc_secure *secure)
{
	(void)secure;
}

#endif

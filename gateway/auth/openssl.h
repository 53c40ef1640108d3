/* The one door of this room to OpenSSL, whose headers claim the name ERR_STATE that is ours. */
#ifndef GATEWAY_AUTH_OPENSSL_H
#define GATEWAY_AUTH_OPENSSL_H

#define ERR_STATE openssl_err_state
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#undef ERR_STATE

#endif

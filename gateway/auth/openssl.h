/* The one door of this room to OpenSSL. */
#ifndef GATEWAY_AUTH_OPENSSL_H
#define GATEWAY_AUTH_OPENSSL_H

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

#endif

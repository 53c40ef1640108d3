/* The one door of this room to OpenSSL. */
#ifndef GATEWAY_WIRE_OPENSSL_H
#define GATEWAY_WIRE_OPENSSL_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#endif

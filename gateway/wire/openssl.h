/* The one door of this room to OpenSSL, which claims the name ERR_STATE that is ours. */
#ifndef GATEWAY_WIRE_OPENSSL_H
#define GATEWAY_WIRE_OPENSSL_H

#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/ssl.h>
#undef ERR_STATE

#endif

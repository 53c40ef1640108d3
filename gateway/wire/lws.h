/* The one door to libwebsockets. It includes OpenSSL's headers, which claim the name ERR_STATE that is ours. */
#ifndef GATEWAY_WIRE_LWS_H
#define GATEWAY_WIRE_LWS_H

#define ERR_STATE OPENSSL_ERR_STATE
#include <libwebsockets.h>
#undef ERR_STATE

#endif

/* How far a TCP peer has come with what it was sent, as its kernel acknowledged it. A file of its own, since the kernel's
 * tcp_info (which counts bytes) and the C library's cannot be included together. */
#ifndef GATEWAY_WIRE_DELIVERY_H
#define GATEWAY_WIRE_DELIVERY_H

#include "gateway/session/port.h"

struct port_delivery delivery_of_socket(int fd); /* zeros where the socket cannot tell */

#endif

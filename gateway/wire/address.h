/* Listening sockets from the texts of the option "listen": host:port, [v6]:port. */
#ifndef GATEWAY_WIRE_ADDRESS_H
#define GATEWAY_WIRE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

#define ADDRESS_WHY_MAX 256

/* A bound, listening, non-blocking socket that shares its port with others of this process (SO_REUSEPORT). joins: a
 * socket of this process has the port already; else an address that anybody has is in use, sharing or not. A wildcard
 * of IPv6 serves IPv4 too, and is that of IPv4 where there is no IPv6. ERR_IO: ret_why says what failed and names the
 * address. */
enum err address_listen(struct slice address, bool joins, int *ret_fd, uint16_t *ret_port,
			char ret_why[ADDRESS_WHY_MAX]) MUST_USE;

#endif

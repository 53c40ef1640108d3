/* A listening TCP socket for an address in the notation of the configuration. Blocks while a host name is looked up, so it is
 * for the start of the process. */
#ifndef GATEWAY_WORKER_LISTEN_SOCKET_H
#define GATEWAY_WORKER_LISTEN_SOCKET_H

#include <stdint.h>

#include "common/base/err.h"

/* As admin_server_new says. The caller owns the socket: non-blocking, close-on-exec. */
enum err listen_socket_open(const char *address, int *ret_fd, uint16_t *ret_port, char ret_why[256]) MUST_USE;

#endif

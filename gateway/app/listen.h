/* The addresses to listen on, with the ports that the system chose for port 0 once they are known: every worker opens the
 * same ports. */
#ifndef GATEWAY_APP_LISTEN_H
#define GATEWAY_APP_LISTEN_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "gateway/config/config.h"

struct listen_list {
	struct slice *addresses; /* owned, texts too */
	size_t count;
	size_t tls_from; /* those from this one on speak TLS, where there is a certificate */
};

enum err listen_list_init(struct listen_list *list, const struct config *config) MUST_USE;
void listen_list_fini(struct listen_list *list);
/* Writes the port into an address that asked for port 0. */
enum err listen_list_settle(struct listen_list *list, size_t at, uint16_t port) MUST_USE;

#endif

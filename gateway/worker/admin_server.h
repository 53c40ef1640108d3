/* The admin port: evhttp on the hub's loop in front of gateway/http/admin.h. It knows HTTP/1.0 and 1.1, bounds head, body and
 * time of a request, and outlives a lack of descriptors without spinning. Made before the loop runs, freed after or on it. */
#ifndef GATEWAY_WORKER_ADMIN_SERVER_H
#define GATEWAY_WORKER_ADMIN_SERVER_H

#include <stdint.h>

#include "common/base/err.h"
#include "gateway/http/admin.h"

struct admin_server;
struct disconnection;
struct event_base;

/* Who carries out an order: on this node at once, its outcome comes into it; gives whether the other nodes were told. */
struct admin_deeds {
	bool (*disconnect)(void *context, struct disconnection *disconnection);
	void *context;
};

/* address: host:port or [v6]:port; [::] serves IPv4 too, and only IPv4 where there is no IPv6; port 0 takes a free one.
 * admin is borrowed. ERR_IO, ERR_NOMEM: ret_why names the address. */
enum err admin_server_new(struct event_base *base, const char *address, const struct admin *admin,
			  struct admin_deeds deeds, struct admin_server **ret_server, char ret_why[256]) MUST_USE;
void admin_server_free(struct admin_server *server); /* closes its connections; NULL is fine */
uint16_t admin_server_port(const struct admin_server *server);

#endif

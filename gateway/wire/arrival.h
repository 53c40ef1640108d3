/* Arrivals: what happens to each accepted socket before anything that it says is looked at. In this order: it is admitted (limits of the
 * node, of its address, of strangers), then, where proxies send one, its PROXY header is read and it is counted in the name of whom that
 * names; then it goes on, to TLS or to the greeter. Owned by one loop, touched on its thread. */
#ifndef GATEWAY_WIRE_ARRIVAL_H
#define GATEWAY_WIRE_ARRIVAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "common/base/list.h"
#include "gateway/http/forwarded.h"
#include "gateway/limiter/connections.h"
#include "gateway/wire/deadlines.h"
#include "gateway/wire/farewell.h"

/* Owns the descriptor and the admission from now on. head_due_ns: by then, monotonic, the head of its request must be whole. */
typedef void arrivals_arrived(void *context, int fd, const struct admission *admission, uint64_t head_due_ns);

struct arrivals_settings {
	struct connections *connections;
	struct proxies proxies; /* its networks are borrowed */
	uint64_t timeout_ns;    /* from here to the end of the request head, in all; a PROXY header has what there is of it */
	bool speaks_tls;        /* who is turned away could not read why */
};

struct arrivals {
	struct arrivals_settings settings;
	uv_loop_t *loop;
	struct farewell *farewell;
	arrivals_arrived *arrived;
	void *context;
	struct list waiting; /* for their PROXY header */
	struct deadlines deadlines;
};

void arrivals_init(struct arrivals *arrivals, uv_loop_t *loop, const struct arrivals_settings *settings, struct farewell *farewell,
		   arrivals_arrived *arrived, void *context);
void arrivals_accept(struct arrivals *arrivals, int fd, const struct sockaddr *peer); /* owns the descriptor from now on */
void arrivals_close(struct arrivals *arrivals); /* closes all; its memory is free to go after the loop ran once more */

#endif

/* A relay ends the TLS of one client: it owns the accepted socket, makes the handshake within the time that its request head has, and then
 * moves bytes between it and one end of a socket pair. The other end is given to the greeter as if it were the client's socket,
 * so nothing behind knows of TLS. What it holds is bounded: one piece each way that the other side does not take, and the buffers of
 * the pair; who is not read from is not read for either. A shut or closed end behind becomes a close_notify, an end of the client an
 * end of file. Owned by one loop, touched on its thread.
 * Whoever holds the other end finds here what a socket pair cannot tell or do; for any other socket these questions are answered as for
 * a plain one. */
#ifndef GATEWAY_WIRE_TLS_RELAY_H
#define GATEWAY_WIRE_TLS_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/list.h"
#include "common/data/table.h"
#include "gateway/limiter/connections.h"
#include "gateway/session/port.h"
#include "gateway/wire/deadlines.h"
#include "gateway/wire/farewell.h"
#include "gateway/wire/tls_keys.h"

/* The handshake is over: the receiver owns the descriptor and the admission. head_due_ns: as it was accepted with. */
typedef void tls_relay_opened(void *context, int fd, const struct admission *admission, uint64_t head_due_ns);

struct tls_relays_settings {
	struct tls_keys *keys; /* NULL: none is ever accepted */
	struct connections *connections;
	struct farewell *farewell;
	tls_relay_opened *opened;
	void *context;
};

struct tls_relays {
	struct tls_relays_settings settings;
	uv_loop_t *loop;
	int descriptors_end; /* those from here on are not for pairs */
	struct list relays;
	struct table open; /* by the cookie of the other end */
	size_t leaving_count;
	unsigned readings; /* of the keys, when their lists were last asked about all relays */
	struct deadlines handshakes, leavings;
	bool is_closing;
};

void tls_relays_init(struct tls_relays *relays, uv_loop_t *loop, const struct tls_relays_settings *settings);
/* Those whose other end is closed soon still send what waits, as far as the kernel takes it; the rest ends at once. Its memory is free
 * to go when the loop has nothing left. */
void tls_relays_close(struct tls_relays *relays);

/* Owns both from now on. The handshake must be over by head_due_ns. */
void tls_relays_accept(struct tls_relays *relays, int fd, const struct admission *admission, uint64_t head_due_ns);
/* Ends, both ways and without a word, those whose clients' certificates were revoked since. From time to time. */
void tls_relays_look(struct tls_relays *relays);

bool tls_relays_have(const struct tls_relays *relays, int fd); /* whether it is the other end of one: its client speaks TLS */
/* How far the client of any socket has come, as in port.h. */
struct port_delivery tls_relays_delivery(const struct tls_relays *relays, int fd);
/* Closes any socket so that its client sees that what it got is not whole: by a reset. */
void tls_relays_reset(const struct tls_relays *relays, int fd);

#endif

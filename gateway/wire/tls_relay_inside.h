/* One relay, for the files of tls_relay.h only. Its memory goes when the loop has let go of its last watcher. */
#ifndef GATEWAY_WIRE_TLS_RELAY_INSIDE_H
#define GATEWAY_WIRE_TLS_RELAY_INSIDE_H

#include "common/data/buf.h"
#include "gateway/wire/openssl.h"
#include "gateway/wire/tls_relay.h"

enum tls_phase {
	TLS_SHAKING,
	TLS_OPEN,
	TLS_LEAVING, /* the other end says no more: what is left goes to the client, and close_notify */
	TLS_ENDED,   /* both descriptors are gone */
};

struct tls_relay {
	struct tls_relays *owner;
	unsigned watchers; /* of the loop */
	struct list link;
	struct deadline deadline; /* of the handshake, of leaving */
	enum tls_phase phase;
	struct admission admission; /* ours until the relay is open */
	SSL *ssl;
	int fd, inner_fd; /* the client's socket; our end of the pair, -1: none */
	uint64_t cookie;  /* by which the kernel knows the other end (socket(7), SO_COOKIE); 0: there is none yet */
	uv_poll_t poll, inner_poll;
	int events, inner_events; /* what they wait for */
	struct buf to_client, to_inner; /* the piece that was not taken; empty else, and then without memory */
	bool wants_write;  /* OpenSSL cannot go on reading before the client takes something */
	bool client_ended; /* it says no more */
	bool inner_told;   /* of that */
	bool said_goodbye; /* close_notify went out */
	bool is_cut;
};

/* The only place that changes the phase; forwards only. */
void tls_relay_enter(struct tls_relay *relay, enum tls_phase phase);
void tls_relay_end(struct tls_relay *relay);   /* closes both descriptors */
void tls_relay_leave(struct tls_relay *relay); /* the other end says no more */
void tls_relay_part(struct tls_relay *relay);  /* all was said: parts from the client in good order */

void tls_relay_move(struct tls_relay *relay); /* what can be moved now, both ways; it may have ended afterwards */
int tls_relay_wants(const struct tls_relay *relay);       /* events of the client's socket */
int tls_relay_wants_inner(const struct tls_relay *relay); /* events of the pair */

#endif

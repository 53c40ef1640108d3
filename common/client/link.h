/* A link is one connection to a gateway, from the first address that is tried to the end: TCP, TLS, the handshake, frames in and
 * out, all without blocking but for the resolving of names. Owned by its client. It knows nothing of messages.
 * Invariant: fd >= 0 in every phase but TGC_LINK_NONE; at most out_max bytes wait to be sent. */
#ifndef COMMON_CLIENT_LINK_H
#define COMMON_CLIENT_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/client/inbox.h"
#include "common/client/secure.h"
#include "common/client/tgclient.h"
#include "common/client/upgrade.h"
#include "common/client/url.h"
#include "common/codec/wsframe.h"
#include "common/data/buf.h"

#define TGC_ADDRESSES_MAX 16

enum tgc_link_phase { TGC_LINK_NONE, TGC_LINK_CONNECTING, TGC_LINK_SECURING, TGC_LINK_UPGRADING, TGC_LINK_OPEN };

struct tgc_address {
	struct sockaddr_storage bytes;
	socklen_t len;
};

struct tgc_link {
	enum tgc_link_phase phase;
	int fd;
	const struct tgc_url *url; /* borrowed while there is a connection */
	const char *token;         /* likewise; may be NULL */
	const struct tgc_trust *trust; /* borrowed; NULL where no url is secure */
	struct tgc_secure *secure;     /* NULL: plain */
	struct tgc_address addresses[TGC_ADDRESSES_MAX];
	size_t address_count, address_at;
	uint64_t timeout_ms, deadline_ms; /* of the phase; UINT64_MAX: none */
	char key[TGC_KEY_CHARS + 1];
	struct tgc_inbox inbox;
	struct buf out;   /* bytes before out_at are sent */
	size_t out_at, out_max;
	bool offers_deflate;
	bool cannot_send; /* the peer takes nothing more; what it said before is still read */
	bool has_ended;   /* the peer says nothing more */
	/* Of the failure: */
	char why[TGC_WHY_MAX];
	unsigned status;         /* HTTP status; 0: none */
	uint64_t retry_after_ms; /* what the node asked for; 0: nothing */
};

enum tgc_link_news {
	TGC_LINK_NOTHING,
	TGC_LINK_IS_OPEN, /* the handshake succeeded just now; the inbox may hold frames already */
	TGC_LINK_HEARD,   /* bytes came into the inbox */
	TGC_LINK_FAILED,  /* why says why; close it */
};

void tgc_link_init(struct tgc_link *link, size_t message_bytes_max, size_t output_bytes_max);
void tgc_link_fini(struct tgc_link *link);
/* Resolves the host (may block) and begins to connect. False: it failed, why says why. */
bool tgc_link_open(struct tgc_link *link, const struct tgc_url *url, const char *token, uint64_t timeout_ms, uint64_t now_ms) MUST_USE;
/* Ends it at once. What the inbox holds stays as it is until the next tgc_link_open: somebody may be looking at it. */
void tgc_link_close(struct tgc_link *link);

short tgc_link_events(const struct tgc_link *link);
enum tgc_link_news tgc_link_step(struct tgc_link *link, short revents, uint64_t now_ms);
void tgc_link_flush(struct tgc_link *link);
/* Queues one frame. ERR_LIMIT, ERR_NOMEM. */
enum err tgc_link_send(struct tgc_link *link, enum wsframe_op op, struct slice payload) MUST_USE;

#endif

/* A link is the life of one connection to Redis: dial, log in, carry requests and replies in order, end. It is made for one
 * connection and never reconnects; its owner makes another. RESP2 is spoken: no HELLO is ever sent.
 * Owned by one loop. hiredis formats, parses and (where built in) does TLS; the socket and the loop are ours, so that no
 * callback runs inside a context that is being freed.
 *
 * The owner hears on_up once after the login, or on_down once when the link ended by itself; after on_down, as after
 * link_close, the link is gone. Every request gets exactly one reply: Redis', or NULL when the link ends first. */
#ifndef GATEWAY_REDIS_LINK_H
#define GATEWAY_REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "gateway/redis/url.h"

struct event_base;
struct link;
struct redisReply;
struct redisReplyObjectFunctions;

struct link_settings {
	struct place place;         /* copied, texts too */
	const struct url *url;      /* login and TLS; borrowed for the link's life */
	const char *client_name;    /* for CLIENT SETNAME; NULL: none; borrowed */
	uint64_t timeout_ns;        /* from the start to the end of the login */
	uint64_t silence_ns;        /* see dial.h */
	unsigned rotation;          /* see dial.h */
	bool must_be_primary;       /* ask ROLE and refuse a replica */
	bool is_plain;              /* no AUTH, SELECT, SETNAME: for a sentinel that wants no password */
	bool is_sentinel;           /* AUTH at most */
};

struct link_owner {
	void (*on_up)(void *context);
	void (*on_down)(void *context, const char *why);
	void *context;
};

/* reply: borrowed for the call; NULL: the link ended. */
typedef void link_reply_fn(void *context, const struct redisReply *reply);

/* ERR_NOMEM. */
enum err link_open(struct event_base *base, const struct link_settings *settings, struct link_owner owner,
		   struct link **ret_link) MUST_USE;
/* Detaches the owner, writes what is queued as far as the socket takes it at once, answers what is pending with NULL and
 * closes the socket, at any time, also from the link's own callbacks. The pointer is invalid from then on. NULL is fine. */
void link_close(struct link *link);

/* Requests are written at the end of the loop's turn, all in one. ERR_NOMEM, ERR_CLOSED (not up, or the link is a stream). */
enum err link_send(struct link *link, size_t count, const char **words, const size_t *lens, link_reply_fn *on_reply,
		   void *context) MUST_USE;

/* The same for a command that is already in RESP. */
enum err link_send_formatted(struct link *link, struct slice command, link_reply_fn *on_reply, void *context) MUST_USE;

/* Turns the link into a stream (pub/sub): from now on everything that Redis sends is parsed through functions (their
 * privdata is context), and on_read_end is called after each read of the socket. No request may be pending.
 * ERR_NOMEM. */
struct link_stream {
	struct redisReplyObjectFunctions *functions;
	void (*on_read_end)(void *context);
	void *context;
};
enum err link_stream(struct link *link, const struct link_stream *stream) MUST_USE;
/* Sends a command of which the stream gets the replies. */
enum err link_stream_send(struct link *link, size_t count, const char **words, const size_t *lens) MUST_USE;

uint64_t link_read_ns(const struct link *link); /* monotonic time of the last byte read */
const char *link_address(const struct link *link); /* where it leads, for logs */

#endif

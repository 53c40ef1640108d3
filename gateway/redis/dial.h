/* One attempt to get a connected socket to a place: looks the host up anew, then tries its addresses in turn, each with an
 * equal share of the time that is left, so that a dead first address leaves room for the second.
 * Owned by one loop. done is called exactly once, unless dial_free came first; it may free the dial. */
#ifndef GATEWAY_REDIS_DIAL_H
#define GATEWAY_REDIS_DIAL_H

#include <stdint.h>

#include "common/base/err.h"
#include "gateway/redis/url.h"

struct dial;
struct event_base;

/* fd: the caller's from then on, non-blocking, close-on-exec; or -1, and why says what failed at which address. */
typedef void dial_done_fn(void *context, int fd, const char *why);

struct dial_settings {
	uint64_t timeout_ns; /* for the lookup and all addresses */
	uint64_t silence_ns; /* unacknowledged data for this long breaks the connection (TCP_USER_TIMEOUT) */
	unsigned rotation;   /* begin with the address of this index, modulo their number */
};

/* place is borrowed until done or dial_free. ERR_NOMEM. Every other failure comes through done. */
enum err dial_start(struct event_base *base, const struct place *place, const struct dial_settings *settings,
		    dial_done_fn *done, void *context, struct dial **ret_dial) MUST_USE;
void dial_free(struct dial *dial); /* NULL is fine; closes what is not connected yet */

#endif

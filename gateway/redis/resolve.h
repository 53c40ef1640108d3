/* One lookup of a host name, done by getaddrinfo on a thread of its own, so that the loop never waits for a name server.
 * Started and freed on the loop's thread; the loop's base must have been made after evthread_use_pthreads().
 * The answer arrives on the loop, exactly once. A lookup that is freed before its answer came is given up: its thread ends when
 * getaddrinfo returns and nobody hears of it. Addresses in digits need no thread. */
#ifndef GATEWAY_REDIS_RESOLVE_H
#define GATEWAY_REDIS_RESOLVE_H

#include <netdb.h>
#include <stdint.h>

#include "common/base/err.h"

struct event_base;
struct resolve;

/* Lookups that may be under way at once in this process, those given up included. */
#define RESOLVE_THREADS_MAX 16

/* addresses: NULL on failure, then why says more; borrowed until resolve_free. */
typedef void resolve_done_fn(void *context, const struct addrinfo *addresses, const char *why);

/* ERR_NOMEM, ERR_LIMIT (RESOLVE_THREADS_MAX), ERR_IO (no thread could be started). */
enum err resolve_start(struct event_base *base, const char *host, uint16_t port, resolve_done_fn *done, void *context,
		       struct resolve **ret_resolve) MUST_USE;
void resolve_free(struct resolve *resolve); /* at any time, also in the callback; NULL is fine */

#endif

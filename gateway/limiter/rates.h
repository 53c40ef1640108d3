/* How often everyone asks, whatever connection he does it by: a token bucket for each identity, or address, that asked within the
 * last second or so. A bucket that is full again says nothing, so its place is free: nobody is remembered for longer. The table has a
 * fixed size (3 MiB, used as they come) and nothing is allocated for anybody: where the places that a name may have are all taken, the
 * one that is nearest to full is given away. So who comes with many names makes nothing grow and gets nobody refused; he can only
 * have somebody forgiven, those over their rate last. Shared by all workers; a mutex inside, taken once for a request that has a
 * limit and never for one without. */
#ifndef GATEWAY_LIMITER_RATES_H
#define GATEWAY_LIMITER_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "gateway/limiter/connections.h"

#define RATES_PLACES 8 /* that a name may have */

struct rates;

struct rates *rates_new(void) MUST_USE; /* NULL: no memory */
void rates_free(struct rates *rates);   /* NULL is fine */
/* Takes a token from the bucket of the identity or, where that is empty, of the address; it holds one second's worth. Another rate
 * than the last time leaves it as full as it was, in proportion. False: there is none, ret_wait_ms says when there will be.
 * True too for a rate of 0, and for who has neither identity nor address. */
bool rates_take(struct rates *rates, struct slice identity, const struct address_key *address, uint64_t rate_per_s, uint64_t now_ns,
		uint64_t *ret_wait_ms);

#endif

/* When to come back after a failure, and whether at all. A round is one attempt at each node: within it the next one is
 * tried almost at once, behind it the pause doubles. Pure but for its random numbers. */
#ifndef COMMON_CLIENT_BACKOFF_H
#define COMMON_CLIENT_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/random.h"

struct tgc_backoff {
	uint64_t min_ms, max_ms;
	unsigned failures; /* in a row */
	unsigned nodes;    /* at least 1 */
	struct random random;
};

/* Counts a failure and gives the pause behind it: up to half of min_ms inside a round; behind a round min_ms, doubled for
 * each round before it up to max_ms, of which half is by chance. asked_ms: what the node asked for, 0 nothing; it
 * lengthens the pause behind a round, but never beyond a minute. */
uint64_t tgc_backoff_fail(struct tgc_backoff *backoff, uint64_t asked_ms);
void tgc_backoff_succeed(struct tgc_backoff *backoff);

/* What docs/protocol.md says about a close code, and what HTTP means by a status: whether to come back without a change. */
bool tgc_close_is_final(unsigned code);
bool tgc_status_is_final(unsigned status);

#endif

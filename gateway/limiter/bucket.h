/* A token bucket: rate_per_s tokens a second flow in, up to burst. Refilled lazily from the monotonic clock, so an idle
 * bucket costs nothing. A rate of 0 means no limit. Pure; the caller brings the time. Arithmetic is exact in integers:
 * long sleeps saturate, a clock that does not move gives nothing. */
#ifndef GATEWAY_LIMITER_BUCKET_H
#define GATEWAY_LIMITER_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t rate_per_s, burst;
	uint64_t level_nanotokens; /* at most burst * 1e9 */
	uint64_t updated_ns;
};

void bucket_init(struct bucket *bucket, uint64_t rate_per_s, uint64_t burst, uint64_t now_ns); /* starts full; burst 0 means rate_per_s */
/* Another rate and burst from now on: it stays as full as it was, in proportion. One that was never started, or had no limit, is full. */
void bucket_change(struct bucket *bucket, uint64_t rate_per_s, uint64_t burst, uint64_t now_ns);
bool bucket_take(struct bucket *bucket, uint64_t tokens, uint64_t now_ns); /* all or nothing */
uint64_t bucket_wait_ms(const struct bucket *bucket, uint64_t tokens, uint64_t now_ns); /* until take could succeed, rounded up; UINT64_MAX: never */

#endif

/* The only source of time. Monotonic time for intervals, wall-clock time for stamps and expiries.
 * A test replaces both with clock_fake(); that is for single-threaded tests only. */
#ifndef COMMON_BASE_CLOCK_H
#define COMMON_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define MS_PER_S UINT64_C(1000)

uint64_t clock_mono_ns(void); /* never goes back; its zero means nothing */
uint64_t clock_mono_ms(void);
uint64_t clock_wall_ms(void); /* since the Unix epoch; may jump */

/* Freezes both clocks at these values until clock_real(). */
void clock_fake(uint64_t mono_ns, uint64_t wall_ms);
void clock_fake_advance_ms(uint64_t ms); /* moves both */
void clock_real(void);

#endif

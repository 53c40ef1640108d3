/* Reference count for what several threads share. Starts at 1, owned by whoever made the object. */
#ifndef COMMON_BASE_REFCOUNT_H
#define COMMON_BASE_REFCOUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct refcount {
	_Atomic uint32_t count;
};

static inline void refcount_init(struct refcount *refs)
{
	atomic_init(&refs->count, 1);
}

static inline void refcount_take(struct refcount *refs)
{
	atomic_fetch_add_explicit(&refs->count, 1, memory_order_relaxed);
}

/* True for the caller that dropped the last reference: it frees the object. Acquire-release, so that it sees
 * every write that the other holders made before they let go. */
static inline bool refcount_drop(struct refcount *refs)
{
	return atomic_fetch_sub_explicit(&refs->count, 1, memory_order_acq_rel) == 1;
}

#endif

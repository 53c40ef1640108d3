/* Deadlines and one timer for the first of them. Most lie equally far ahead when they are set, others were fixed before: setting one
 * is O(1) either way, stopping it O(log n) amortised (heap.h). Owned by one loop, touched on its thread. */
#ifndef GATEWAY_WIRE_DEADLINES_H
#define GATEWAY_WIRE_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/data/heap.h"

struct deadline { /* all of it zero: not set */
	struct heap_node node;
	uint64_t at_ns; /* stays when it is stopped */
};

struct deadlines {
	struct heap waiting; /* the soonest first */
	uv_timer_t timer;
	uint64_t armed_ns; /* for when it is, while it is active */
	uint64_t timeout_ns;
	void (*expired)(struct deadline *deadline); /* it is not set any more */
};

void deadlines_init(struct deadlines *deadlines, uv_loop_t *loop, uint64_t timeout_ns,
		    void (*expired)(struct deadline *));
void deadlines_close(struct deadlines *deadlines); /* its memory is free to go after the loop ran once more */

void deadlines_start(struct deadlines *deadlines, struct deadline *deadline); /* the timeout from now; again: anew */
void deadlines_start_at(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ns);
void deadline_stop(struct deadline *deadline); /* harmless when it is not set */
bool deadline_is_set(const struct deadline *deadline);

#endif

/* Deadlines that all lie equally far ahead when they are set: a list in the order of their coming and one timer for its
 * front, so that setting and stopping one costs nothing but a list move. Owned by one loop, touched on its thread. */
#ifndef GATEWAY_WIRE_DEADLINES_H
#define GATEWAY_WIRE_DEADLINES_H

#include <stdint.h>
#include <uv.h>

#include "common/base/list.h"

struct deadline {
	struct list link; /* list_init-ed by the owner */
	uint64_t at_ns;
};

struct deadlines {
	struct list waiting; /* soonest first */
	uv_timer_t timer;
	uint64_t timeout_ns;
	void (*expired)(struct deadline *deadline); /* it is off the list already */
};

void deadlines_init(struct deadlines *deadlines, uv_loop_t *loop, uint64_t timeout_ns,
		    void (*expired)(struct deadline *));
void deadlines_close(struct deadlines *deadlines); /* its memory is free to go after the loop ran once more */

void deadlines_start(struct deadlines *deadlines, struct deadline *deadline); /* from now; again: anew */
void deadline_stop(struct deadline *deadline);                                /* harmless when it does not run */

#endif

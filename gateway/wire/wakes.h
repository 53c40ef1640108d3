/* What goes on in the next iteration of the loop: connections to which something happened inside a call that they must not act on
 * before it returns. Each goes on once, however often it was woken. Owned by one loop, touched on its thread. */
#ifndef GATEWAY_WIRE_WAKES_H
#define GATEWAY_WIRE_WAKES_H

#include <uv.h>

#include "common/base/list.h"

struct wake {
	struct list link; /* list_init-ed by the owner, who removes it when he goes */
};

struct wakes {
	struct list woken;
	uv_idle_t again; /* runs while there are some */
	void (*go_on)(struct wake *wake); /* it is off the list already, and may be gone afterwards */
};

void wakes_init(struct wakes *wakes, uv_loop_t *loop, void (*go_on)(struct wake *));
void wakes_close(struct wakes *wakes); /* its memory is free to go after the loop ran once more */
void wakes_add(struct wakes *wakes, struct wake *wake);

#endif

#include "gateway/wire/wakes.h"

static void on_again(uv_idle_t *again)
{
	struct wakes *wakes = again->data;
	struct list due = wakes->woken;
	if (list_is_empty(&wakes->woken)) {
		uv_idle_stop(again);
		return;
	}
	due.next->prev = due.prev->next = &due;
	list_init(&wakes->woken);
	while (!list_is_empty(&due)) {
		struct wake *wake = LIST_ENTRY(due.next, struct wake, link);
		list_remove(&wake->link);
		wakes->go_on(wake);
	}
}

void wakes_init(struct wakes *wakes, uv_loop_t *loop, void (*go_on)(struct wake *))
{
	list_init(&wakes->woken);
	wakes->go_on = go_on;
	uv_idle_init(loop, &wakes->again);
	wakes->again.data = wakes;
}

void wakes_close(struct wakes *wakes)
{
	uv_close((uv_handle_t *)&wakes->again, NULL);
}

void wakes_add(struct wakes *wakes, struct wake *wake)
{
	if (!list_is_empty(&wake->link))
		return;
	list_append(&wakes->woken, &wake->link);
	uv_idle_start(&wakes->again, on_again);
}

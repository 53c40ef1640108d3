#include "gateway/wire/deadlines.h"

#include "common/base/clock.h"

static void on_timer(uv_timer_t *timer);

static void arm(struct deadlines *deadlines)
{
	if (list_is_empty(&deadlines->waiting) || uv_is_closing((uv_handle_t *)&deadlines->timer))
		return;
	uint64_t at_ns = LIST_ENTRY(deadlines->waiting.next, struct deadline, link)->at_ns;
	uint64_t now_ns = clock_mono_ns();
	uint64_t wait_ms = at_ns > now_ns ? (at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
	uv_update_time(deadlines->timer.loop);
	uv_timer_start(&deadlines->timer, on_timer, wait_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct deadlines *deadlines = timer->data;
	uint64_t now_ns = clock_mono_ns();
	while (!list_is_empty(&deadlines->waiting)) {
		struct deadline *first = LIST_ENTRY(deadlines->waiting.next, struct deadline, link);
		if (first->at_ns > now_ns)
			break;
		list_remove(&first->link);
		deadlines->expired(first);
	}
	arm(deadlines);
}

void deadlines_init(struct deadlines *deadlines, uv_loop_t *loop, uint64_t timeout_ns,
		    void (*expired)(struct deadline *))
{
	list_init(&deadlines->waiting);
	deadlines->timeout_ns = timeout_ns;
	deadlines->expired = expired;
	uv_timer_init(loop, &deadlines->timer);
	deadlines->timer.data = deadlines;
}

void deadlines_close(struct deadlines *deadlines)
{
	uv_close((uv_handle_t *)&deadlines->timer, NULL);
}

void deadlines_start(struct deadlines *deadlines, struct deadline *deadline)
{
	list_remove(&deadline->link);
	deadline->at_ns = clock_mono_ns() + deadlines->timeout_ns;
	list_append(&deadlines->waiting, &deadline->link);
	if (!uv_is_active((uv_handle_t *)&deadlines->timer))
		arm(deadlines);
}

void deadline_stop(struct deadline *deadline)
{
	list_remove(&deadline->link);
}

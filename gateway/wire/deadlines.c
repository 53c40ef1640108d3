#include "gateway/wire/deadlines.h"

#include "common/base/clock.h"

static void on_timer(uv_timer_t *timer);

static struct deadline *deadline_of(const struct heap_node *node)
{
	return HEAP_ENTRY(node, struct deadline, node);
}

static bool is_sooner(const struct heap_node *a, const struct heap_node *b)
{
	return deadline_of(a)->at_ns < deadline_of(b)->at_ns;
}

/* NULL: none is set. */
static struct deadline *first(const struct deadlines *deadlines)
{
	struct heap_node *node = heap_first(&deadlines->waiting);
	return node ? deadline_of(node) : NULL;
}

static void arm(struct deadlines *deadlines)
{
	const struct deadline *soonest = first(deadlines);
	if (!soonest || uv_is_closing((uv_handle_t *)&deadlines->timer))
		return;
	uint64_t now_ns = clock_mono_ns();
	uint64_t wait_ms = soonest->at_ns > now_ns ? (soonest->at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
	deadlines->armed_ns = soonest->at_ns;
	uv_update_time(deadlines->timer.loop);
	uv_timer_start(&deadlines->timer, on_timer, wait_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct deadlines *deadlines = timer->data;
	uint64_t now_ns = clock_mono_ns();
	struct deadline *soonest;
	while ((soonest = first(deadlines)) && soonest->at_ns <= now_ns) {
		deadline_stop(soonest);
		deadlines->expired(soonest);
	}
	arm(deadlines);
}

void deadlines_init(struct deadlines *deadlines, uv_loop_t *loop, uint64_t timeout_ns,
		    void (*expired)(struct deadline *))
{
	heap_init(&deadlines->waiting);
	deadlines->armed_ns = 0;
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
	deadlines_start_at(deadlines, deadline, clock_mono_ns() + deadlines->timeout_ns);
}

void deadlines_start_at(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ns)
{
	deadline_stop(deadline);
	deadline->at_ns = at_ns;
	heap_add(&deadlines->waiting, &deadline->node, is_sooner);
	if (!uv_is_active((uv_handle_t *)&deadlines->timer) || at_ns < deadlines->armed_ns)
		arm(deadlines);
}

void deadline_stop(struct deadline *deadline)
{
	heap_remove(&deadline->node, is_sooner);
}

bool deadline_is_set(const struct deadline *deadline)
{
	return heap_node_is_in(&deadline->node);
}

#include "gateway/session/heartbeat.h"

#include <stddef.h>

void heartbeats_init(struct heartbeats *heartbeats, uint64_t interval_ns)
{
	list_init(&heartbeats->resting);
	list_init(&heartbeats->pinged);
	heartbeats->interval_ns = interval_ns;
}

static struct heartbeat *first(const struct list *list)
{
	return list_is_empty(list) ? NULL : LIST_ENTRY(list->next, struct heartbeat, link);
}

/* Of two, the one that is due earlier; either may be NULL. */
static struct heartbeat *earlier(struct heartbeat *a, struct heartbeat *b)
{
	if (!a || !b)
		return a ? a : b;
	return a->due_ns <= b->due_ns ? a : b;
}

uint64_t heartbeats_next_ns(const struct heartbeats *heartbeats)
{
	const struct heartbeat *next = earlier(first(&heartbeats->resting), first(&heartbeats->pinged));
	return next ? next->due_ns : UINT64_MAX;
}

struct heartbeat *heartbeats_due(struct heartbeats *heartbeats, uint64_t now_ns)
{
	struct heartbeat *next = earlier(first(&heartbeats->resting), first(&heartbeats->pinged));
	return next && next->due_ns <= now_ns ? next : NULL;
}

static void wait_in(struct list *list, struct heartbeat *heartbeat, bool is_pinged, uint64_t due_ns)
{
	list_remove(&heartbeat->link);
	heartbeat->is_pinged = is_pinged;
	heartbeat->is_alive = false;
	heartbeat->due_ns = due_ns;
	list_append(list, &heartbeat->link);
}

void heartbeat_rest(struct heartbeats *heartbeats, struct heartbeat *heartbeat, uint64_t now_ns)
{
	wait_in(&heartbeats->resting, heartbeat, false, now_ns + heartbeats->interval_ns / 2);
}

void heartbeat_pinged(struct heartbeats *heartbeats, struct heartbeat *heartbeat, uint64_t now_ns)
{
	wait_in(&heartbeats->pinged, heartbeat, true, now_ns + heartbeats->interval_ns / 2);
}

void heartbeat_stop(struct heartbeat *heartbeat)
{
	list_remove(&heartbeat->link);
}

#include "gateway/session/alarms.h"

static struct alarm *alarm_of(const struct heap_node *node)
{
	return HEAP_ENTRY(node, struct alarm, node);
}

static bool is_earlier(const struct heap_node *a, const struct heap_node *b)
{
	const struct alarm *one = alarm_of(a), *other = alarm_of(b);
	return one->due_ns != other->due_ns ? one->due_ns < other->due_ns : one->sequence < other->sequence;
}

/* NULL: none is due. */
static struct alarm *due_in(const struct heap *heap, uint64_t now_ns)
{
	struct heap_node *first = heap_first(heap);
	return first && alarm_of(first)->due_ns <= now_ns ? alarm_of(first) : NULL;
}

void alarms_init(struct alarms *alarms)
{
	heap_init(&alarms->pending);
	alarms->last_sequence = 0;
}

uint64_t alarms_next_ns(const struct alarms *alarms)
{
	const struct heap_node *first = heap_first(&alarms->pending);
	return first ? alarm_of(first)->due_ns : UINT64_MAX;
}

/* What is set meanwhile stands apart: so one that sets itself again for now does not keep the thread here. */
void alarms_run(struct alarms *alarms, uint64_t now_ns)
{
	struct heap former;
	struct alarm *alarm;
	if (!due_in(&alarms->pending, now_ns))
		return;
	heap_init(&former);
	heap_take_all(&former, &alarms->pending, is_earlier);
	while ((alarm = due_in(&former, now_ns))) {
		alarm_stop(alarm);
		alarm->on_due(alarm);
	}
	heap_take_all(&alarms->pending, &former, is_earlier);
}

void alarm_init(struct alarm *alarm, alarm_due *on_due)
{
	*alarm = (struct alarm){.on_due = on_due};
}

void alarm_set(struct alarms *alarms, struct alarm *alarm, uint64_t due_ns)
{
	alarm_stop(alarm);
	alarm->due_ns = due_ns;
	alarm->sequence = ++alarms->last_sequence;
	heap_add(&alarms->pending, &alarm->node, is_earlier);
}

void alarm_stop(struct alarm *alarm)
{
	heap_remove(&alarm->node, is_earlier);
}

bool alarm_is_set(const struct alarm *alarm)
{
	return heap_node_is_in(&alarm->node);
}

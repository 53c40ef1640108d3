#include "gateway/session/alarms.h"

void alarms_init(struct alarms *alarms)
{
	list_init(&alarms->pending);
}

static struct alarm *first(const struct alarms *alarms)
{
	return list_is_empty(&alarms->pending) ? NULL : LIST_ENTRY(alarms->pending.next, struct alarm, link);
}

uint64_t alarms_next_ns(const struct alarms *alarms)
{
	const struct alarm *alarm = first(alarms);
	return alarm ? alarm->due_ns : UINT64_MAX;
}

/* The due ones are taken out first: so one that sets itself again for now does not keep the thread here. */
void alarms_run(struct alarms *alarms, uint64_t now_ns)
{
	struct list due;
	struct alarm *alarm;
	list_init(&due);
	while ((alarm = first(alarms)) && alarm->due_ns <= now_ns) {
		list_remove(&alarm->link);
		list_append(&due, &alarm->link);
	}
	while (!list_is_empty(&due)) {
		alarm = LIST_ENTRY(due.next, struct alarm, link);
		list_remove(&alarm->link);
		alarm->on_due(alarm);
	}
}

void alarm_init(struct alarm *alarm, alarm_due *on_due)
{
	list_init(&alarm->link);
	alarm->due_ns = 0;
	alarm->on_due = on_due;
}

/* In front of which an alarm due then stands: behind all that are due as soon. Looked for from both ends, since most alarms of a list
 * are of one span and go to its end, and most others are due at once. */
static struct list *place_of(struct alarms *alarms, uint64_t due_ns)
{
	struct list *head = &alarms->pending, *from_front = head->next, *from_back = head->prev;
	while (from_front != head && LIST_ENTRY(from_front, struct alarm, link)->due_ns <= due_ns) {
		if (LIST_ENTRY(from_back, struct alarm, link)->due_ns <= due_ns)
			return from_back->next;
		from_front = from_front->next;
		from_back = from_back->prev;
	}
	return from_front;
}

void alarm_set(struct alarms *alarms, struct alarm *alarm, uint64_t due_ns)
{
	list_remove(&alarm->link);
	alarm->due_ns = due_ns;
	list_append(place_of(alarms, due_ns), &alarm->link);
}

void alarm_stop(struct alarm *alarm)
{
	list_remove(&alarm->link);
}

bool alarm_is_set(const struct alarm *alarm)
{
	return !list_is_empty(&alarm->link);
}

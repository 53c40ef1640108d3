/* Alarms call somebody at a time, whatever the number of those that wait: setting one is O(1), stopping one and the next one that is due
 * O(log n) amortised (heap.h). Those of the same time go off in the order in which they were set. All of an exchange are in one struct
 * alarms; same thread. */
#ifndef GATEWAY_SESSION_ALARMS_H
#define GATEWAY_SESSION_ALARMS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h" /* LIST_ENTRY() leads from an alarm to its owner */
#include "common/data/heap.h"

struct alarm;
typedef void alarm_due(struct alarm *alarm); /* it is not set any more; may be set again, or freed with its owner */

struct alarm {
	struct heap_node node;
	uint64_t due_ns;   /* monotonic */
	uint64_t sequence; /* of those that were set for the same time */
	alarm_due *on_due;
};

struct alarms {
	struct heap pending;
	uint64_t last_sequence;
};

void alarms_init(struct alarms *alarms);
uint64_t alarms_next_ns(const struct alarms *alarms);         /* UINT64_MAX: none; O(1) */
void alarms_run(struct alarms *alarms, uint64_t now_ns);      /* calls those that are due; what they set for now comes the next time */

void alarm_init(struct alarm *alarm, alarm_due *on_due);
void alarm_set(struct alarms *alarms, struct alarm *alarm, uint64_t due_ns); /* anew, if it is set */
void alarm_stop(struct alarm *alarm);                                        /* harmless when it is not set */
bool alarm_is_set(const struct alarm *alarm);

#endif

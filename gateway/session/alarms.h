/* Alarms call somebody at a time. Those of an exchange stand in one list in the order of time; they are set for a few fixed
 * spans from now, so that a new one has its place at the end or near it. Same thread as the exchange. */
#ifndef GATEWAY_SESSION_ALARMS_H
#define GATEWAY_SESSION_ALARMS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"

struct alarm;
typedef void alarm_due(struct alarm *alarm); /* it is not set any more; may be set again, or freed with its owner */

struct alarm {
	struct list link;
	uint64_t due_ns; /* monotonic */
	alarm_due *on_due;
};

struct alarms {
	struct list pending; /* by due_ns */
};

void alarms_init(struct alarms *alarms);
uint64_t alarms_next_ns(const struct alarms *alarms);         /* UINT64_MAX: none */
void alarms_run(struct alarms *alarms, uint64_t now_ns);      /* calls those that are due; what they set for now comes the next time */

void alarm_init(struct alarm *alarm, alarm_due *on_due);
void alarm_set(struct alarms *alarms, struct alarm *alarm, uint64_t due_ns); /* anew, if it is set */
void alarm_stop(struct alarm *alarm);                                        /* harmless when it is not set */
bool alarm_is_set(const struct alarm *alarm);

#endif

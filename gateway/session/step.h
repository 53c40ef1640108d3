/* A step moves a replay by so many events, forwards or back: a request that is answered when they were read. Forwards they
 * are given at once, whatever their time; back only the one is given that the replay then stands on. The steps of a replay
 * are done one after the other; whatever else moves the replay ends those that wait where they are.
 * Owned by its replay, same thread. */
#ifndef GATEWAY_SESSION_STEP_H
#define GATEWAY_SESSION_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/session/replay.h"

#define STEP_EVENTS_MAX 10000

struct request;

/* Counts among the requests of the session that are under way; may refuse. */
void step_begin(const struct request *request, struct replay *replay, bool is_back, uint64_t count);
bool step_write(struct replay *replay); /* a turn of the first step; as writer_write */
void steps_end(struct replay *replay);  /* replies to all of them */
/* {"at","state"}, in the exchange's arena; state NULL: the replay's own. */
struct value *step_ok(const struct replay *replay, const char *state);

#endif

/* The part of the historian that answers what the state of a session was: carries out for gateway/history/states.h. Private to the
 * historian, same thread. */
#ifndef GATEWAY_WORKER_HISTORIAN_STATES_H
#define GATEWAY_WORKER_HISTORIAN_STATES_H

#include "gateway/config/config.h"
#include "gateway/history/states.h"
#include "gateway/redis/logscript.h"

struct historian_states {
	struct states *states;
	struct logscript *script;
	void (*on_answer)(struct answer *answer);
};

/* fields and script are borrowed. ERR_NOMEM: nothing is to be undone. */
enum err historian_states_init(struct historian_states *desk, const struct config *config, const struct intake_fields *fields,
			       struct logscript *script, void (*on_answer)(struct answer *answer)) MUST_USE;
void historian_states_fini(struct historian_states *desk); /* harmless when it was never made */

#endif

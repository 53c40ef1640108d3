/* Questions about the past that are under way, by ticket: who asked is told the answer, once, on a later turn; who is gone by
 * then has cancelled and is told nothing. An asker is embedded in whoever asks, and has one question at a time. Owned by the
 * exchange, same thread. */
#ifndef GATEWAY_SESSION_PAST_H
#define GATEWAY_SESSION_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "gateway/history/question.h"
#include "gateway/session/alarms.h"

struct exchange;
struct asker;

/* ERR_TIMEOUT comes also where nobody answers. The answer is borrowed until it returns; what it holds may be taken out (and set to
 * NULL). The asker may be freed inside. */
typedef void asker_answered(struct asker *asker, struct answer *answer);

struct asker {
	uint64_t ticket; /* 0: has no question under way */
	struct alarm patience;
	struct exchange *exchange;
	asker_answered *on_answer;
};

void asker_init(struct asker *asker, struct exchange *exchange, asker_answered *on_answer);
/* Takes over the question (NULL: ERR_NOMEM), gives it its ticket and the exchange's deadline. ERR_UNSUPPORTED: there is no
 * history here; ERR_NOMEM: no answer comes. The asker must have no question under way. */
enum err asker_ask(struct asker *asker, struct question *question) MUST_USE;
void asker_cancel(struct asker *asker); /* harmless without a question */
void asker_forget(struct asker *asker); /* the same, but what was asked for may still be done */
bool asker_is_waiting(const struct asker *asker);

/* What a client is told of a question that was not answered as it wished. */
struct past_failure {
	const char *code, *message;
	bool is_temporary; /* time heals it */
};

/* error: not OK. why: of the answer, or NULL; where it is used the message borrows it. */
struct past_failure past_failure_of(enum err error, const char *why);

#endif

#include "gateway/session/past.h"

#include "common/base/clock.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"

/* The historian answers by the deadline; whoever is not answered for so long behind it, for want of memory there or because its
 * thread stands, waits no longer. */
#define PATIENCE_NS NS_PER_S

static struct slice key_of(const uint64_t *ticket)
{
	return (struct slice){(const char *)ticket, sizeof *ticket};
}

static void on_patience(struct alarm *patience)
{
	struct asker *asker = LIST_ENTRY(patience, struct asker, patience);
	struct answer answer = {.ticket = asker->ticket, .error = ERR_TIMEOUT};
	asker_cancel(asker);
	asker->on_answer(asker, &answer);
}

struct past_failure past_failure_of(enum err error, const char *why)
{
	bool says_why = why && *why;
	switch (error) {
	case ERR_TIMEOUT:
		return (struct past_failure){"timeout", "Redis did not answer within history.timeout", true};
	case ERR_CLOSED:
		return (struct past_failure){"unavailable", "the node has no connection to Redis", true};
	case ERR_AGAIN: /* the log was replaced, or lags behind this node; or Redis refused it for now */
		return (struct past_failure){"unavailable", says_why ? why : "not at this moment", true};
	case ERR_LIMIT:
		return (struct past_failure){"too_many_requests", "the node has as many reads under way as history.requests allows", true};
	case ERR_UNSUPPORTED:
		return (struct past_failure){"no_history", "this gateway keeps no history (history.enabled): it delivers live events only",
					     false};
	case ERR_NOMEM:
		return (struct past_failure){"internal", "the gateway is out of memory", false};
	default:
		return (struct past_failure){"refused", says_why ? why : "Redis refused it", false};
	}
}

void asker_init(struct asker *asker, struct exchange *exchange, asker_answered *on_answer)
{
	*asker = (struct asker){.exchange = exchange, .on_answer = on_answer};
	alarm_init(&asker->patience, on_patience);
}

bool asker_is_waiting(const struct asker *asker)
{
	return asker->ticket != 0;
}

enum err asker_ask(struct asker *asker, struct question *question)
{
	struct exchange *exchange = asker->exchange;
	const struct exchange_past *past = &exchange->settings.past;
	enum err error = ERR_NOMEM;
	if (!question)
		return error;
	if (!past->ask) {
		error = ERR_UNSUPPORTED;
		goto fail_question;
	}
	asker->ticket = ++exchange->last_ticket;
	error = table_put(&exchange->askers, key_of(&asker->ticket), asker);
	if (error != OK)
		goto fail_ticket;
	question->ticket = asker->ticket;
	question->deadline_ns = clock_mono_ns() + exchange->settings.past_timeout_ns;
	question->known = exchange->feed.log;
	alarm_set(&exchange->alarms, &asker->patience, question->deadline_ns + PATIENCE_NS);
	past->ask(past->context, question);
	return OK;

fail_ticket:
	asker->ticket = 0;
fail_question:
	question_free(question);
	return error;
}

void asker_forget(struct asker *asker)
{
	if (!asker->ticket)
		return;
	alarm_stop(&asker->patience);
	table_remove(&asker->exchange->askers, key_of(&asker->ticket));
	asker->ticket = 0;
}

void asker_cancel(struct asker *asker)
{
	if (!asker->ticket)
		return;
	const struct exchange_past *past = &asker->exchange->settings.past;
	struct question *cancel = question_new_cancel(asker->ticket);
	asker_forget(asker);
	/* Without memory for it the question is answered in vain, and nobody knows its ticket. */
	if (cancel)
		past->ask(past->context, cancel);
}

void exchange_answer(struct exchange *exchange, struct answer *answer)
{
	struct asker *asker = table_get(&exchange->askers, key_of(&answer->ticket));
	if (asker && answer->is_under_way) {
		uint64_t patience_ns = exchange->settings.past_timeout_ns + PATIENCE_NS;
		alarm_set(&exchange->alarms, &asker->patience, clock_mono_ns() + patience_ns);
	} else if (asker) {
		struct arena_mark mark = arena_mark(&exchange->arena);
		asker_forget(asker);
		asker->on_answer(asker, answer);
		arena_back(&exchange->arena, mark);
	}
	answer_free(answer);
}

#include "gateway/session/past.h"

#include "common/base/clock.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"

static struct slice key_of(const uint64_t *ticket)
{
	return (struct slice){(const char *)ticket, sizeof *ticket};
}

void asker_init(struct asker *asker, struct exchange *exchange, asker_answered *on_answer)
{
	*asker = (struct asker){.exchange = exchange, .on_answer = on_answer};
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
	past->ask(past->context, question);
	return OK;

fail_ticket:
	asker->ticket = 0;
fail_question:
	question_free(question);
	return error;
}

/* The asker's ticket is no key of the table any more. */
static void forget(struct asker *asker)
{
	table_remove(&asker->exchange->askers, key_of(&asker->ticket));
	asker->ticket = 0;
}

void asker_cancel(struct asker *asker)
{
	if (!asker->ticket)
		return;
	const struct exchange_past *past = &asker->exchange->settings.past;
	struct question *cancel = question_new_cancel(asker->ticket);
	forget(asker);
	/* Without memory for it the question is answered in vain, and nobody knows its ticket. */
	if (cancel)
		past->ask(past->context, cancel);
}

void exchange_answer(struct exchange *exchange, struct answer *answer)
{
	struct asker *asker = table_get(&exchange->askers, key_of(&answer->ticket));
	if (asker) {
		forget(asker);
		asker->on_answer(asker, answer);
	}
	answer_free(answer);
}

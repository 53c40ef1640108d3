#include "gateway/worker/historian_states.h"

#include "common/base/clock.h"
#include "common/base/random.h"

#define PAGE_ENTRIES 1000
#define PAGE_BYTES ((size_t)512 * 1024)
#define FOLDS 4
/* So that from the nearest snapshot a moment is some milliseconds away. */
#define SNAPSHOT_EVENTS 2000
#define SNAPSHOT_BYTES ((size_t)4 * 1024 * 1024)

/* What was asked over a link that was lost gets no answer here: states_link() voids its tickets, before or after. */
static void on_read(void *context, uint64_t ticket, enum logscript_result result, const struct log_entry *entries,
                    size_t count, const char *why)
{
	struct historian_states *desk = context;
	if (result != LOGSCRIPT_LOST)
		states_on_read(desk->states, ticket, entries, count, logscript_why(result, why));
}

static void on_inspected(void *context, uint64_t ticket, enum logscript_result result,
                         const struct stream_facts *stream, const struct log_position *log, const char *why)
{
	struct historian_states *desk = context;
	if (result != LOGSCRIPT_LOST)
		states_on_facts(desk->states, ticket, stream, log, logscript_why(result, why));
}

static void on_recalled(void *context, uint64_t ticket, enum logscript_result result, const struct snapshot *snapshot,
                        const char *why)
{
	struct historian_states *desk = context;
	if (result != LOGSCRIPT_LOST)
		states_on_snapshot(desk->states, ticket, snapshot, logscript_why(result, why));
}

static enum err op_read(void *context, uint64_t ticket, const struct page_query *query, size_t count)
{
	struct historian_states *desk = context;
	return logscript_read(desk->script, ticket, query->session, query->from, query->to, query->is_reverse, count,
	                      on_read, desk);
}

static enum err op_inspect(void *context, uint64_t ticket, struct slice session)
{
	struct historian_states *desk = context;
	return logscript_inspect(desk->script, ticket, session, on_inspected, desk);
}

static enum err op_recall(void *context, uint64_t ticket, struct slice session, struct record_id above, struct record_id to)
{
	struct historian_states *desk = context;
	return logscript_recall(desk->script, ticket, session, above, to, on_recalled, desk);
}

static void op_keep(void *context, struct slice session, const struct snapshot *snapshot)
{
	struct historian_states *desk = context;
	logscript_keep(desk->script, session, snapshot);
}

static void op_forget(void *context, struct slice session, struct record_id at)
{
	struct historian_states *desk = context;
	logscript_forget(desk->script, session, at);
}

static void op_answer(void *context, struct answer *answer)
{
	struct historian_states *desk = context;
	desk->on_answer(answer);
}

static const struct states_ops operations = {.read = op_read,
                                             .inspect = op_inspect,
                                             .recall = op_recall,
                                             .keep = op_keep,
                                             .forget = op_forget,
                                             .answer = op_answer};

enum err historian_states_init(struct historian_states *desk, const struct config *config, const struct intake_fields *fields,
			       struct logscript *script, void (*on_answer)(struct answer *answer))
{
	struct random random;
	random_init(&random);
	const struct states_settings settings = {
	    .fields = *fields,
	    .page_entries = PAGE_ENTRIES,
	    .page_bytes = PAGE_BYTES,
	    .folds_max = FOLDS,
	    .waiting_max = config->history_requests,
	    .cache_bytes_max = config->history_state_cache,
	    .snapshot_events = SNAPSHOT_EVENTS,
	    .snapshot_bytes = SNAPSHOT_BYTES,
	    .session_idle_ms = config->session_idle_expiry / NS_PER_MS,
	    .seed = random_next(&random),
	};
	desk->script = script;
	desk->on_answer = on_answer;
	desk->states = states_new(&settings, &operations, desk);
	return desk->states ? OK : ERR_NOMEM;
}

void historian_states_fini(struct historian_states *desk)
{
	states_free(desk->states);
	desk->states = NULL;
}

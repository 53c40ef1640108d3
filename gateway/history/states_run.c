#include "common/base/clock.h"
#include "gateway/filter/filter.h"
#include "gateway/history/states_inside.h"
#include "gateway/metrics/metrics.h"

#define RECALLS_MAX 4  /* snapshots that are looked at for one run */
#define RESTARTS_MAX 3
#define PAGE_ENTRIES_MIN 16
#define TOO_LARGE "the state of this session takes more memory than history.state_cache allows"
#define TOO_FAST "the session's events are lost faster than they are read"

static struct slice session_of(const struct task *task)
{
	return task->question->session;
}

static bool is_shared(const struct task *task)
{
	return !task->question->filter;
}

static uint64_t entries_of(const struct fold *fold)
{
	return fold->skipped + fold->events;
}

void states_drop_fold(struct states *states, struct task *task)
{
	struct fold *fold = task->run.fold;
	task->run.fold = NULL;
	if (!fold)
		return;
	/* Of a snapshot that nobody has judged yet nothing is kept. */
	if (is_shared(task) && !record_id_is_zero(fold->at) && !task->run.awaits_facts && !task->run.awaits_snapshot)
		warm_put(states->warm, session_of(task), fold);
	else
		fold_free(fold);
	metric_gauge_set(METRIC_STATE_CACHE_BYTES, (int64_t)warm_bytes(states->warm));
}

static void discard(struct task *task)
{
	fold_free(task->run.fold);
	task->run.fold = NULL;
}

static void begin_fold(struct states *states, struct task *task, struct record_id since, uint64_t skipped)
{
	struct record_id shown = task->question->hides_start ? (struct record_id){0} : since;
	task->run.fold = fold_new(states->rules, states->settings.cache_bytes_max, session_of(task), shown, skipped);
}

static void finish(struct states *states, struct task *task)
{
	struct fold *fold = task->run.fold;
	struct record_id at = fold->at;
	struct buf text;
	buf_init(&text);
	fold_write(fold, &text);
	struct blob *state = buf_has_failed(&text) ? NULL : blob_new(text.bytes, text.len);
	buf_fini(&text);
	states_drop_fold(states, task);
	if (state)
		states_state_came(states, task, state, at);
	else
		states_fail(states, task, ERR_NOMEM, NULL);
	blob_unref(state);
}

static void recall(struct states *states, struct task *task, struct record_id to)
{
	struct warm_place place = {.entries = 0};
	struct run *run = &task->run;
	run->awaits_snapshot = is_shared(task) && !run->is_from_scratch && run->recalls++ < RECALLS_MAX;
	if (!run->awaits_snapshot)
		return;
	(void)!warm_find(states->warm, session_of(task), to, &place);
	enum err error = states->ops.recall(states->context, run->ticket, session_of(task), place.at, to);
	if (error)
		run->awaits_snapshot = false; /* and what else is asked of Redis will fail too */
}

/* Of a session that is kept out as a whole nothing is asked: the time that takes would tell whether it is there, and how long. */
static void finish_empty(struct states *states, struct task *task)
{
	begin_fold(states, task, (struct record_id){0}, 0);
	if (task->run.fold)
		finish(states, task);
	else
		states_fail(states, task, ERR_NOMEM, NULL);
}

void states_run(struct states *states, struct task *task, struct record_id to)
{
	struct run *run = &task->run;
	discard(task);
	*run = (struct run){.ticket = ++states->last_ticket,
	                    .to = to,
	                    .restarts = run->restarts,
	                    .is_from_scratch = run->is_from_scratch,
	                    .awaits_facts = true};
	if (!is_shared(task) && !filter_allows_session(task->question->filter, session_of(task))) {
		finish_empty(states, task);
		return;
	}
	recall(states, task, to);
	enum err error = states->ops.inspect(states->context, run->ticket, session_of(task));
	if (error)
		states_fail(states, task, error, NULL);
}

void states_restart(struct states *states, struct task *task, bool is_from_scratch)
{
	discard(task);
	if (task->run.restarts++ == RESTARTS_MAX) {
		states_fail(states, task, ERR_AGAIN, TOO_FAST);
		return;
	}
	task->run.is_from_scratch |= is_from_scratch;
	if (is_from_scratch)
		warm_drop(states->warm, session_of(task));
	states_run(states, task, task->run.to);
}

/* Asks for what comes behind the fold, or from the beginning of the stream. */
static enum err read_on(struct states *states, struct task *task, struct record_id from)
{
	struct run *run = &task->run;
	const struct page_query query = {.session = session_of(task), .from = from, .to = run->to};
	run->ticket = ++states->last_ticket;
	run->awaits_page = true;
	run->count = states->page_entries;
	metric_add(METRIC_SESSION_READS, 1);
	return states->ops.read(states->context, run->ticket, &query, run->count);
}

static uint64_t gone_of(const struct stream_facts *facts)
{
	return facts->entries_added > facts->length ? facts->entries_added - facts->length : 0;
}

/* From the stream's first entry on. Where earlier ones are lost, the fold begins with the page that shows which is the first. */
static void start_at_first(struct states *states, struct task *task)
{
	struct run *run = &task->run;
	const struct stream_facts *facts = &run->facts;
	uint64_t gone = gone_of(facts);
	bool has_any = facts->exists && facts->length && !record_id_is_before(run->to, facts->first);
	struct record_id none = {0};
	if (!has_any || !gone)
		begin_fold(states, task, gone ? facts->first : none, gone);
	if (!run->fold && (!has_any || !gone)) {
		states_fail(states, task, ERR_NOMEM, NULL);
		return;
	}
	if (!has_any) {
		finish(states, task);
		return;
	}
	run->expected = gone ? none : facts->first;
	run->overlaps = false;
	enum err error = read_on(states, task, none);
	if (error)
		states_fail(states, task, error, NULL);
}

static void start_at_fold(struct states *states, struct task *task)
{
	struct run *run = &task->run;
	const struct stream_facts *facts = &run->facts;
	struct record_id at = run->fold->at;
	run->overlaps = facts->length && !record_id_is_before(at, facts->first);
	run->expected = run->overlaps ? at : facts->first;
	bool has_more = facts->length && record_id_is_before(at, facts->last) && record_id_is_before(at, run->to);
	if (!has_more || record_id_is_before(run->to, run->expected)) {
		finish(states, task);
		return;
	}
	enum err error = read_on(states, task, run->overlaps ? record_id_previous(at) : at);
	if (error)
		states_fail(states, task, error, NULL);
}

static bool is_joined(const struct states *states, const struct task *task, struct record_id at, uint64_t entries)
{
	return snapshot_is_joined(at, entries, &task->run.facts, states->settings.session_idle_ms, clock_wall_ms());
}

/* Everything that can be known without reading is known: where the fold starts. */
static void choose_start(struct states *states, struct task *task)
{
	struct run *run = &task->run;
	struct warm_place place;
	if (run->fold && !snapshot_is_of(run->fold->at, run->epoch, &states->log, &run->facts)) {
		metric_add(METRIC_SNAPSHOTS_IGNORED, 1);
		if (states->log.epoch)
			states->ops.forget(states->context, session_of(task), (struct record_id){0});
		discard(task);
	}
	if (run->fold && !is_joined(states, task, run->fold->at, entries_of(run->fold)))
		discard(task);
	if (!run->fold && is_shared(task) && !run->is_from_scratch &&
	    warm_find(states->warm, session_of(task), run->to, &place)) {
		if (is_joined(states, task, place.at, place.entries) && !record_id_is_before(run->facts.last, place.at))
			run->fold = warm_take(states->warm, states->rules, states->settings.cache_bytes_max, session_of(task),
			                      place.at);
		else
			warm_drop(states->warm, session_of(task));
	}
	if (run->fold)
		start_at_fold(states, task);
	else
		start_at_first(states, task);
}

static struct task *find_task(const struct states *states, uint64_t ticket)
{
	LIST_FOREACH(&states->working, at, following)
	{
		struct task *task = LIST_ENTRY(at, struct task, at_work);
		if (task->run.ticket == ticket)
			return task;
	}
	return NULL;
}

static void go_on(struct states *states, struct task *task)
{
	if (!task->run.awaits_facts && !task->run.awaits_snapshot)
		choose_start(states, task);
}

void states_on_facts(struct states *states, uint64_t ticket, const struct stream_facts *stream, const struct log_position *log,
		     const char *why)
{
	states->progressed_ns = clock_mono_ns();
	if (log && !why && log->epoch)
		states_position(states, log);
	struct task *task = find_task(states, ticket);
	if (!task || !task->run.awaits_facts)
		return;
	task->run.awaits_facts = false;
	if (why) {
		discard(task);
		states_fail(states, task, ERR_IO, why);
	} else {
		task->run.facts = *stream;
		go_on(states, task);
	}
	states_pump(states);
}

/* One that is of no use, or harms others too, goes; another may stand before it. */
static void look_further(struct states *states, struct task *task, const struct snapshot *snapshot, enum snapshot_verdict verdict)
{
	struct record_id all = {0};
	metric_add(METRIC_SNAPSHOTS_IGNORED, 1);
	discard(task);
	if (verdict == SNAPSHOT_DAMAGED)
		states->ops.forget(states->context, session_of(task), snapshot->at);
	if (verdict == SNAPSHOT_OLDER)
		states->ops.forget(states->context, session_of(task), all);
	if (verdict != SNAPSHOT_OLDER)
		recall(states, task, record_id_previous(snapshot->at));
}

void states_on_snapshot(struct states *states, uint64_t ticket, const struct snapshot *snapshot, const char *why)
{
	states->progressed_ns = clock_mono_ns();
	struct task *task = find_task(states, ticket);
	if (!task || !task->run.awaits_snapshot)
		return;
	struct run *run = &task->run;
	run->awaits_snapshot = false;
	if (snapshot && !why) {
		enum snapshot_verdict verdict = snapshot_judge(snapshot, session_of(task));
		enum err error = ERR_INVALID;
		if (verdict == SNAPSHOT_GOOD)
			error = fold_read(states->rules, states->settings.cache_bytes_max, session_of(task), snapshot->state,
			                  snapshot->at, snapshot->skipped, &run->fold);
		run->epoch = snapshot->epoch;
		if (error == ERR_INVALID)
			look_further(states, task, snapshot, verdict == SNAPSHOT_GOOD ? SNAPSHOT_DAMAGED : verdict);
	}
	go_on(states, task);
	states_pump(states);
}

/* --- Pages --- */

static void keep_snapshot(struct states *states, struct task *task)
{
	struct fold *fold = task->run.fold;
	struct buf text;
	buf_init(&text);
	fold_write(fold, &text);
	struct blob *state = buf_has_failed(&text) ? NULL : blob_new(text.bytes, text.len);
	buf_fini(&text);
	fold_mark(fold);
	if (!state)
		return;
	struct snapshot snapshot = {.at = fold->at,
	                            .version = FOLD_RULES_VERSION,
	                            .epoch = states->log.epoch,
	                            .skipped = fold->skipped,
	                            .state = {(const char *)state->bytes, state->len}};
	snapshot.sum = snapshot_sum(&snapshot, session_of(task));
	if (snapshot.epoch) {
		metric_add(METRIC_SNAPSHOTS_KEPT, 1);
		states->ops.keep(states->context, session_of(task), &snapshot);
	}
	warm_put_state(states->warm, session_of(task), fold, state);
	blob_unref(state);
}

static bool is_snapshot_due(const struct states *states, const struct fold *fold)
{
	return (fold->new_events >= states->settings.snapshot_events || fold->new_bytes >= states->settings.snapshot_bytes) &&
	       fold->new_bytes >= fold_bytes(fold) / 3;
}

/* A filter wants a record. */
static enum err add_filtered(struct states *states, struct task *task, const struct log_entry *entry)
{
	enum err error = OK;
	struct record *record = intake_record(&states->settings.fields, entry->channel, entry->payload, entry->id.ms, 0);
	if (!record)
		return ERR_NOMEM;
	record_stamp(record, entry->id);
	if (filter_match(task->question->filter, record))
		error = fold_add(task->run.fold, entry->id, entry->channel, entry->payload);
	record_unref(record);
	return error;
}

static enum err add(struct states *states, struct task *task, const struct log_entry *entry)
{
	struct fold *fold = task->run.fold;
	if (!is_shared(task))
		return add_filtered(states, task, entry);
	enum err error = fold_add(fold, entry->id, entry->channel, entry->payload);
	if (!error && is_snapshot_due(states, fold))
		keep_snapshot(states, task);
	return error;
}

static size_t bytes_at_work(const struct states *states)
{
	size_t bytes = 0;
	LIST_FOREACH(&states->working, at, following)
	{
		const struct task *task = LIST_ENTRY(at, struct task, at_work);
		bytes += task->run.fold ? fold_bytes(task->run.fold) : 0;
	}
	return bytes;
}

/* What is kept gives way to what is at work, and of that the newest to the oldest, which so comes to its end. False: the task itself gave
 * way. */
static bool make_room(struct states *states, const struct task *task)
{
	size_t limit = states->settings.cache_bytes_max, busy = bytes_at_work(states);
	bool stays = true;
	while (busy > limit && states->working_count > 1) {
		struct task *newest = LIST_ENTRY(states->working.prev, struct task, at_work);
		stays = stays && newest != task;
		discard(newest);
		states_give_way(states, newest);
		busy = bytes_at_work(states);
	}
	warm_fit(states->warm, busy < limit ? limit - busy : 0);
	metric_gauge_set(METRIC_STATE_CACHE_BYTES, (int64_t)(busy + warm_bytes(states->warm)));
	return stays;
}

static enum err add_all(struct states *states, struct task *task, const struct log_entry *entries, size_t count)
{
	enum err error = OK;
	for (size_t i = 0; i < count && !error; i++)
		error = add(states, task, &entries[i]);
	metric_add(METRIC_EVENTS_FOLDED, count);
	return error;
}

static void keep_pace(struct states *states, const struct log_entry *entries, size_t count)
{
	size_t bytes = 0, most = states->settings.page_entries;
	for (size_t i = 0; i < count; i++)
		bytes += entries[i].channel.len + entries[i].payload.len;
	size_t next = bytes ? states->settings.page_bytes * count / bytes : most;
	if (next > 2 * states->page_entries)
		next = 2 * states->page_entries;
	states->page_entries = next > most ? most : next < PAGE_ENTRIES_MIN ? PAGE_ENTRIES_MIN : next;
}

static bool is_as_expected(const struct run *run, const struct log_entry *entries, size_t count)
{
	return record_id_is_zero(run->expected) || (count && record_id_compare(entries[0].id, run->expected) == 0);
}

/* The next page is asked for before this one is folded, so that Redis and this thread work side by side. */
static void take_page(struct states *states, struct task *task, const struct log_entry *entries, size_t count)
{
	struct run *run = &task->run;
	size_t skip = run->overlaps && count;
	bool is_end = count < run->count;
	struct record_id last = count ? entries[count - 1].id : (struct record_id){0};
	if (!run->fold)
		begin_fold(states, task, count ? entries[0].id : run->facts.first, gone_of(&run->facts));
	enum err error = run->fold ? OK : ERR_NOMEM;
	keep_pace(states, entries, count);
	if (!error && !is_end) {
		run->expected = last;
		run->overlaps = true;
		error = read_on(states, task, record_id_previous(last));
	}
	if (!error)
		error = add_all(states, task, entries + skip, count - skip);
	if (!error && !make_room(states, task))
		return;
	if (!error && fold_bytes(run->fold) > states->settings.cache_bytes_max)
		error = ERR_LIMIT;
	if (error) {
		discard(task);
		states_fail(states, task, error == ERR_LIMIT ? ERR_RANGE : error, error == ERR_LIMIT ? TOO_LARGE : NULL);
	} else if (is_end) {
		finish(states, task);
	}
}

void states_on_read(struct states *states, uint64_t ticket, const struct log_entry *entries, size_t count, const char *why)
{
	states->progressed_ns = clock_mono_ns();
	struct task *task = find_task(states, ticket);
	if (!task || !task->run.awaits_page)
		return;
	task->run.awaits_page = false;
	if (why)
		states_fail(states, task, ERR_IO, why);
	else if (!is_as_expected(&task->run, entries, count))
		states_restart(states, task, task->run.restarts > 0);
	else
		take_page(states, task, entries, count);
	states_pump(states);
}

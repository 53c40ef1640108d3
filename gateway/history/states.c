#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/history/refusal.h"
#include "gateway/history/states_inside.h"
#include "gateway/metrics/metrics.h"

/* Those who wait for a long fold are told so often that it goes on. */
#define TELL_NS (NS_PER_S / 2)

static struct task *of_item(struct list *link)
{
	return LIST_ENTRY(link, struct task, item.link);
}

static void join_line(struct states *states, struct task *task)
{
	if (line_join(&states->line, task->question->asker, &task->item) != OK)
		states_fail(states, task, ERR_NOMEM, NULL);
}

/* It is at work no longer; who waited for it waits in line again. */
static void leave_work(struct states *states, struct task *task)
{
	list_remove(&task->at_work);
	states->working_count -= task->is_at_work;
	states->is_crowded = states->is_crowded && !task->is_at_work;
	task->is_at_work = false;
	while (!list_is_empty(&task->followers)) {
		struct task *follower = of_item(task->followers.next);
		list_remove(&follower->item.link);
		join_line(states, follower);
	}
}

void states_give_way(struct states *states, struct task *task)
{
	leave_work(states, task);
	states->is_crowded = true;
	if (line_rejoin(&states->line, task->question->asker, &task->item) != OK)
		states_fail(states, task, ERR_NOMEM, NULL);
}

static void detach(struct states *states, struct task *task)
{
	line_leave(&states->line, &task->item);
	list_remove(&task->item.link);
	list_remove(&task->all);
	table_remove(&states->by_ticket, (struct slice){(const char *)&task->key, sizeof task->key});
	leave_work(states, task);
}

static void end(struct states *states, struct task *task)
{
	detach(states, task);
	states_drop_fold(states, task);
	blob_unref(task->from);
	question_free(task->question);
	free(task);
}

/* Without memory for an answer there is none: its asker's own patience ends it. */
static void answer_nothing(struct states *states, const struct question *question, enum err error, const char *why)
{
	metric_add(METRIC_QUESTIONS_FAILED, 1);
	if (error == ERR_IO)
		error = refusal_judge(why, &why);
	struct answer *answer = answer_new(question, error, why);
	if (answer)
		states->ops.answer(states->context, answer);
}

void states_fail(struct states *states, struct task *task, enum err error, const char *why)
{
	answer_nothing(states, task->question, error, why);
	end(states, task);
}

static void answer_state(struct states *states, struct task *task, struct blob *state, struct record_id at, struct blob *patch)
{
	struct answer *answer = answer_new(task->question, OK, NULL);
	if (answer) {
		answer->id = at;
		answer->state = blob_ref(state);
		answer->patch = patch ? blob_ref(patch) : NULL;
		states->ops.answer(states->context, answer);
	}
	end(states, task);
}

static struct slice text_of(const struct blob *blob)
{
	return (struct slice){(const char *)blob->bytes, blob->len};
}

static void answer_diff(struct states *states, struct task *task, struct blob *state, struct record_id at)
{
	struct buf text;
	buf_init(&text);
	enum err error = fold_diff(states->rules, text_of(task->from), text_of(state), &text);
	struct blob *patch = error ? NULL : blob_new(text.bytes, text.len);
	buf_fini(&text);
	if (patch)
		answer_state(states, task, state, at, patch);
	else
		states_fail(states, task, ERR_NOMEM, NULL);
	blob_unref(patch);
}

void states_state_came(struct states *states, struct task *task, struct blob *state, struct record_id at)
{
	const struct question *question = task->question;
	if (question->has_diff && !task->from) {
		task->from = blob_ref(state);
		states_run(states, task, question->at);
	} else if (question->has_diff) {
		answer_diff(states, task, state, at);
	} else {
		answer_state(states, task, state, at, NULL);
	}
}

static struct task *find_at_work(const struct states *states, struct slice session)
{
	LIST_FOREACH(&states->working, at, following)
	{
		struct task *task = LIST_ENTRY(at, struct task, at_work);
		if (slice_equal(task->question->session, session))
			return task;
	}
	return NULL;
}

static void start(struct states *states, struct task *task)
{
	list_append(&states->working, &task->at_work);
	states->working_count++;
	task->is_at_work = true;
	states_run(states, task, task->question->has_diff ? task->question->diff_from : task->question->at);
}

void states_pump(struct states *states)
{
	struct line_item *item;
	while (states->working_count < (states->is_crowded ? 1 : states->settings.folds_max) && (item = line_next(&states->line))) {
		struct task *task = LIST_ENTRY(item, struct task, item);
		struct task *leader = find_at_work(states, task->question->session);
		if (leader)
			list_append(&leader->followers, &task->item.link);
		else
			start(states, task);
	}
}

/* Takes the question over, unless it fails. */
static enum err take_on(struct states *states, struct question *question, struct task **ret_task)
{
	uint64_t now_ns = clock_mono_ns();
	struct task *task = calloc(1, sizeof *task);
	if (!task)
		return ERR_NOMEM;
	task->key.asker = (uint64_t)(uintptr_t)question->asker;
	task->key.ticket = question->ticket;
	enum err error = table_put(&states->by_ticket, (struct slice){(const char *)&task->key, sizeof task->key}, task);
	if (error) {
		free(task);
		return error;
	}
	task->question = question;
	task->patience_ns = question->deadline_ns > now_ns ? question->deadline_ns - now_ns : 0;
	list_init(&task->item.link);
	list_init(&task->at_work);
	list_init(&task->followers);
	list_append(&states->tasks, &task->all);
	*ret_task = task;
	return OK;
}

void states_ask(struct states *states, struct question *question)
{
	struct task *task;
	metric_add(METRIC_QUESTIONS, 1);
	if (question->known.epoch && (question->known.epoch == states->log.epoch || !states->log.epoch))
		states_position(states, &question->known);
	enum err error = states->is_up ? OK : ERR_CLOSED;
	if (!error && table_count(&states->by_ticket) >= states->settings.waiting_max)
		error = ERR_LIMIT;
	if (!error)
		error = take_on(states, question, &task);
	if (error) {
		answer_nothing(states, question, error, NULL);
		question_free(question);
		return;
	}
	join_line(states, task);
	states_pump(states);
}

void states_cancel(struct states *states, const struct question *cancel)
{
	const uint64_t key[2] = {(uint64_t)(uintptr_t)cancel->asker, cancel->ticket};
	struct task *task = table_get(&states->by_ticket, (struct slice){(const char *)key, sizeof key});
	if (task)
		end(states, task);
	states_pump(states);
}

void states_link(struct states *states, bool is_up)
{
	states->is_up = is_up;
	while (!is_up && !list_is_empty(&states->tasks))
		states_fail(states, LIST_ENTRY(states->tasks.next, struct task, all), ERR_CLOSED, NULL);
}

void states_position(struct states *states, const struct log_position *position)
{
	bool is_other = states->log.epoch && position->epoch != states->log.epoch;
	if (!is_other && record_id_compare(position->last, states->log.last) < 0 && states->log.epoch)
		return;
	states->log = *position;
	if (!is_other)
		return;
	warm_drop_behind(states->warm, position->base);
	LIST_FOREACH(&states->working, at, following)
	{
		states_restart(states, LIST_ENTRY(at, struct task, at_work), false);
	}
	states_pump(states);
}

static void tell_progress(struct states *states, uint64_t now_ns)
{
	states->told_ns = now_ns;
	LIST_FOREACH(&states->tasks, at, following)
	{
		const struct task *task = LIST_ENTRY(at, struct task, all);
		struct answer *answer = answer_new(task->question, OK, NULL);
		if (!answer)
			return;
		answer->is_under_way = true;
		states->ops.answer(states->context, answer);
	}
}

uint64_t states_tick(struct states *states, uint64_t now_ns)
{
	if (list_is_empty(&states->tasks))
		return UINT64_MAX;
	uint64_t due_ns = now_ns + TELL_NS;
	LIST_FOREACH(&states->tasks, at, following)
	{
		struct task *task = LIST_ENTRY(at, struct task, all);
		uint64_t last_ns = states->progressed_ns + task->patience_ns, deadline_ns = task->question->deadline_ns;
		if (last_ns > deadline_ns)
			deadline_ns = last_ns;
		if (deadline_ns <= now_ns)
			states_fail(states, task, ERR_TIMEOUT, NULL);
		else if (deadline_ns < due_ns)
			due_ns = deadline_ns;
	}
	if (states->progressed_ns > states->told_ns && now_ns - states->told_ns >= TELL_NS)
		tell_progress(states, now_ns);
	states_pump(states);
	return due_ns;
}

/* --- Life --- */

struct states *states_new(const struct states_settings *settings, const struct states_ops *ops, void *context)
{
	struct states *states = calloc(1, sizeof *states);
	if (!states)
		return NULL;
	states->settings = *settings;
	states->ops = *ops;
	states->context = context;
	line_init(&states->line);
	list_init(&states->tasks);
	list_init(&states->working);
	table_init(&states->by_ticket);
	states->page_entries = settings->page_entries;
	states->rules = fold_rules_new(&states->settings.fields, settings->seed);
	states->warm = warm_new(settings->cache_bytes_max);
	if (states->rules && states->warm)
		return states;
	states_free(states);
	return NULL;
}

void states_relieve(struct states *states)
{
	warm_fit(states->warm, 0);
}

void states_free(struct states *states)
{
	if (!states)
		return;
	while (!list_is_empty(&states->tasks))
		end(states, LIST_ENTRY(states->tasks.next, struct task, all));
	warm_free(states->warm);
	fold_rules_free(states->rules);
	line_fini(&states->line);
	table_fini(&states->by_ticket);
	free(states);
}

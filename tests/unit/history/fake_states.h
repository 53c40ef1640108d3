/* The stream of one session (and of its twin, which has the same events and no snapshots), its snapshots, and nodes that answer for its states, without Redis: what a node asks is held until
 * the test answers it, one by one and in order. Everything that was ever added is remembered, so that the test knows what is right
 * although the stream has lost it. */
#ifndef TESTS_UNIT_HISTORY_FAKE_STATES_H
#define TESTS_UNIT_HISTORY_FAKE_STATES_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/history/states.h"
#include "fold_model.h"
#include "gateway/history/fold.h"

#define FAKE_SESSION SLICE_LITERAL("s")
#define FAKE_TWIN SLICE_LITERAL("twin")
#define FAKE_EVENTS 4000
#define FAKE_SNAPSHOTS 400
#define FAKE_CALLS 64
#define FAKE_WALL_MS UINT64_C(1000000)

struct fake_snapshot {
	struct snapshot is;
	struct buf state;
};

struct fake_call {
	enum { FAKE_READ, FAKE_INSPECT, FAKE_RECALL } kind;
	uint64_t ticket;
	struct record_id from, to; /* recall: above, to; of the twin nothing is found */
	size_t count;
};

struct fake_node {
	struct states *states;
	struct fake_call calls[FAKE_CALLS];
	size_t first, next; /* calls not answered yet, in a ring */
	struct answer *answer;
	size_t answers, reads, recalls, entries_read, told;
	bool is_refused;    /* Redis refuses reads */
};

static struct fake_stream {
	struct model_event events[FAKE_EVENTS]; /* ever */
	size_t count, gone;                     /* added; lost from the front */
	bool exists;
	struct fake_snapshot snapshots[FAKE_SNAPSHOTS]; /* ascending */
	size_t snapshot_count, kept, forgotten;
	struct log_position log;
	struct fake_node nodes[2];
} fake;

static UNUSED void fake_drop_snapshot(size_t at)
{
	buf_fini(&fake.snapshots[at].state);
	memmove(&fake.snapshots[at], &fake.snapshots[at + 1], (--fake.snapshot_count - at) * sizeof fake.snapshots[0]);
}

static struct fake_call *fake_hold(struct fake_node *node, int kind, uint64_t ticket)
{
	struct fake_call *call = &node->calls[node->next++ % FAKE_CALLS];
	ck_assert_uint_le(node->next - node->first, FAKE_CALLS);
	*call = (struct fake_call){.ticket = ticket};
	call->kind = kind;
	return call;
}

static enum err fake_read(void *context, uint64_t ticket, const struct page_query *query, size_t count)
{
	struct fake_node *node = context;
	struct fake_call *call = fake_hold(node, FAKE_READ, ticket);
	ck_assert(slice_equal(query->session, FAKE_SESSION) || slice_equal(query->session, FAKE_TWIN));
	ck_assert_uint_gt(count, 1);
	call->from = query->from;
	call->to = query->to;
	call->count = count;
	node->reads++;
	return OK;
}

static enum err fake_inspect(void *context, uint64_t ticket, struct slice session)
{
	ck_assert(slice_equal(session, FAKE_SESSION) || slice_equal(session, FAKE_TWIN));
	fake_hold(context, FAKE_INSPECT, ticket);
	return OK;
}

static enum err fake_recall(void *context, uint64_t ticket, struct slice session, struct record_id above, struct record_id to)
{
	struct fake_node *node = context;
	struct fake_call *call = fake_hold(node, FAKE_RECALL, ticket);
	call->from = above;
	call->to = slice_equal(session, FAKE_SESSION) ? to : (struct record_id){0};
	node->recalls++;
	return OK;
}

static void fake_keep(void *context, struct slice session, const struct snapshot *snapshot)
{
	(void)context;
	if (!slice_equal(session, FAKE_SESSION))
		return;
	const struct fake_snapshot *last = fake.snapshot_count ? &fake.snapshots[fake.snapshot_count - 1] : NULL;
	fake.kept++;
	if (last && record_id_compare(last->is.at, snapshot->at) >= 0)
		return;
	ck_assert_uint_lt(fake.snapshot_count, FAKE_SNAPSHOTS);
	struct fake_snapshot *kept = &fake.snapshots[fake.snapshot_count++];
	kept->is = *snapshot;
	buf_init(&kept->state);
	buf_append_slice(&kept->state, snapshot->state);
}

static void fake_forget(void *context, struct slice session, struct record_id at)
{
	(void)context;
	(void)session;
	fake.forgotten++;
	for (size_t i = fake.snapshot_count; i-- > 0;) {
		if (record_id_is_zero(at) || record_id_compare(fake.snapshots[i].is.at, at) == 0)
			fake_drop_snapshot(i);
	}
}

static void fake_answer(void *context, struct answer *answer)
{
	struct fake_node *node = context;
	if (answer->is_under_way) {
		node->told++;
		answer_free(answer);
		return;
	}
	node->answers++;
	answer_free(node->answer);
	node->answer = answer;
}

static const struct states_ops fake_ops = {.read = fake_read,
                                           .inspect = fake_inspect,
                                           .recall = fake_recall,
                                           .keep = fake_keep,
                                           .forget = fake_forget,
                                           .answer = fake_answer};

static void fake_give_page(struct fake_node *node, const struct fake_call *call)
{
	static struct log_entry entries[FAKE_EVENTS];
	size_t count = 0;
	for (size_t i = fake.exists ? fake.gone : fake.count; i < fake.count && count < call->count; i++) {
		const struct model_event *event = &fake.events[i];
		if (record_id_compare(event->id, call->from) <= 0 || record_id_compare(event->id, call->to) > 0)
			continue;
		entries[count++] = (struct log_entry){
		    .id = event->id, .channel = slice_of(event->channel), .payload = buf_slice(&event->payload)};
	}
	node->entries_read += count;
	states_on_read(node->states, call->ticket, entries, count, node->is_refused ? "NOPERM" : NULL);
}

static void fake_give_facts(struct fake_node *node, const struct fake_call *call)
{
	struct stream_facts facts = {.exists = fake.exists};
	if (fake.exists) {
		facts.entries_added = fake.count;
		facts.length = fake.count - fake.gone;
		facts.first = facts.length ? fake.events[fake.gone].id : (struct record_id){0};
		facts.last = fake.count ? fake.events[fake.count - 1].id : (struct record_id){0};
	}
	states_on_facts(node->states, call->ticket, &facts, &fake.log, NULL);
}

static void fake_give_snapshot(struct fake_node *node, const struct fake_call *call)
{
	for (size_t i = fake.snapshot_count; i-- > 0;) {
		struct fake_snapshot *kept = &fake.snapshots[i];
		if (record_id_compare(kept->is.at, call->to) > 0 || record_id_compare(kept->is.at, call->from) <= 0)
			continue;
		kept->is.state = buf_slice(&kept->state);
		struct snapshot given = kept->is;
		states_on_snapshot(node->states, call->ticket, &given, NULL);
		return;
	}
	states_on_snapshot(node->states, call->ticket, NULL, NULL);
}

/* False: nothing waits. */
static bool fake_give_one(struct fake_node *node)
{
	if (node->first == node->next)
		return false;
	struct fake_call call = node->calls[node->first++ % FAKE_CALLS];
	if (call.kind == FAKE_READ)
		fake_give_page(node, &call);
	else if (call.kind == FAKE_INSPECT)
		fake_give_facts(node, &call);
	else
		fake_give_snapshot(node, &call);
	return true;
}

static UNUSED void fake_give_all(struct fake_node *node)
{
	while (fake_give_one(node))
		;
}

static UNUSED struct states_settings fake_settings(void)
{
	return (struct states_settings){
	    .fields = intake_fields_default,
	    .page_entries = 16,
	    .page_bytes = 1 << 20,
	    .folds_max = 2,
	    .waiting_max = 100,
	    .cache_bytes_max = 4 << 20,
	    .snapshot_events = 20,
	    .snapshot_bytes = 1 << 20,
	    .seed = 7,
	};
}

static UNUSED void fake_node_start(struct fake_node *node)
{
	const struct states_settings settings = fake_settings();
	*node = (struct fake_node){.states = states_new(&settings, &fake_ops, node)};
	ck_assert_ptr_nonnull(node->states);
	states_link(node->states, true);
}

static UNUSED void fake_node_stop(struct fake_node *node)
{
	states_free(node->states);
	answer_free(node->answer);
}

static UNUSED void fake_start(void)
{
	clock_fake(1000 * NS_PER_S, FAKE_WALL_MS);
	model_state = 99;
	fake.exists = true;
	fake.log = (struct log_position){.epoch = 5};
	fake_node_start(&fake.nodes[0]);
	fake_node_start(&fake.nodes[1]);
}

static UNUSED void fake_stop(void)
{
	fake_node_stop(&fake.nodes[0]);
	fake_node_stop(&fake.nodes[1]);
	while (fake.count)
		model_event_free(&fake.events[--fake.count]);
	while (fake.snapshot_count)
		fake_drop_snapshot(0);
	clock_real();
}

/* Event n (from 0) has the id 10(n/2+1)-(n%2). */
static UNUSED struct record_id fake_id(size_t n)
{
	return (struct record_id){10 * (n / 2 + 1), n % 2};
}

static UNUSED void fake_add(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_lt(fake.count, FAKE_EVENTS);
		fake.events[fake.count] = random_event(fake_id(fake.count));
		fake.count++;
	}
	if (fake.count)
		fake.log.last = fake.events[fake.count - 1].id;
}

static UNUSED struct question *fake_question(struct fake_node *node, uint64_t ticket, struct slice session, struct filter *filter)
{
	struct question *question = question_new_state(ticket, session, RECORD_ID_MAX, NULL, filter);
	ck_assert_ptr_nonnull(question);
	question->deadline_ns = clock_mono_ns() + NS_PER_S;
	question->asker = node;
	return question;
}

static UNUSED void fake_ask(struct fake_node *node, uint64_t ticket, struct record_id at, const struct record_id *diff_from)
{
	struct question *question = fake_question(node, ticket, FAKE_SESSION, NULL);
	question->at = at;
	question->has_diff = diff_from != NULL;
	if (diff_from)
		question->diff_from = *diff_from;
	states_ask(node->states, question);
}

/* What is right: all events from "since" (or the first ever) to the moment, folded at once. */
static UNUSED void fake_expected(struct record_id since, struct record_id at, struct buf *out)
{
	struct fold_rules *rules = fold_rules_new(&intake_fields_default, 1);
	struct fold *fold = fold_new(rules, SIZE_MAX, FAKE_SESSION, since, 0);
	for (size_t i = 0; i < fake.count; i++) {
		const struct model_event *event = &fake.events[i];
		if (record_id_compare(event->id, since) >= 0 && record_id_compare(event->id, at) <= 0)
			ck_assert_int_eq(fold_add(fold, event->id, slice_of(event->channel), buf_slice(&event->payload)), OK);
	}
	fold_write(fold, out);
	fold_free(fold);
	fold_rules_free(rules);
}

static UNUSED struct record_id fake_since(const struct answer *answer)
{
	struct record_id since = {0};
	struct slice raw, state = {(const char *)answer->state->bytes, answer->state->len};
	enum json_kind kind;
	if (json_find(state, SLICE_LITERAL("/since"), &raw, &kind))
		ck_assert_int_eq(record_id_parse((struct slice){raw.ptr + 1, raw.len - 2}, &since), OK);
	return since;
}

static UNUSED void fake_expect_state(const struct answer *answer, struct record_id at)
{
	struct buf wanted;
	buf_init(&wanted);
	ck_assert_ptr_nonnull(answer);
	ck_assert_msg(answer->error == OK, "%d %s", (int)answer->error, answer->why);
	fake_expected(fake_since(answer), at, &wanted);
	ck_assert_msg(wanted.len == answer->state->len && memcmp(wanted.bytes, answer->state->bytes, wanted.len) == 0,
		      "wanted %.*s\nis     %.*s", (int)wanted.len, wanted.bytes, (int)answer->state->len, (const char *)answer->state->bytes);
	buf_fini(&wanted);
}

/* Asks, answers all that is asked of Redis, and checks. */
static UNUSED void fake_look(struct fake_node *node, struct record_id at)
{
	size_t answers = node->answers;
	fake_ask(node, 1, at, NULL);
	fake_give_all(node);
	ck_assert_uint_eq(node->answers, answers + 1);
	fake_expect_state(node->answer, at);
}

#endif

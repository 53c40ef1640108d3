/* The states of a session, asked for at any moment, in any order, by two nodes that share the snapshots of one fake Redis. */
#include "fake_states.h"
#include "gateway/filter/filter.h"
#include "tests/support/suite.h"

static struct fake_node *const node = &fake.nodes[0], *const other = &fake.nodes[1];

static bool is_none(struct record_id id)
{
	return record_id_is_zero(id);
}

START_TEST(a_session_that_nobody_knows_is_empty)
{
	fake.exists = false;
	fake_look(node, RECORD_ID_MAX);
	ck_assert(is_none(node->answer->id));
	ck_assert(is_none(fake_since(node->answer)));
	ck_assert_uint_eq(node->reads, 0);
}
END_TEST

START_TEST(a_moment_includes_the_event_that_it_names)
{
	fake_add(200);
	static const size_t at[] = {1, 3, 17, 63, 65, 151, 199};
	for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
		struct record_id id = fake_id(at[i]);
		fake_look(node, id);
		ck_assert_int_eq(record_id_compare(node->answer->id, id), 0);
		fake_look(node, record_id_previous(id));
		ck_assert_int_lt(record_id_compare(node->answer->id, id), 0);
		fake_look(node, record_id_next(id));
		ck_assert_int_eq(record_id_compare(node->answer->id, id), 0);
	}
	fake_look(node, (struct record_id){1, 0});
	ck_assert(is_none(node->answer->id));
	fake_look(node, RECORD_ID_MAX);
	ck_assert_int_eq(record_id_compare(node->answer->id, fake_id(199)), 0);
}
END_TEST

START_TEST(writes_snapshots_and_begins_with_them)
{
	fake_add(300);
	fake_look(node, RECORD_ID_MAX);
	ck_assert_uint_ge(fake.snapshot_count, 3);
	fake_look(other, fake_id(290));
	ck_assert_uint_lt(other->entries_read, 290);
}
END_TEST

START_TEST(what_was_asked_a_moment_ago_is_near)
{
	fake_add(300);
	fake_look(node, fake_id(250));
	node->entries_read = 0;
	for (size_t i = 251; i < 300; i++)
		fake_look(node, fake_id(i));
	ck_assert_uint_le(node->entries_read, 2 * 49);
	node->entries_read = 0;
	fake_look(node, RECORD_ID_MAX);
	fake_look(node, fake_id(299));
	ck_assert_uint_eq(node->entries_read, 0);
}
END_TEST

START_TEST(two_nodes_agree_at_every_moment_whatever_they_began_with)
{
	fake_add(400);
	for (unsigned i = 0; i < 300; i++) {
		struct record_id at = fake_id(roll(400));
		fake_look(node, at);
		if (roll(10) == 0)
			fake_forget(NULL, FAKE_SESSION, (struct record_id){0});
		fake_look(other, at);
		ck_assert_uint_eq(node->answer->state->len, other->answer->state->len);
		ck_assert_mem_eq(node->answer->state->bytes, other->answer->state->bytes, other->answer->state->len);
		ck_assert(is_none(fake_since(node->answer)));
	}
}
END_TEST

START_TEST(gives_the_patch_from_one_moment_to_another_both_ways)
{
	fake_add(120);
	for (unsigned i = 0; i < 60; i++) {
		struct record_id at = fake_id(roll(120)), from = fake_id(roll(120));
		struct fold_rules *rules = fold_rules_new(&intake_fields_default, 1);
		struct buf states[2], patch;
		fake_ask(node, 1, at, &from);
		fake_give_all(node);
		fake_expect_state(node->answer, at);
		for (size_t j = 0; j < 2; j++) {
			buf_init(&states[j]);
			fake_expected((struct record_id){0}, j ? at : from, &states[j]);
		}
		buf_init(&patch);
		ck_assert_int_eq(fold_diff(rules, buf_slice(&states[0]), buf_slice(&states[1]), &patch), OK);
		ck_assert_uint_eq(patch.len, node->answer->patch->len);
		ck_assert_mem_eq(patch.bytes, node->answer->patch->bytes, patch.len);
		buf_fini(&patch);
		buf_fini(&states[0]);
		buf_fini(&states[1]);
		fold_rules_free(rules);
	}
}
END_TEST

static void fill_with_snapshots(void)
{
	fake_add(300);
	fake_look(node, RECORD_ID_MAX);
	ck_assert_uint_ge(fake.snapshot_count, 3);
}

static size_t index_of(struct record_id id)
{
	size_t index = 0;
	while (index < fake.count && record_id_compare(fake_id(index), id) != 0)
		index++;
	return index;
}

START_TEST(a_trimmed_session_builds_on_the_last_snapshot)
{
	fill_with_snapshots();
	size_t last = index_of(fake.snapshots[fake.snapshot_count - 1].is.at);
	fake.gone = last; /* the event of the snapshot is still there */
	fake_look(other, RECORD_ID_MAX);
	ck_assert(is_none(fake_since(other->answer)));
	fake_node_stop(other);
	fake_node_start(other);
	fake.gone = last + 1; /* it is gone, but nothing behind it */
	fake_look(other, RECORD_ID_MAX);
	ck_assert(is_none(fake_since(other->answer)));
	fake_node_stop(other);
	fake_node_start(other);
	fake.gone = last + 2; /* one event is missing in between */
	fake_look(other, RECORD_ID_MAX);
	ck_assert_int_eq(record_id_compare(fake_since(other->answer), fake_id(last + 2)), 0);
}
END_TEST

START_TEST(a_trimmed_session_without_a_snapshot_says_since_when_it_knows)
{
	fake_add(100);
	fake.gone = 40;
	fake_look(node, RECORD_ID_MAX);
	ck_assert_int_eq(record_id_compare(fake_since(node->answer), fake_id(40)), 0);
	fake_look(node, fake_id(20)); /* before all that is left */
	ck_assert_int_eq(record_id_compare(fake_since(node->answer), fake_id(40)), 0);
	ck_assert(is_none(node->answer->id));
	fake.gone = 60;
	fake_look(node, fake_id(80));
}
END_TEST

/* What was folded up to an event that is lost by now is of use only if nothing behind it is lost. */
START_TEST(never_builds_over_a_hole)
{
	fake_add(100);
	fake_look(node, fake_id(49));
	fake_add(100);
	fake.gone = 50;
	fake_look(node, RECORD_ID_MAX);
	ck_assert(is_none(fake_since(node->answer)));
	fake_stop();
	memset(&fake, 0, sizeof fake);
	fake_start();
	fake_add(100);
	fake_look(node, fake_id(49));
	fake_forget(NULL, FAKE_SESSION, (struct record_id){0});
	fake.gone = 51;
	fake_look(node, RECORD_ID_MAX);
	ck_assert_int_eq(record_id_compare(fake_since(node->answer), fake_id(51)), 0);
}
END_TEST

START_TEST(events_that_arrive_and_go_while_it_folds_do_no_harm)
{
	fake_add(200);
	for (unsigned round = 0; round < 60; round++) {
		struct fake_node *at_work = roll(2) ? node : other;
		size_t before = fake.count - 1;
		fake_ask(at_work, 1, RECORD_ID_MAX, NULL);
		while (fake_give_one(at_work)) {
			if (roll(3) == 0)
				fake_add(roll(8));
			if (roll(6) == 0 && fake.count - fake.gone > 60)
				fake.gone += roll(40);
			if (roll(50) == 0)
				fake_forget(NULL, FAKE_SESSION, (struct record_id){0});
		}
		if (at_work->answer->error == ERR_AGAIN)
			continue;
		fake_expect_state(at_work->answer, at_work->answer->id);
		ck_assert_int_ge(record_id_compare(at_work->answer->id, fake_id(before)), 0);
	}
}
END_TEST

static void forge(size_t at, uint64_t version, uint64_t epoch, struct record_id id)
{
	struct snapshot *snapshot = &fake.snapshots[at].is;
	snapshot->version = version;
	snapshot->epoch = epoch;
	snapshot->at = id;
	snapshot->state = buf_slice(&fake.snapshots[at].state);
	snapshot->sum = snapshot_sum(snapshot, FAKE_SESSION);
}


START_TEST(ignores_a_damaged_snapshot_and_takes_the_one_before)
{
	fill_with_snapshots();
	size_t count = fake.snapshot_count;
	fake.snapshots[count - 1].state.bytes[20] ^= 1;
	fake_look(other, RECORD_ID_MAX);
	ck_assert_uint_le(other->recalls, 2);
	ck_assert_uint_eq(fake.forgotten, 1);
	ck_assert_uint_lt(other->entries_read, 290);
}
END_TEST

START_TEST(gives_up_on_snapshots_where_all_are_damaged)
{
	fill_with_snapshots();
	for (size_t i = 0; i < fake.snapshot_count; i++)
		fake.snapshots[i].is.sum++;
	fake_look(other, RECORD_ID_MAX);
	ck_assert_uint_ge(other->entries_read, 300);
}
END_TEST

START_TEST(forgets_snapshots_of_former_rules_and_leaves_those_of_rules_to_come)
{
	fill_with_snapshots();
	fake.snapshots[fake.snapshot_count - 1].state.len = 5;
	forge(fake.snapshot_count - 1, FOLD_RULES_VERSION + 1, 5, fake.snapshots[fake.snapshot_count - 1].is.at);
	fake_look(other, RECORD_ID_MAX);
	ck_assert_uint_eq(fake.forgotten, 0);
	fake_stop();
	memset(&fake, 0, sizeof fake);
	fake_start();
	fill_with_snapshots();
	forge(fake.snapshot_count - 1, FOLD_RULES_VERSION - 1, 5, fake.snapshots[fake.snapshot_count - 1].is.at);
	fake_look(other, RECORD_ID_MAX);
	ck_assert_uint_eq(fake.forgotten, 1);
	ck_assert_uint_ge(other->entries_read, 300);
}
END_TEST

START_TEST(ignores_snapshots_from_the_future)
{
	fill_with_snapshots();
	forge(fake.snapshot_count - 1, FOLD_RULES_VERSION, 5, fake_id(300));
	fake_look(other, RECORD_ID_MAX);
	ck_assert_uint_eq(fake.forgotten, 1);
}
END_TEST

START_TEST(ignores_snapshots_of_a_log_that_is_no_more)
{
	fill_with_snapshots();
	fake.log.epoch = 6;
	fake.log.base = fake.snapshots[1].is.at;
	fake_look(other, fake_id(299));
	ck_assert_uint_eq(fake.forgotten, 1);
	/* What the node itself had folded behind the base is void too. */
	node->entries_read = 0;
	fake_look(node, fake_id(299));
	ck_assert_uint_gt(node->entries_read, 0);
}
END_TEST

START_TEST(keeps_snapshots_that_the_new_log_took_over)
{
	fill_with_snapshots();
	fake.log.epoch = 6;
	fake.log.base = fake_id(299);
	fake_look(other, fake_id(299));
	ck_assert_uint_eq(fake.forgotten, 0);
	ck_assert_uint_lt(other->entries_read, 290);
}
END_TEST

START_TEST(questions_for_one_session_wait_for_each_other)
{
	fake_add(200);
	for (uint64_t ticket = 1; ticket <= 5; ticket++)
		fake_ask(node, ticket, RECORD_ID_MAX, NULL);
	fake_give_all(node);
	ck_assert_uint_eq(node->answers, 5);
	ck_assert_uint_lt(node->entries_read, 300);
}
END_TEST

START_TEST(who_is_gone_is_not_answered_and_holds_up_nobody)
{
	fake_add(200);
	for (uint64_t ticket = 1; ticket <= 3; ticket++)
		fake_ask(node, ticket, RECORD_ID_MAX, NULL);
	fake_give_one(node);
	fake_give_one(node);
	for (uint64_t ticket = 1; ticket <= 2; ticket++) {
		struct question *cancel = question_new_cancel(ticket);
		cancel->asker = node;
		states_cancel(node->states, cancel);
		question_free(cancel);
	}
	fake_give_all(node);
	ck_assert_uint_eq(node->answers, 1);
	ck_assert_uint_eq(node->answer->ticket, 3);
	fake_expect_state(node->answer, RECORD_ID_MAX);
}
END_TEST

START_TEST(the_deadline_counts_from_the_last_progress)
{
	fake_add(200);
	fake_ask(node, 1, RECORD_ID_MAX, NULL);
	for (unsigned i = 0; i < 5; i++) {
		clock_fake_advance_ms(900);
		fake_give_one(node);
		states_tick(node->states, clock_mono_ns());
		ck_assert_uint_eq(node->answers, 0);
	}
	ck_assert_uint_ge(node->told, 3);
	clock_fake_advance_ms(999);
	states_tick(node->states, clock_mono_ns());
	ck_assert_uint_eq(node->answers, 0);
	clock_fake_advance_ms(2);
	states_tick(node->states, clock_mono_ns());
	ck_assert_uint_eq(node->answers, 1);
	ck_assert_int_eq(node->answer->error, ERR_TIMEOUT);
	ck_assert_uint_eq(states_tick(node->states, clock_mono_ns()), UINT64_MAX);
}
END_TEST

START_TEST(says_so_when_redis_is_away_or_refuses)
{
	fake_add(50);
	fake_ask(node, 1, RECORD_ID_MAX, NULL);
	states_link(node->states, false);
	ck_assert_int_eq(node->answer->error, ERR_CLOSED);
	fake_ask(node, 2, RECORD_ID_MAX, NULL);
	ck_assert_uint_eq(node->answers, 2);
	ck_assert_int_eq(node->answer->error, ERR_CLOSED);
	states_link(node->states, true);
	node->first = node->next;
	node->is_refused = true;
	fake_ask(node, 3, RECORD_ID_MAX, NULL);
	fake_give_all(node);
	ck_assert_int_ne(node->answer->error, OK);
	ck_assert_str_ne(node->answer->why, "");
}
END_TEST

/* The other node has so much memory for states. */
static void limit_other(size_t bytes)
{
	struct states_settings settings = fake_settings();
	settings.cache_bytes_max = bytes;
	states_free(other->states);
	other->states = states_new(&settings, &fake_ops, other);
	states_link(other->states, true);
}

/* Events of agents that are all kept. */
static void add_agents(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct model_event *event = &fake.events[fake.count];
		*event = (struct model_event){.id = fake_id(fake.count)};
		snprintf(event->channel, sizeof event->channel, "agent:a%u", i);
		buf_init(&event->payload);
		buf_append_text(&event->payload, "{\"state\":{\"text\":\"0123456789012345678901234567890123456789\"}}");
		fake.count++;
	}
	fake.log.last = fake.events[fake.count - 1].id;
}

START_TEST(refuses_a_state_that_is_larger_than_its_memory)
{
	limit_other(30000);
	fake_add(10);
	add_agents(300);
	fake_ask(other, 1, RECORD_ID_MAX, NULL);
	fake_give_all(other);
	ck_assert_int_eq(other->answer->error, ERR_RANGE);
	ck_assert_ptr_nonnull(strstr(other->answer->why, "history.state_cache"));
	fake_look(other, fake_id(9));
}
END_TEST

/* Each has room alone, both have not: one waits for the other, and nobody is refused. */
START_TEST(large_states_wait_for_each_other)
{
	limit_other(300000);
	add_agents(300);
	for (uint64_t round = 0; round < 5; round++) {
		size_t answers = other->answers;
		states_ask(other->states, fake_question(other, 2 * round + 1, FAKE_SESSION, NULL));
		states_ask(other->states, fake_question(other, 2 * round + 2, FAKE_TWIN, NULL));
		while (other->answers < answers + 2) {
			size_t before = other->answers;
			ck_assert(fake_give_one(other));
			if (other->answers > before)
				ck_assert_msg(other->answer->error == OK, "%s", other->answer->why);
		}
	}
	fake_look(other, fake_id(9));
}
END_TEST

static struct filter *compile(const char *list, const char *name, struct arena *arena)
{
	struct filter *filter = NULL;
	struct filter_error error;
	struct value *map = value_put(value_map(arena), list, value_push(value_array(arena), value_text(arena, name)));
	ck_assert_int_eq(filter_compile(NULL, map, (struct filter_patterns){NULL, 0}, &filter, &error), OK);
	return filter;
}

/* Neither what it holds nor that it is there: Redis is not even asked. */
START_TEST(a_session_that_is_kept_out_is_as_one_that_nobody_knows)
{
	struct arena arena;
	arena_init(&arena, 1 << 16);
	struct filter *filter = compile("session", "mine", &arena);
	fake_add(100);
	fake.gone = 50;
	struct question *question = fake_question(node, 1, FAKE_SESSION, filter);
	states_ask(node->states, question);
	ck_assert_uint_eq(node->answers, 1);
	ck_assert_uint_eq(node->reads + node->recalls, 0);
	ck_assert(node->first == node->next);
	ck_assert(is_none(node->answer->id));
	ck_assert(is_none(fake_since(node->answer)));
	filter_unref(filter);
	arena_fini(&arena);
}
END_TEST

/* Which is the first that is left may be known to those only who may see all of the session. */
START_TEST(where_it_begins_can_be_hidden)
{
	struct arena arena;
	arena_init(&arena, 1 << 16);
	struct filter *filter = compile("agent", "nobody", &arena);
	fake_add(100);
	fake.gone = 50;
	for (int hides = 0; hides < 2; hides++) {
		struct question *question = fake_question(node, 1, FAKE_SESSION, filter);
		question->hides_start = hides;
		states_ask(node->states, question);
		fake_give_all(node);
		ck_assert_int_eq(is_none(fake_since(node->answer)), hides);
	}
	filter_unref(filter);
	arena_fini(&arena);
}
END_TEST

/* Whoever may not see all events shares nothing with others: neither what was folded before, nor what is folded for it. */
START_TEST(a_filtered_state_is_nobody_elses)
{
	static const struct slice agents[] = {SLICE_LITERAL("agentId0")};
	struct arena arena;
	arena_init(&arena, 1 << 16);
	struct filter *filter = compile("agent", agents[0].ptr, &arena);
	fill_with_snapshots();
	size_t kept = fake.kept;
	node->recalls = node->entries_read = 0;
	states_ask(node->states, fake_question(node, 9, FAKE_SESSION, filter));
	fake_give_all(node);
	ck_assert_int_eq(node->answer->error, OK);
	ck_assert_uint_eq(node->recalls, 0);
	ck_assert_uint_ge(node->entries_read, 300);
	ck_assert_uint_eq(fake.kept, kept);
	struct buf wanted;
	buf_init(&wanted);
	struct fold_rules *rules = fold_rules_new(&intake_fields_default, 1);
	struct fold *fold = fold_new(rules, SIZE_MAX, FAKE_SESSION, (struct record_id){0}, 0);
	for (size_t i = 0; i < fake.count; i++) {
		const struct model_event *event = &fake.events[i];
		struct record *record = intake_record(&intake_fields_default, slice_of(event->channel), buf_slice(&event->payload), 1, 0);
		if (slice_equal(record->agent, agents[0]))
			ck_assert_int_eq(fold_add(fold, event->id, slice_of(event->channel), buf_slice(&event->payload)), OK);
		record_unref(record);
	}
	fold_write(fold, &wanted);
	ck_assert_uint_gt(fold->events, 5);
	ck_assert_uint_eq(wanted.len, node->answer->state->len);
	ck_assert_mem_eq(wanted.bytes, node->answer->state->bytes, wanted.len);
	fold_free(fold);
	fold_rules_free(rules);
	buf_fini(&wanted);
	fake_look(node, RECORD_ID_MAX);
	filter_unref(filter);
	arena_fini(&arena);
}
END_TEST

START_TEST(limits_those_that_wait)
{
	fake_add(50);
	for (uint64_t ticket = 1; ticket <= 101; ticket++)
		fake_ask(node, ticket, RECORD_ID_MAX, NULL);
	ck_assert_uint_eq(node->answers, 1);
	ck_assert_int_eq(node->answer->error, ERR_LIMIT);
	fake_give_all(node);
	ck_assert_uint_eq(node->answers, 101);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("states");
	TCase *tests = tcase_create("all");
	tcase_add_checked_fixture(tests, fake_start, fake_stop);
	tcase_add_test(tests, a_session_that_nobody_knows_is_empty);
	tcase_add_test(tests, a_moment_includes_the_event_that_it_names);
	tcase_add_test(tests, writes_snapshots_and_begins_with_them);
	tcase_add_test(tests, what_was_asked_a_moment_ago_is_near);
	tcase_add_test(tests, two_nodes_agree_at_every_moment_whatever_they_began_with);
	tcase_add_test(tests, gives_the_patch_from_one_moment_to_another_both_ways);
	tcase_add_test(tests, a_trimmed_session_builds_on_the_last_snapshot);
	tcase_add_test(tests, a_trimmed_session_without_a_snapshot_says_since_when_it_knows);
	tcase_add_test(tests, never_builds_over_a_hole);
	tcase_add_test(tests, events_that_arrive_and_go_while_it_folds_do_no_harm);
	tcase_add_test(tests, ignores_a_damaged_snapshot_and_takes_the_one_before);
	tcase_add_test(tests, gives_up_on_snapshots_where_all_are_damaged);
	tcase_add_test(tests, forgets_snapshots_of_former_rules_and_leaves_those_of_rules_to_come);
	tcase_add_test(tests, ignores_snapshots_from_the_future);
	tcase_add_test(tests, ignores_snapshots_of_a_log_that_is_no_more);
	tcase_add_test(tests, keeps_snapshots_that_the_new_log_took_over);
	tcase_add_test(tests, questions_for_one_session_wait_for_each_other);
	tcase_add_test(tests, who_is_gone_is_not_answered_and_holds_up_nobody);
	tcase_add_test(tests, the_deadline_counts_from_the_last_progress);
	tcase_add_test(tests, says_so_when_redis_is_away_or_refuses);
	tcase_add_test(tests, refuses_a_state_that_is_larger_than_its_memory);
	tcase_add_test(tests, a_filtered_state_is_nobody_elses);
	tcase_add_test(tests, large_states_wait_for_each_other);
	tcase_add_test(tests, a_session_that_is_kept_out_is_as_one_that_nobody_knows);
	tcase_add_test(tests, where_it_begins_can_be_hidden);
	tcase_add_test(tests, limits_those_that_wait);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

/* Nodes for the tests of the feed: each a feed of its own under a Redis of the test's own (fake_redis.h), with its
 * inbox and its command link. What it gives to its workers is checked as it comes: the log, in order, each entry once,
 * nothing left out that is still there, and nothing twice live. */
#ifndef TESTS_UNIT_FEED_FAKE_NODE_H
#define TESTS_UNIT_FEED_FAKE_NODE_H

#include "tests/unit/feed/fake_redis.h"

/* --- the feed's ops --- */

static inline struct command *give(void *context, enum command_kind kind, uint64_t ticket, struct slice token)
{
	struct node *node = context;
	if (!node->is_linked)
		return NULL;
	struct command *command = must(calloc(1, sizeof *command));
	command->kind = kind;
	command->node = node;
	command->link = node->feed->link;
	command->ticket = ticket;
	if (token.len)
		memcpy(command->token, token.ptr, token.len);
	commands_put(&node->commands, command);
	return command;
}

static inline enum err on_ask_open(void *context, uint64_t ticket, struct log_position known)
{
	struct command *command = give(context, COMMAND_OPEN, ticket, SLICE_NONE);
	if (command)
		command->position = known;
	return command ? OK : ERR_CLOSED;
}

static inline void on_subscribe(void *context)
{
	struct node *node = context;
	node->is_subscribed = true;
}

static inline enum err on_ask_claim(void *context, uint64_t ticket, struct slice token, bool by_force,
                                    struct slice question)
{
	struct command *command = give(context, COMMAND_CLAIM, ticket, token);
	if (command) {
		command->by_force = by_force;
		command->asks = question.ptr != NULL;
		command->question_len = question.len;
		memcpy(command->question, question.len ? question.ptr : "", question.len);
	}
	return command ? OK : ERR_CLOSED;
}

static inline enum err on_ask_renew(void *context, uint64_t ticket, struct slice token)
{
	return give(context, COMMAND_RENEW, ticket, token) ? OK : ERR_CLOSED;
}

static inline void on_release(void *context, struct slice token)
{
	(void)give(context, COMMAND_RELEASE, 0, token);
}

static inline enum err on_ask_record(void *context, uint64_t ticket, struct slice token, uint64_t epoch,
                                     const struct feed_entry *entries, size_t count)
{
	struct command *command = give(context, COMMAND_RECORD, ticket, token);
	if (!command)
		return ERR_CLOSED;
	command->epoch = epoch;
	command->count = count;
	command->entries = must(calloc(count, sizeof *entries));
	for (size_t i = 0; i < count; i++) {
		const struct record *record = entries[i].record;
		command->entries[i].record =
		    must(intake_record(&intake_fields_default, record->channel, record->payload, 1, 1));
		command->entries[i].hash = entries[i].hash;
	}
	return OK;
}

static inline enum err on_ask_read(void *context, uint64_t ticket, struct record_id after, size_t count)
{
	struct command *command = give(context, COMMAND_READ, ticket, SLICE_NONE);
	if (!command)
		return ERR_CLOSED;
	command->after = after;
	command->count = count;
	return OK;
}

static inline void on_changed(void *context, const struct feed_state *state)
{
	struct node *node = context;
	node->changes++;
	node->is_recorded = state->is_recorded;
	if (state->log.epoch != node->epoch)
		node->head = state->log.last;
	node->epoch = state->log.epoch;
}

/* What lies between may be skipped only where it is gone from the log. */
static inline void assert_nothing_between(const struct node *node, struct record_id after, struct record_id before)
{
	const struct fake_redis *redis = node->redis;
	for (size_t i = find_behind(redis, after); i < redis->log_count; i++) {
		const struct entry *entry = &redis->log[i];
		if (record_id_compare(entry->id, before) >= 0)
			break;
		must_hold(entry->is_trimmed, "seed %" PRIu64 ": %s left out %" PRIu64 "-%" PRIu64 " %s", redis->seed,
		          node->name, entry->id.ms, entry->id.seq, entry->payload);
	}
}

static inline const struct entry *find_entry(const struct fake_redis *redis, struct record_id id)
{
	size_t place = find_behind(redis, record_id_previous(id));
	bool is_there = place < redis->log_count && record_id_compare(redis->log[place].id, id) == 0;
	return is_there ? &redis->log[place] : NULL;
}

static inline void check_recorded(struct node *node, const struct record *record)
{
	const struct entry *entry = find_entry(node->redis, record->id);
	unsigned number = number_of(record->payload);
	must_hold(record_id_compare(record->id, node->head) > 0, "seed %" PRIu64 ": %s went back", node->redis->seed,
	          node->name);
	assert_nothing_between(node, node->head, record->id);
	if (entry && node->epoch == node->redis->epoch) {
		must_hold(slice_is(record->payload, entry->payload), "seed %" PRIu64 ": %s: %.*s for %s",
		          node->redis->seed, node->name, (int)record->payload.len, record->payload.ptr, entry->payload);
		must_hold(slice_is(record->channel, entry->channel), "%s: another channel", node->name);
	}
	if (number < EVENTS_MAX)
		must_hold(!node->was_unrecorded[number] || record->is_repeat || node->redis->times_stored[number] > 1 ||
		              node->redis->has_losses,
		          "seed %" PRIu64 ": %s: %u twice", node->redis->seed, node->name, number);
	node->repeats += record->is_repeat;
	node->head = record->id;
	node->delivered++;
}

static inline void on_deliver(void *context, struct record_batch *batch)
{
	struct node *node = context;
	must_hold(batch->count > 0, "%s gave an empty batch", node->name);
	must_hold(batch->is_recorded == node->is_recorded, "seed %" PRIu64 ": %s was not told", node->redis->seed,
	          node->name);
	if (batch->is_recorded) {
		must_hold(record_id_compare(batch->after, node->head) >= 0,
		          "seed %" PRIu64 ": %s began a batch before its head", node->redis->seed, node->name);
		assert_nothing_between(node, node->head, record_id_next(batch->after));
		node->head = batch->after;
	} else {
		must_hold(record_id_is_zero(batch->after), "%s: a batch without ids follows one", node->name);
	}
	for (size_t i = 0; i < batch->count; i++) {
		struct record *record = batch->records[i];
		unsigned number = number_of(record->payload);
		must_hold(record_id_is_zero(record->id) == !batch->is_recorded, "%s: ids and none in one batch",
		          node->name);
		if (batch->is_recorded) {
			check_recorded(node, record);
		} else {
			must_hold(number == EVENTS_MAX || !node->was_unrecorded[number],
			          "seed %" PRIu64 ": %s gave %u twice without an id", node->redis->seed, node->name,
			          number);
			if (number < EVENTS_MAX)
				node->was_unrecorded[number] = true;
			node->unrecorded++;
		}
		snprintf(node->last_text, sizeof node->last_text, "%.*s", (int)record->payload.len,
		         record->payload.ptr);
	}
	node->batches++;
}

/* --- nodes --- */

static inline struct feed_settings fake_settings(void)
{
	return (struct feed_settings){
	    .fields = intake_fields_default,
	    .is_recorded = true,
	    .grace_ns = GRACE_MS * NS_PER_MS,
	    .lease_ns = LEASE_MS * NS_PER_MS,
	    .deaf_ns = DEAF_MS * NS_PER_MS,
	    .pending_bytes_max = 64 << 20,
	    .record_batch_max = 8,
	    .calls_in_flight_max = 3,
	    .page_entries = 7,
	};
}

static inline struct node *add_node_with(struct fake_redis *redis, struct feed_settings settings, uint64_t seed)
{
	static const struct feed_ops ops = {
	    .open = on_ask_open,
	    .subscribe = on_subscribe,
	    .claim = on_ask_claim,
	    .renew = on_ask_renew,
	    .release = on_release,
	    .record = on_ask_record,
	    .read = on_ask_read,
	    .deliver = on_deliver,
	    .changed = on_changed,
	};
	ck_assert_uint_lt(redis->node_count, NODES_MAX);
	struct node *node = &redis->nodes[redis->node_count];
	node->redis = redis;
	snprintf(node->name, sizeof node->name, "n%u", (unsigned)redis->node_count % 100);
	settings.node = slice_of(node->name);
	node->is_alive = true;
	node->is_recorded = settings.is_recorded;
	node->inbox_end = &node->inbox;
	commands_init(&node->commands);
	node->feed = must(feed_new(&settings, &ops, node));
	node->feed->random.state = seed * UINT64_C(0x9E3779B97F4A7C15) + redis->node_count + 1;
	redis->node_count++;
	return node;
}

static inline void node_ticks(struct node *node)
{
	node->due_ns = feed_tick(node->feed, clock_mono_ns());
}

static inline void node_links(struct node *node)
{
	node->is_linked = true;
	feed_linked(node->feed);
}

/* The pub/sub link breaks; what was on its way is lost. */
static inline void node_breaks(struct node *node, bool commands_survive)
{
	struct fake_redis *redis = node->redis;
	node->is_subscribed = false;
	inbox_clear(node);
	node->is_linked = commands_survive;
	feed_down(node->feed);
	if (!commands_survive) {
		while (node->commands.first) {
			struct command *command = commands_take(&node->commands);
			if (command->is_done)
				free_command(command);
			else
				commands_put(&redis->orphans, command);
		}
	}
	node->is_linked = false;
}

static inline void fake_redis_init(struct fake_redis *redis)
{
	memset(redis, 0, sizeof *redis);
	commands_init(&redis->orphans);
	clock_fake(1000 * NS_PER_S, UINT64_C(1764031200000));
}

static inline void fake_redis_fini(struct fake_redis *redis)
{
	for (size_t i = 0; i < redis->node_count; i++) {
		inbox_clear(&redis->nodes[i]);
		commands_clear(&redis->nodes[i].commands);
		feed_free(redis->nodes[i].feed);
	}
	commands_clear(&redis->orphans);
	drop_entries(redis, 0);
	free(redis->log);
	clock_real();
}

#endif

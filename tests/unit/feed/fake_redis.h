/* A Redis of the test's own, as the feed sees it: one atomic log with its lease, epochs and pub/sub, and for each node
 * a pub/sub inbox and a command link whose commands are done, and answered, at moments that the test chooses. */
#ifndef TESTS_UNIT_FEED_FAKE_REDIS_H
#define TESTS_UNIT_FEED_FAKE_REDIS_H

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/data/buf.h"
#include "gateway/feed/feed_inside.h"

#define NODES_MAX 40
#define EVENTS_MAX 4000
#define LEASE_MS 600
#define GRACE_MS 2000
#define DEAF_MS 1000
#define ALIKE_KINDS 3 /* payloads {"alike":<kind>} are published many times */

struct entry {
	struct record_id id, before;
	char *channel, *payload;
	bool is_trimmed;
};

enum command_kind { COMMAND_OPEN, COMMAND_CLAIM, COMMAND_RENEW, COMMAND_RELEASE, COMMAND_RECORD, COMMAND_READ };

struct node;

struct command {
	struct command *next;
	struct node *node; /* whose it is, and the number of the link it went over */
	uint64_t link;
	enum command_kind kind;
	uint64_t ticket;
	char token[TOKEN_MAX];
	bool by_force, is_done;
	bool asks;
	char question[QUESTION_MAX];
	size_t question_len;
	struct log_position position; /* of open: asked, then answered */
	uint64_t epoch;
	size_t count;
	struct feed_entry *entries; /* of record: references */
	struct record_id after;
	struct log_entry *page; /* answered */
	int answer;
	bool is_ok;
};

/* Commands in the order in which they were given; those in front may be done already and wait to be answered. */
struct commands {
	struct command *first, **end;
};

struct said {
	struct said *next;
	bool is_live;
	size_t channel_len, payload_len;
	char bytes[];
};

struct node {
	struct feed *feed;
	struct fake_redis *redis;
	char name[8];
	bool is_alive, is_frozen, is_subscribed, is_linked, is_retired;
	uint64_t due_ns;
	struct said *inbox, **inbox_end;
	struct commands commands;
	uint64_t cut_link; /* of this link a command did not arrive: nor do those behind it */
	/* What it gave to its workers. */
	struct record_id head;
	uint64_t epoch;
	bool is_recorded;
	size_t changes, batches, delivered, unrecorded, repeats;
	bool was_unrecorded[EVENTS_MAX]; /* by the event's number */
	bool was_heard[EVENTS_MAX];
	size_t alike_heard[ALIKE_KINDS];
	struct slice last_payload;
	char last_text[64];
};

struct fake_redis {
	struct entry *log; /* of the present epoch, and what it took over */
	size_t log_count, log_capacity;
	struct record_id last;
	uint64_t epoch, epochs;
	struct record_id base;
	char lease[TOKEN_MAX];
	uint64_t lease_until_ms;
	bool is_full, is_closed;         /* writes fail; everything fails */
	bool has_losses;                 /* the log was flushed, or lost its end */
	uint64_t seed;                   /* of the schedule, for messages */
	size_t times_stored[EVENTS_MAX]; /* by the event's number; in parts of the log that were lost too */
	struct commands orphans;         /* of links that are gone: done later, or never; never answered */
	struct node nodes[NODES_MAX];
	size_t node_count;
};

/* Check notes down every assertion that holds, which is too much for millions of them. */
#define must_hold(condition, ...)                                                                                      \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			ck_abort_msg(__VA_ARGS__);                                                                     \
	} while (0)

static inline void *must(void *memory)
{
	must_hold(memory, "no memory");
	return memory;
}

static inline char *copy_text(struct slice text)
{
	char *copy = must(malloc(text.len + 1));
	if (text.len)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return copy;
}

/* The number in a payload of {"<name>":<number>}; bound: it is another payload. */
static inline unsigned number_in(struct slice payload, const char *name, unsigned bound)
{
	char text[64], found[16];
	unsigned number;
	snprintf(text, sizeof text, "%.*s", (int)payload.len, payload.ptr);
	bool is_it = sscanf(text, "{\"%15[a-z]\":%u", found, &number) == 2 && strcmp(found, name) == 0;
	return is_it && number < bound ? number : bound;
}

static inline unsigned number_of(struct slice payload)
{
	return number_in(payload, "n", EVENTS_MAX);
}

/* --- pub/sub --- */

static inline void hand_to(struct node *node, bool is_live, struct slice channel, struct slice payload)
{
	struct said *said = must(malloc(sizeof *said + channel.len + payload.len));
	*said = (struct said){.is_live = is_live, .channel_len = channel.len, .payload_len = payload.len};
	memcpy(said->bytes, channel.ptr, channel.len);
	memcpy(said->bytes + channel.len, payload.ptr, payload.len);
	*node->inbox_end = said;
	node->inbox_end = &said->next;
}

/* To how many it went. */
static inline size_t redis_say(struct fake_redis *redis, bool is_live, struct slice channel, struct slice payload)
{
	size_t count = 0;
	for (size_t i = 0; i < redis->node_count; i++) {
		if (redis->nodes[i].is_subscribed) {
			hand_to(&redis->nodes[i], is_live, channel, payload);
			count++;
		}
	}
	return count;
}

static inline void inbox_clear(struct node *node)
{
	while (node->inbox) {
		struct said *said = node->inbox;
		node->inbox = said->next;
		free(said);
	}
	node->inbox_end = &node->inbox;
}

/* One message to the feed; false: there was none. */
static inline bool node_hears(struct node *node)
{
	struct said *said = node->inbox;
	if (!said)
		return false;
	node->inbox = said->next;
	if (!node->inbox)
		node->inbox_end = &node->inbox;
	struct slice channel = {said->bytes, said->channel_len},
	             payload = {said->bytes + said->channel_len, said->payload_len};
	if (said->is_live) {
		feed_live(node->feed, payload);
	} else {
		unsigned number = number_in(payload, "n", EVENTS_MAX), kind = number_in(payload, "alike", ALIKE_KINDS);
		if (number < EVENTS_MAX)
			node->was_heard[number] = true;
		if (kind < ALIKE_KINDS)
			node->alike_heard[kind]++;
		feed_event(node->feed, channel, payload, clock_wall_ms(), clock_mono_ns());
	}
	free(said);
	return true;
}

/* --- the log --- */

/* The place in the log of the first entry behind after. */
static inline size_t find_behind(const struct fake_redis *redis, struct record_id after)
{
	size_t low = 0, high = redis->log_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (record_id_compare(redis->log[middle].id, after) > 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static inline struct record_id new_id(struct fake_redis *redis)
{
	struct record_id id = {clock_wall_ms(), 0};
	if (record_id_compare(id, redis->last) <= 0)
		id = record_id_next(redis->last);
	return id;
}

/* Nothing is recorded that the log holds. */
static inline void assert_new(struct fake_redis *redis, struct slice payload)
{
	unsigned number = number_of(payload);
	if (number == EVENTS_MAX)
		return;
	for (size_t i = 0; i < redis->log_count && redis->times_stored[number]; i++)
		must_hold(redis->log[i].is_trimmed || !slice_is(payload, redis->log[i].payload),
		          "seed %" PRIu64 ": %u is in the log twice", redis->seed, number);
	redis->times_stored[number]++;
}

static inline struct record_id redis_add(struct fake_redis *redis, struct slice channel, struct slice payload)
{
	if (redis->log_count == redis->log_capacity) {
		redis->log_capacity = redis->log_capacity ? 2 * redis->log_capacity : 64;
		redis->log = must(realloc(redis->log, redis->log_capacity * sizeof *redis->log));
	}
	assert_new(redis, payload);
	struct entry *entry = &redis->log[redis->log_count++];
	*entry = (struct entry){.id = new_id(redis), .before = redis->last};
	entry->channel = copy_text(channel);
	entry->payload = copy_text(payload);
	redis->last = entry->id;
	return entry->id;
}

static inline void drop_entries(struct fake_redis *redis, size_t keep)
{
	while (redis->log_count > keep) {
		struct entry *entry = &redis->log[--redis->log_count];
		free(entry->channel);
		free(entry->payload);
	}
}

static inline void redis_flush(struct fake_redis *redis)
{
	drop_entries(redis, 0);
	redis->last = (struct record_id){0};
	redis->epoch = 0;
	redis->lease[0] = '\0';
}

static inline void redis_trim(struct fake_redis *redis, size_t keep)
{
	for (size_t i = 0; i + keep < redis->log_count; i++)
		redis->log[i].is_trimmed = true;
}

static inline void make_epoch(struct fake_redis *redis)
{
	redis->epochs++;
	redis->epoch = UINT64_C(0x1234567800000000) + (redis->epochs << 40) + redis->epochs;
	redis->base = redis->last;
}

static inline void begin_message(struct buf *buf, char letter, struct fake_redis *redis, struct record_id before)
{
	char id[RECORD_ID_TEXT];
	record_id_write(id, before);
	buf_init(buf);
	buf_printf(buf, "%c %016" PRIx64 " %s", letter, redis->epoch, id);
}

static inline size_t say_live(struct fake_redis *redis, struct buf *buf)
{
	size_t count = redis_say(redis, true, slice_of("tg:live"), buf_slice(buf));
	buf_fini(buf);
	return count;
}

static inline void add_stamp(struct buf *buf, struct hash128 hash, struct record_id id)
{
	char text[RECORD_ID_TEXT];
	size_t len = record_id_write(text, id);
	buf_append(buf, hash.bytes, sizeof hash.bytes);
	buf_append(buf, text, len);
	buf_append_char(buf, '\n');
}

static inline void redis_publish(struct fake_redis *redis, const char *channel, const char *payload)
{
	redis_say(redis, false, slice_of(channel), slice_of(payload));
}

enum own_stamp { OWN_STAMP_HASH, OWN_STAMP_WHOLE };

/* What the script does for a publisher that stores its event itself. */
static inline void redis_store(struct fake_redis *redis, const char *channel, const char *payload, enum own_stamp kind)
{
	struct record_id before = redis->last;
	struct buf buf;
	char id[RECORD_ID_TEXT];
	if (!redis->epoch)
		make_epoch(redis);
	record_id_write(id, redis_add(redis, slice_of(channel), slice_of(payload)));
	redis_say(redis, true, slice_of("tg:live"), slice_of("H\n"));
	redis_say(redis, false, slice_of(channel), slice_of(payload));
	begin_message(&buf, kind == OWN_STAMP_HASH ? 'S' : 'P', redis, before);
	if (kind == OWN_STAMP_HASH) {
		buf_append_char(&buf, '\n');
		add_stamp(&buf, stamp_hash(redis->epoch, slice_of(channel), slice_of(payload)), redis->last);
	} else {
		buf_printf(&buf, " %s %zu\n%s%s", id, strlen(channel), channel, payload);
	}
	say_live(redis, &buf);
}

/* --- commands --- */

static inline bool holds_lease(const struct fake_redis *redis, const char *token)
{
	return redis->lease[0] && clock_wall_ms() < redis->lease_until_ms && strcmp(redis->lease, token) == 0;
}

static inline void do_open(struct fake_redis *redis, struct command *command)
{
	bool is_shorter =
	    command->position.epoch == redis->epoch && record_id_compare(redis->last, command->position.last) < 0;
	if (!redis->epoch || is_shorter)
		make_epoch(redis);
	command->position = (struct log_position){redis->epoch, redis->base, redis->last};
}

static inline size_t ask_others(struct fake_redis *redis, const struct command *command)
{
	struct buf buf;
	begin_message(&buf, 'Q', redis, redis->last);
	buf_printf(&buf, " %s\n", command->token);
	buf_append(&buf, command->question, command->question_len);
	return say_live(redis, &buf);
}

static inline void do_claim(struct fake_redis *redis, struct command *command)
{
	bool is_held = redis->lease[0] && clock_wall_ms() < redis->lease_until_ms;
	command->answer = !redis->epoch                   ? CLAIM_FAILED
	                  : is_held && !command->by_force ? CLAIM_HELD_BY_OTHER
	                                                  : CLAIM_TAKEN;
	if (command->answer == CLAIM_TAKEN && command->asks && ask_others(redis, command) > 1)
		command->answer = CLAIM_ASKED;
	if (command->answer != CLAIM_TAKEN)
		return;
	memcpy(redis->lease, command->token, sizeof redis->lease);
	redis->lease_until_ms = clock_wall_ms() + LEASE_MS;
	struct buf buf;
	begin_message(&buf, 'F', redis, redis->last);
	buf_printf(&buf, " %s\n", command->token);
	say_live(redis, &buf);
}

static inline void do_record(struct fake_redis *redis, struct command *command)
{
	if (!holds_lease(redis, command->token)) {
		command->answer = RECORD_NOT_OURS;
		return;
	}
	if (command->epoch != redis->epoch) {
		command->answer = RECORD_OTHER_EPOCH;
		return;
	}
	struct buf buf;
	begin_message(&buf, 'S', redis, redis->last);
	buf_append_char(&buf, '\n');
	for (size_t i = 0; i < command->count; i++) {
		const struct record *record = command->entries[i].record;
		add_stamp(&buf, command->entries[i].hash, redis_add(redis, record->channel, record->payload));
	}
	say_live(redis, &buf);
	command->answer = RECORDED;
}

static inline void do_read(struct fake_redis *redis, struct command *command)
{
	size_t wanted = command->count;
	command->count = 0;
	command->page = must(calloc(wanted, sizeof *command->page));
	for (size_t i = find_behind(redis, command->after); i < redis->log_count && command->count < wanted; i++) {
		const struct entry *entry = &redis->log[i];
		if (entry->is_trimmed)
			continue;
		command->page[command->count++] =
		    (struct log_entry){entry->id, entry->before, slice_of(copy_text(slice_of(entry->channel))),
		                       slice_of(copy_text(slice_of(entry->payload)))};
	}
}

static inline void redis_does(struct fake_redis *redis, struct command *command)
{
	bool writes = command->kind == COMMAND_RECORD || command->kind == COMMAND_CLAIM;
	command->is_done = true;
	command->is_ok = !redis->is_closed && !(redis->is_full && writes);
	command->answer = command->kind == COMMAND_RECORD ? (int)RECORD_FAILED : (int)CLAIM_FAILED;
	if (!command->is_ok)
		return;
	switch (command->kind) {
	case COMMAND_OPEN:
		do_open(redis, command);
		break;
	case COMMAND_CLAIM:
		do_claim(redis, command);
		break;
	case COMMAND_RENEW:
		command->answer = holds_lease(redis, command->token) ? CLAIM_TAKEN : CLAIM_HELD_BY_OTHER;
		if (command->answer == CLAIM_TAKEN)
			redis->lease_until_ms = clock_wall_ms() + LEASE_MS;
		break;
	case COMMAND_RELEASE:
		if (holds_lease(redis, command->token))
			redis->lease[0] = '\0';
		break;
	case COMMAND_RECORD:
		do_record(redis, command);
		break;
	case COMMAND_READ:
		do_read(redis, command);
		break;
	}
}

static inline void free_command(struct command *command)
{
	bool is_page = command->page != NULL;
	for (size_t i = 0; i < command->count && is_page; i++) {
		free((void *)(uintptr_t)command->page[i].channel.ptr);
		free((void *)(uintptr_t)command->page[i].payload.ptr);
	}
	for (size_t i = 0; i < command->count && command->entries; i++)
		record_unref((struct record *)(uintptr_t)command->entries[i].record);
	free(command->page);
	free(command->entries);
	free(command);
}

static inline void commands_init(struct commands *commands)
{
	commands->first = NULL;
	commands->end = &commands->first;
}

static inline struct command *commands_take(struct commands *commands)
{
	struct command *command = commands->first;
	commands->first = command->next;
	if (!commands->first)
		commands->end = &commands->first;
	command->next = NULL;
	return command;
}

static inline void commands_put(struct commands *commands, struct command *command)
{
	*commands->end = command;
	commands->end = &command->next;
}

static inline void commands_clear(struct commands *commands)
{
	while (commands->first)
		free_command(commands_take(commands));
}

/* The next that is not done yet; false: all are. */
static inline bool node_does(struct node *node)
{
	struct command *command = node->commands.first;
	while (command && command->is_done)
		command = command->next;
	if (command)
		redis_does(node->redis, command);
	return command != NULL;
}

static inline void answer(struct node *node, const struct command *command)
{
	switch (command->kind) {
	case COMMAND_OPEN:
		feed_on_open(node->feed, command->ticket, command->is_ok ? &command->position : NULL);
		break;
	case COMMAND_CLAIM:
	case COMMAND_RENEW:
		feed_on_claim(node->feed, command->ticket, (enum claim_answer)command->answer);
		break;
	case COMMAND_RELEASE:
		break;
	case COMMAND_RECORD:
		feed_on_record(node->feed, command->ticket, (enum record_answer)command->answer);
		break;
	case COMMAND_READ:
		feed_on_read(node->feed, command->ticket, command->page, command->is_ok ? command->count : 0,
		             command->is_ok);
		break;
	}
}

/* The next answer; false: none is there. */
static inline bool node_is_answered(struct node *node)
{
	if (!node->commands.first || !node->commands.first->is_done)
		return false;
	struct command *command = commands_take(&node->commands);
	answer(node, command);
	free_command(command);
	return true;
}

#endif

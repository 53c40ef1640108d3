/* The feed under random schedules: nodes that crash, freeze, lose their links and come back, answers that come late or
 * never, leases that run out at any moment, a Redis that is full, closed, flushed or trimmed, publishers that say the
 * same thing or store for themselves. After each schedule: what a living node heard is in the log once, every node gave
 * its workers the log (checked as they are given: fake_node.h), nothing stays pending. In some schedules nodes, the
 * recorder more often than others, are killed and started again at once, but never the last one that heard all that is
 * not in the log: what was published is in the log in its order then. TRACEGATE_MODEL_SEEDS and TRACEGATE_MODEL_FIRST
 * choose the schedules. */
#include <check.h>
#include <time.h>

#include "tests/support/suite.h"
#include "tests/unit/feed/fake_node.h"

#define SEEDS 300
#define CPU_SECONDS 30 /* a sanitizer may not come to all of them */
#define STEPS 1500
#define QUIET_STEPS 30000

struct schedule {
	uint64_t seed;
	struct random random;
	unsigned published; /* numbers given away */
	size_t alike_published[ALIKE_KINDS];
	bool has_alike, has_breaks;
	bool is_ordered;             /* the log is to be in the order of publication */
	bool was_stored[EVENTS_MAX]; /* by its publisher, which takes its place at once */
};

static struct fake_redis redis;
static struct schedule now;

static bool chance(unsigned per_mille)
{
	return random_below(&now.random, 1000) < per_mille;
}

static size_t below(size_t bound)
{
	return (size_t)random_below(&now.random, bound);
}

static struct node *any_node(void)
{
	return &redis.nodes[below(redis.node_count)];
}

static bool runs(const struct node *node)
{
	return node->is_alive && !node->is_frozen;
}

static size_t count_alive(void)
{
	size_t count = 0;
	for (size_t i = 0; i < redis.node_count; i++)
		count += redis.nodes[i].is_alive && !redis.nodes[i].is_retired;
	return count;
}

static void publish_one(void)
{
	char payload[32];
	bool stores = chance(150);
	if (now.has_alike && chance(300)) {
		size_t kind = below(ALIKE_KINDS);
		snprintf(payload, sizeof payload, "{\"alike\":%zu}", kind);
		now.alike_published[kind]++;
	} else {
		if (now.published == EVENTS_MAX)
			return;
		now.was_stored[now.published] = stores;
		snprintf(payload, sizeof payload, "{\"n\":%u}", now.published++);
	}
	if (stores && !redis.is_closed && !redis.is_full)
		redis_store(&redis, "trace:s1", payload, chance(500) ? OWN_STAMP_HASH : OWN_STAMP_WHOLE);
	else
		redis_publish(&redis, "trace:s1", payload);
}

static void crash(struct node *node)
{
	if (!node->is_alive || count_alive() < 2)
		return;
	node->is_alive = node->is_subscribed = false;
	inbox_clear(node);
	while (node->commands.first)
		commands_put(&redis.orphans, commands_take(&node->commands));
}

static bool has_in_inbox(const struct node *node, unsigned number)
{
	for (const struct said *said = node->inbox; said; said = said->next) {
		struct slice payload = {said->bytes + said->channel_len, said->payload_len};
		if (!said->is_live && number_of(payload) == number)
			return true;
	}
	return false;
}

static bool knows(const struct node *node, unsigned number)
{
	return node->is_alive && (node->was_heard[number] || has_in_inbox(node, number));
}

/* It runs, and heard all that is not in the log and that some node knows of. */
static bool is_witness(const struct node *node)
{
	if (!runs(node) || !node->is_subscribed || node->is_retired)
		return false;
	for (unsigned number = 0; number < now.published; number++) {
		if (redis.times_stored[number] || knows(node, number))
			continue;
		for (size_t i = 0; i < redis.node_count; i++) {
			if (knows(&redis.nodes[i], number))
				return false;
		}
	}
	return true;
}

static bool has_witness_beside(const struct node *node)
{
	for (size_t i = 0; i < redis.node_count; i++) {
		if (&redis.nodes[i] != node && is_witness(&redis.nodes[i]))
			return true;
	}
	return false;
}

/* As an orchestrator does, at once. */
static void restart(struct node *node)
{
	if (!node->is_alive || redis.node_count == NODES_MAX - 1 || !has_witness_beside(node))
		return;
	crash(node);
	if (!node->is_alive)
		add_node_with(&redis, fake_settings(), now.seed);
}

static struct node *any_recorder(void)
{
	for (size_t i = 0; i < redis.node_count; i++) {
		if (runs(&redis.nodes[i]) && redis.nodes[i].feed->state.is_recorder)
			return &redis.nodes[i];
	}
	return any_node();
}

static void be_faulty_in_order(void)
{
	struct node *node = any_node();
	if (chance(15))
		restart(chance(700) ? any_recorder() : node);
	if (chance(5) && (node->is_frozen || has_witness_beside(node)))
		node->is_frozen = !node->is_frozen;
	if (chance(5) && redis.node_count < NODES_MAX - 1)
		add_node_with(&redis, fake_settings(), now.seed);
	if (chance(5))
		redis.lease[0] = '\0';
	if (chance(2) && count_alive() > 2 && node->is_alive && has_witness_beside(node)) {
		node->is_retired = true;
		feed_retire(node->feed);
	}
}

/* A replica that lacked the last entries takes over: every link ends. Who knew of them says so when it links. It takes
 * longer than the clocks of the two are apart: the ids that it gives are later than those that are lost. */
static void lose_tail(void)
{
	size_t keep = redis.log_count - below(redis.log_count < 10 ? redis.log_count + 1 : 10);
	for (size_t i = 0; i < redis.node_count; i++) {
		if (redis.nodes[i].is_alive && redis.nodes[i].is_linked)
			node_breaks(&redis.nodes[i], false);
	}
	commands_clear(&redis.orphans);
	redis.has_losses = true;
	drop_entries(&redis, keep);
	redis.last = keep ? redis.log[keep - 1].id : (struct record_id){0};
	clock_fake_advance_ms(1);
}

static void flush(void)
{
	redis.has_losses = true;
	redis_flush(&redis);
}

/* Where payloads are alike nothing is trimmed, and a node always learns where the log stands as it joins: else nobody
 * could tell whether an entry that is gone, or one from before, was the event that a node still holds. Nor can a node
 * whose link broke tell whether one that it missed is the one it holds: there may be fewer of them then, never more. */
static void be_faulty(void)
{
	struct node *node = any_node();
	if (chance(5))
		crash(node);
	if (chance(10))
		node->is_frozen = !node->is_frozen;
	if (now.has_breaks && chance(10) && runs(node) && node->is_linked)
		node_breaks(node, chance(500));
	if (chance(5) && redis.node_count < NODES_MAX - 1)
		add_node_with(&redis, fake_settings(), now.seed);
	if (chance(10))
		redis.lease[0] = '\0';
	if (chance(4))
		redis.is_full = !redis.is_full;
	if (!now.has_alike && chance(2))
		redis.is_closed = !redis.is_closed;
	if (!now.has_alike && chance(4))
		redis_trim(&redis, 5 + below(100));
	if (chance(2) && count_alive() > 2 && node->is_alive) {
		node->is_retired = true;
		feed_retire(node->feed);
	}
	if (now.seed % 4 == 0 && chance(2))
		flush();
	if (now.seed % 4 == 1 && chance(2))
		lose_tail();
}

/* What a link brings is what was sent, up to where it ended. */
static void do_orphans(void)
{
	if (!redis.orphans.first || !chance(300))
		return;
	struct command *command = commands_take(&redis.orphans);
	struct node *node = command->node;
	if (!command->is_done && node->cut_link != command->link && chance(500))
		redis_does(&redis, command);
	else if (!command->is_done)
		node->cut_link = command->link;
	free_command(command);
}

static void read_some(struct node *node)
{
	for (size_t more = 1 + below(6); more && node_hears(node); more--)
		;
	feed_read_end(node->feed);
}

static void step(struct node *node)
{
	if (!runs(node))
		return;
	if (!node->is_linked) {
		if (chance(100))
			node_links(node);
	} else if (node->is_subscribed && node->feed->phase == FEED_SUBSCRIBED && chance(200)) {
		feed_up(node->feed);
	}
	if (node->is_subscribed && chance(600))
		read_some(node);
	for (size_t i = below(4); i-- > 0;)
		node_does(node);
	for (size_t i = below(4); i-- > 0;)
		node_is_answered(node);
	if (chance(500) || clock_mono_ns() >= node->due_ns)
		node_ticks(node);
}

static void turn(void)
{
	clock_fake_advance_ms(below(10));
	do_orphans();
	for (size_t i = 0; i < redis.node_count; i++)
		step(&redis.nodes[i]);
}

static bool is_quiet(void)
{
	for (size_t i = 0; i < redis.node_count; i++) {
		struct node *node = &redis.nodes[i];
		if (node->is_alive && (node->inbox || !feed_is_ready(node->feed) || node->feed->pending.count ||
		                       record_id_compare(node->head, redis.last) != 0))
			return false;
	}
	return true;
}

static void report(const struct node *node)
{
	const struct feed *feed = node->feed;
	fprintf(stderr,
	        "%s phase %d placed %d heal %d recorder %d pending %zu early %zu head %" PRIu64 "-%" PRIu64
	        " last %" PRIu64 "-%" PRIu64 "\n",
	        node->name, feed->phase, feed->is_placed, feed->heal.is_active, feed->recorder.state,
	        feed->pending.count, feed->early.count, node->head.ms, node->head.seq, redis.last.ms, redis.last.seq);
}

static void calm_down(void)
{
	redis.is_full = redis.is_closed = false;
	for (size_t i = 0; i < redis.node_count; i++)
		redis.nodes[i].is_frozen = false;
	add_node_with(&redis, fake_settings(), now.seed);
	for (size_t i = 0; i < QUIET_STEPS && !(i > 2000 && is_quiet()); i++)
		turn();
	if (is_quiet())
		return;
	for (size_t i = 0; i < redis.node_count; i++) {
		if (redis.nodes[i].is_alive)
			report(&redis.nodes[i]);
	}
	ck_abort_msg("seed %" PRIu64 " is stuck", now.seed);
}

static void check_log(void)
{
	size_t alike[ALIKE_KINDS] = {0};
	for (size_t i = 0; i < redis.log_count; i++) {
		unsigned kind = number_in(slice_of(redis.log[i].payload), "alike", ALIKE_KINDS);
		if (kind < ALIKE_KINDS)
			alike[kind]++;
	}
	for (unsigned number = 0; number < now.published; number++) {
		bool was_heard = false;
		for (size_t i = 0; i < redis.node_count; i++)
			was_heard = was_heard || (redis.nodes[i].is_alive && redis.nodes[i].was_heard[number]);
		must_hold(redis.times_stored[number] || !was_heard, "seed %" PRIu64 ": %u is not in the log", now.seed,
		          number);
	}
	for (size_t kind = 0; kind < ALIKE_KINDS && !redis.has_losses; kind++) {
		size_t heard = 0;
		for (size_t i = 0; i < redis.node_count; i++) {
			if (redis.nodes[i].is_alive && redis.nodes[i].alike_heard[kind] > heard)
				heard = redis.nodes[i].alike_heard[kind];
		}
		must_hold(alike[kind] <= now.alike_published[kind] && (now.has_breaks || alike[kind] >= heard),
		          "seed %" PRIu64 ": %zu of %zu alike are in the log, %zu heard", now.seed, alike[kind],
		          now.alike_published[kind], heard);
	}
}

static void check_order(void)
{
	unsigned newest = 0;
	for (size_t i = 0; i < redis.log_count; i++) {
		unsigned number = number_of(slice_of(redis.log[i].payload));
		if (number == EVENTS_MAX || now.was_stored[number])
			continue;
		must_hold(number >= newest, "seed %" PRIu64 ": %u is in the log behind %u", now.seed, number, newest);
		newest = number;
	}
}

static void run_schedule(uint64_t seed)
{
	now = (struct schedule){.seed = seed,
	                        .random = {.state = seed * UINT64_C(0x2545F4914F6CDD1D) + 1},
	                        .has_alike = seed % 3 == 0 && seed % 5 != 2, /* it would not be known which one it is */
	                        .has_breaks = seed % 6 != 0,
	                        .is_ordered = seed % 5 == 2};
	fake_redis_init(&redis);
	redis.seed = seed;
	for (int i = 0; i < 3; i++)
		add_node_with(&redis, fake_settings(), seed);
	for (size_t i = 0; i < STEPS; i++) {
		if (i < STEPS * 2 / 3 && chance(400))
			publish_one();
		if (i < STEPS * 3 / 5 && i > 50)
			now.is_ordered ? be_faulty_in_order() : be_faulty();
		turn();
	}
	calm_down();
	check_log();
	if (now.is_ordered)
		check_order();
	fake_redis_fini(&redis);
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

START_TEST(no_schedule_breaks_a_promise)
{
	uint64_t first = number_from("TRACEGATE_MODEL_FIRST", 1), seeds = number_from("TRACEGATE_MODEL_SEEDS", SEEDS);
	bool shows = getenv("TRACEGATE_MODEL_SEEDS") != NULL;
	for (uint64_t seed = first; seed < first + seeds && (shows || clock() < CPU_SECONDS * CLOCKS_PER_SEC); seed++) {
		if (shows)
			fprintf(stderr, "\rseed %" PRIu64 " ", seed);
		run_schedule(seed);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("feed_model");
	TCase *cases = tcase_create("feed_model");
	tcase_add_test(cases, no_schedule_breaks_a_promise);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}

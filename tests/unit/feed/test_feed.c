#include <check.h>

#include "gateway/feed/feed.h"
#include "gateway/metrics/metrics.h"
#include "tests/support/suite.h"
#include "tests/unit/feed/fake_node.h"

static struct fake_redis redis;

static void begin(void)
{
	fake_redis_init(&redis);
	ck_assert_int_eq(metrics_join(), OK);
}

static void end(void)
{
	fake_redis_fini(&redis);
	metrics_reset();
}

/* All that Redis and the links have to do now. */
static void settle(void)
{
	for (int i = 0; i < 40; i++) {
		for (size_t n = 0; n < redis.node_count; n++) {
			struct node *node = &redis.nodes[n];
			if (!node->is_alive || node->is_frozen)
				continue;
			while (node_does(node))
				;
			while (node_is_answered(node))
				;
			while (node_hears(node))
				;
			feed_read_end(node->feed);
			node_ticks(node);
		}
	}
}

static void pass_ms(uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 50) {
		clock_fake_advance_ms(50);
		settle();
	}
}

static void link_up(struct node *node)
{
	node_links(node);
	settle();
	feed_up(node->feed);
	settle();
}

static struct node *start_with(struct feed_settings settings)
{
	struct node *node = add_node_with(&redis, settings, 1);
	link_up(node);
	pass_ms(300);
	return node;
}

static struct node *start(void)
{
	return start_with(fake_settings());
}

static void publish(unsigned number)
{
	char payload[32];
	snprintf(payload, sizeof payload, "{\"n\":%u}", number);
	redis_publish(&redis, "trace:s1", payload);
}

static void publish_range(unsigned first, unsigned last)
{
	for (unsigned number = first; number <= last; number++)
		publish(number);
}

START_TEST(a_lone_node_records_what_it_hears_and_delivers_it_with_ids)
{
	struct node *node = start();
	ck_assert(feed_state(node->feed)->is_recorder);
	publish_range(1, 30);
	settle();
	ck_assert_uint_eq(redis.log_count, 30);
	ck_assert_uint_eq(node->delivered, 30);
	ck_assert_uint_eq(node->unrecorded, 0);
	ck_assert_uint_eq(metric_read(METRIC_RECORDS), 30);
	ck_assert_uint_eq(metric_read(METRIC_RECORDER), 1);
	ck_assert_uint_eq(metric_read(METRIC_RECORD_TAKEOVERS), 1);
	ck_assert_uint_eq(metric_read(METRIC_PENDING), 0);
}
END_TEST

START_TEST(starts_at_the_end_of_the_log)
{
	struct node *first = start();
	publish_range(1, 20);
	settle();
	struct node *second = start();
	ck_assert_uint_eq(second->delivered, 0);
	ck_assert(record_id_compare(feed_state(second->feed)->log.last, redis.last) == 0);
	publish(21);
	settle();
	ck_assert_uint_eq(first->delivered, 21);
	ck_assert_uint_eq(second->delivered, 1);
}
END_TEST

START_TEST(another_node_takes_over_when_the_recorder_is_gone)
{
	struct node *first = start(), *second = start();
	ck_assert(!feed_state(second->feed)->is_recorder);
	first->is_frozen = true;
	publish_range(1, 5);
	pass_ms(LEASE_MS + 400);
	ck_assert(feed_state(second->feed)->is_recorder);
	ck_assert_uint_eq(second->delivered, 5);
	ck_assert_uint_eq(second->unrecorded, 0);
	first->is_frozen = false;
	pass_ms(1000);
	ck_assert(!feed_state(first->feed)->is_recorder);
	ck_assert_uint_eq(first->delivered, 5);
	ck_assert_uint_eq(redis.log_count, 5);
}
END_TEST

/* The lease is renewed, but the recorder hears nothing. */
START_TEST(the_lease_is_taken_by_force_from_a_recorder_gone_deaf)
{
	struct node *first = start(), *second = start();
	first->is_subscribed = false;
	publish(1);
	pass_ms(DEAF_MS + 500);
	ck_assert(feed_state(second->feed)->is_recorder);
	ck_assert_uint_eq(metric_read(METRIC_RECORD_TAKEOVERS_FORCED), 1);
	ck_assert_uint_eq(second->delivered, 1);
	ck_assert_uint_eq(second->unrecorded, 0);
}
END_TEST

START_TEST(nothing_is_recorded_before_the_fence_came_through_the_own_feed)
{
	struct node *node = add_node_with(&redis, fake_settings(), 1);
	node_links(node);
	settle();
	feed_up(node->feed);
	publish(1);
	for (int i = 0; i < 10; i++) {
		clock_fake_advance_ms(50);
		node_ticks(node);
		while (node_does(node) || node_is_answered(node))
			;
	}
	ck_assert_str_ne(redis.lease, "");
	ck_assert(!feed_state(node->feed)->is_recorder);
	ck_assert_uint_eq(redis.log_count, 0);
	settle();
	ck_assert(feed_state(node->feed)->is_recorder);
	ck_assert_uint_eq(redis.log_count, 1);
}
END_TEST

START_TEST(what_no_stamp_names_within_the_grace_goes_out_without_an_id_and_is_a_repeat_later)
{
	struct node *node = start();
	redis.is_full = true;
	publish_range(1, 3);
	pass_ms(GRACE_MS - 100);
	ck_assert_uint_eq(node->unrecorded, 0);
	pass_ms(200);
	ck_assert_uint_eq(node->unrecorded, 3);
	ck_assert(!feed_state(node->feed)->is_recorded);
	publish(4);
	settle();
	ck_assert_uint_eq(node->unrecorded, 4);
	ck_assert_uint_eq(metric_read(METRIC_UNRECORDED), 4);
	redis.is_full = false;
	pass_ms(8000);
	ck_assert(feed_state(node->feed)->is_recorded);
	ck_assert_uint_eq(node->delivered, 4);
	ck_assert_uint_eq(node->repeats, 4);
	ck_assert_uint_eq(redis.log_count, 4);
	publish(5);
	settle();
	ck_assert_uint_eq(node->unrecorded, 4);
	ck_assert_uint_eq(node->repeats, 4);
	ck_assert_uint_eq(node->delivered, 5);
}
END_TEST

START_TEST(a_recorder_that_fails_three_times_lets_another_try)
{
	struct node *node = start();
	redis.is_full = true;
	publish(1);
	pass_ms(1000);
	ck_assert(!feed_state(node->feed)->is_recorder);
	ck_assert_uint_eq(metric_read(METRIC_RECORD_CALLS_FAILED), 3);
	ck_assert_uint_eq(redis.log_count, 0);
}
END_TEST

START_TEST(what_was_missed_while_the_link_was_broken_comes_from_the_log)
{
	struct node *first = start(), *second = start();
	node_breaks(second, false);
	publish_range(1, 50);
	settle();
	ck_assert_uint_eq(second->delivered, 0);
	link_up(second);
	ck_assert_uint_eq(second->delivered, 50);
	ck_assert_uint_eq(first->delivered, 50);
	ck_assert_uint_eq(metric_read(METRIC_HEALS), 1);
	ck_assert_uint_eq(metric_read(METRIC_HEALED_EVENTS), 50);
}
END_TEST

/* As no link should do. */
START_TEST(a_hole_between_stamps_is_read_from_the_log)
{
	struct node *first = start(), *second = start();
	second->is_frozen = true;
	publish_range(1, 20);
	settle();
	inbox_clear(second);
	second->is_frozen = false;
	publish(21);
	settle();
	ck_assert_uint_eq(first->delivered, 21);
	ck_assert_uint_eq(second->delivered, 21);
	ck_assert_uint_eq(metric_read(METRIC_HEALS), 1);
	ck_assert_uint_eq(metric_read(METRIC_HEALED_EVENTS), 20);
}
END_TEST

START_TEST(an_event_that_only_the_recorder_heard_is_fetched_from_the_log)
{
	struct node *first = start(), *second = start();
	second->is_subscribed = false;
	publish(1);
	second->is_subscribed = true;
	settle();
	ck_assert_uint_eq(first->delivered, 1);
	ck_assert_uint_eq(second->delivered, 1);
	ck_assert_uint_eq(metric_read(METRIC_HEALED_EVENTS), 1);
}
END_TEST

START_TEST(a_process_that_was_stopped_does_not_count_the_time_as_waiting)
{
	struct node *first = start(), *second = start();
	publish_range(1, 3);
	while (node_hears(second))
		;
	feed_read_end(second->feed);
	second->is_frozen = true;
	pass_ms(10 * GRACE_MS);
	second->is_frozen = false;
	node_ticks(second);
	ck_assert_uint_eq(second->unrecorded, 0);
	settle();
	ck_assert_uint_eq(second->delivered, 3);
	ck_assert_uint_eq(first->delivered, 3);
}
END_TEST

START_TEST(what_was_heard_before_the_link_broke_is_recorded_by_the_node_that_heard_it)
{
	struct node *node = start();
	redis.is_full = true;
	publish(1);
	settle();
	node_breaks(node, false);
	redis.is_full = false;
	link_up(node);
	pass_ms(LEASE_MS + 500);
	ck_assert_uint_eq(redis.log_count, 1);
	ck_assert_uint_eq(node->delivered, 1);
	ck_assert_uint_eq(node->unrecorded, 0);
}
END_TEST

START_TEST(a_record_whose_answer_was_lost_with_the_link_is_not_recorded_again)
{
	struct node *node = start();
	publish_range(1, 4);
	while (node_hears(node))
		;
	feed_read_end(node->feed);
	while (node_does(node))
		;
	ck_assert_uint_eq(redis.log_count, 4);
	node_breaks(node, false);
	link_up(node);
	pass_ms(3000);
	ck_assert_uint_eq(redis.log_count, 4);
	ck_assert_uint_eq(node->delivered, 4);
}
END_TEST

START_TEST(what_was_trimmed_meanwhile_is_told_by_where_the_next_batch_begins)
{
	struct node *first = start(), *second = start();
	node_breaks(second, false);
	publish_range(1, 50);
	settle();
	redis_trim(&redis, 10);
	link_up(second);
	ck_assert_uint_eq(second->delivered, 10);
	ck_assert_uint_eq(first->delivered, 50);
}
END_TEST

START_TEST(two_events_alike_are_two_in_the_log)
{
	struct node *node = start();
	for (int i = 0; i < 20; i++)
		redis_publish(&redis, "trace:s1", "{\"alike\":1}");
	settle();
	ck_assert_uint_eq(redis.log_count, 20);
	ck_assert_uint_eq(node->delivered, 20);
}
END_TEST

START_TEST(what_a_publisher_stored_itself_is_not_recorded_again)
{
	struct node *node = start();
	redis_publish(&redis, "trace:s1", "{\"alike\":1}");
	redis_store(&redis, "trace:s1", "{\"alike\":1}", OWN_STAMP_WHOLE);
	redis_store(&redis, "trace:s1", "{\"alike\":1}", OWN_STAMP_HASH);
	settle();
	ck_assert_uint_eq(redis.log_count, 3);
	ck_assert_uint_eq(node->delivered, 3);
	ck_assert_uint_eq(metric_read(METRIC_RECORDS), 1);
	ck_assert_uint_eq(node->feed->pending.count, 0);
}
END_TEST

START_TEST(a_flushed_log_begins_a_new_epoch)
{
	struct node *node = start();
	publish_range(1, 5);
	settle();
	uint64_t epoch = node->epoch;
	redis_flush(&redis);
	redis.has_losses = true;
	publish_range(6, 9);
	pass_ms(4000);
	ck_assert(node->epoch != epoch && node->epoch == redis.epoch);
	ck_assert_uint_eq(redis.log_count, 4);
	ck_assert(feed_state(node->feed)->is_recorder);
	publish(10);
	settle();
	ck_assert_uint_eq(redis.log_count, 5);
	ck_assert_uint_eq(node->delivered, 10);
}
END_TEST

START_TEST(where_the_log_cannot_be_opened_events_come_without_ids)
{
	redis.is_closed = true;
	struct node *node = start();
	publish(1);
	pass_ms(GRACE_MS + 100);
	ck_assert_uint_eq(node->unrecorded, 1);
	redis.is_closed = false;
	pass_ms(5000);
	ck_assert_uint_eq(redis.log_count, 1);
	publish(2);
	settle();
	ck_assert_uint_eq(node->delivered, 2);
	ck_assert(feed_state(node->feed)->is_recorded);
}
END_TEST

START_TEST(without_a_log_everything_goes_out_at_once)
{
	struct feed_settings settings = fake_settings();
	settings.is_recorded = false;
	struct node *node = start_with(settings);
	publish_range(1, 5);
	settle();
	ck_assert_uint_eq(node->unrecorded, 5);
	ck_assert_uint_eq(redis.log_count, 0);
	ck_assert_uint_eq(redis.epoch, 0);
	ck_assert_uint_eq(metric_read(METRIC_UNRECORDED), 0);
}
END_TEST

START_TEST(the_oldest_are_given_up_when_memory_is_short)
{
	struct feed_settings settings = fake_settings();
	settings.pending_bytes_max = 4000;
	redis.is_closed = true;
	struct node *node = start_with(settings);
	publish_range(1, 100);
	settle();
	ck_assert_uint_eq(node->unrecorded, 100);
	ck_assert_uint_le(node->feed->pending.bytes, 4000);
	ck_assert_uint_eq(metric_read(METRIC_RECORDS_LOST), 100 - node->feed->pending.count);
}
END_TEST

START_TEST(a_node_that_drains_gives_the_lease_up_at_once)
{
	struct node *first = start(), *second = start();
	publish(0);
	settle();
	feed_retire(first->feed);
	pass_ms(400);
	ck_assert(!feed_state(first->feed)->is_recorder);
	ck_assert(feed_state(second->feed)->is_recorder);
	publish(1);
	settle();
	ck_assert_uint_eq(first->delivered, 2);
}
END_TEST

static void kill_node(struct node *node)
{
	node->is_alive = node->is_subscribed = false;
	inbox_clear(node);
	commands_clear(&node->commands);
}

/* The numbers in the log, by their order. */
static void assert_log_counts_from(unsigned number)
{
	for (size_t i = 0; i < redis.log_count; i++)
		ck_assert_uint_eq(number_of(slice_of(redis.log[i].payload)), number + i);
}

START_TEST(a_fresh_node_leaves_the_lease_to_one_that_heard_more)
{
	struct node *first = start(), *second = start();
	publish(1);
	settle();
	kill_node(first);
	publish(2);
	struct node *fresh = add_node_with(&redis, fake_settings(), 1);
	link_up(fresh);
	publish(3);
	second->is_frozen = true; /* it looks later */
	redis.lease[0] = '\0';
	pass_ms(250);
	ck_assert_str_eq(redis.lease, "");
	second->is_frozen = false;
	settle();
	ck_assert(feed_state(second->feed)->is_recorder);
	ck_assert_uint_eq(redis.log_count, 3);
	assert_log_counts_from(1);
}
END_TEST

START_TEST(of_fresh_nodes_the_one_that_holds_the_oldest_event_records)
{
	struct node *nodes[3];
	strcpy(redis.lease, "of one that died");
	redis.lease_until_ms = clock_wall_ms() + LEASE_MS;
	for (unsigned i = 0; i < 3; i++) {
		nodes[i] = add_node_with(&redis, fake_settings(), 1);
		link_up(nodes[i]);
		publish(1 + i);
	}
	settle();
	nodes[0]->is_frozen = true; /* it looks last */
	pass_ms(LEASE_MS + 200);
	nodes[0]->is_frozen = false;
	pass_ms(1000);
	ck_assert(feed_state(nodes[0]->feed)->is_recorder);
	ck_assert_uint_eq(redis.log_count, 3);
	assert_log_counts_from(1);
}
END_TEST

START_TEST(a_fresh_node_that_nobody_answers_records)
{
	struct node *first = start(), *second = start();
	kill_node(first);
	second->is_frozen = true;
	struct node *fresh = start();
	publish(1);
	pass_ms(LEASE_MS + 700);
	ck_assert(feed_state(fresh->feed)->is_recorder);
	ck_assert_uint_eq(fresh->delivered, 1);
	ck_assert_uint_eq(fresh->unrecorded, 0);
}
END_TEST

START_TEST(a_node_that_listened_long_takes_over_without_asking)
{
	struct node *first = start(), *second = start();
	pass_ms(LEASE_MS + DEAF_MS + 500);
	kill_node(first);
	redis.lease[0] = '\0';
	pass_ms(300);
	ck_assert(feed_state(second->feed)->is_recorder);
}
END_TEST

START_TEST(the_last_node_records_on_while_it_drains)
{
	struct node *node = start();
	feed_retire(node->feed);
	pass_ms(400);
	ck_assert(!feed_state(node->feed)->is_recorder);
	publish(1);
	pass_ms(DEAF_MS + 500);
	ck_assert_uint_eq(redis.log_count, 1);
	ck_assert_uint_eq(node->unrecorded, 0);
}
END_TEST

START_TEST(what_no_recorder_could_have_said_is_refused)
{
	struct node *node = start();
	feed_live(node->feed, slice_of("S nonsense"));
	feed_live(node->feed, slice_of("hello"));
	ck_assert_uint_eq(metric_read(METRIC_STAMPS_REFUSED), 2);
	publish(1);
	settle();
	ck_assert_uint_eq(node->delivered, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("feed");
	TCase *cases = tcase_create("feed");
	tcase_add_checked_fixture(cases, begin, end);
	tcase_add_test(cases, a_lone_node_records_what_it_hears_and_delivers_it_with_ids);
	tcase_add_test(cases, starts_at_the_end_of_the_log);
	tcase_add_test(cases, another_node_takes_over_when_the_recorder_is_gone);
	tcase_add_test(cases, the_lease_is_taken_by_force_from_a_recorder_gone_deaf);
	tcase_add_test(cases, nothing_is_recorded_before_the_fence_came_through_the_own_feed);
	tcase_add_test(cases, what_no_stamp_names_within_the_grace_goes_out_without_an_id_and_is_a_repeat_later);
	tcase_add_test(cases, a_recorder_that_fails_three_times_lets_another_try);
	tcase_add_test(cases, what_was_missed_while_the_link_was_broken_comes_from_the_log);
	tcase_add_test(cases, a_hole_between_stamps_is_read_from_the_log);
	tcase_add_test(cases, an_event_that_only_the_recorder_heard_is_fetched_from_the_log);
	tcase_add_test(cases, a_process_that_was_stopped_does_not_count_the_time_as_waiting);
	tcase_add_test(cases, what_was_heard_before_the_link_broke_is_recorded_by_the_node_that_heard_it);
	tcase_add_test(cases, a_record_whose_answer_was_lost_with_the_link_is_not_recorded_again);
	tcase_add_test(cases, what_was_trimmed_meanwhile_is_told_by_where_the_next_batch_begins);
	tcase_add_test(cases, two_events_alike_are_two_in_the_log);
	tcase_add_test(cases, what_a_publisher_stored_itself_is_not_recorded_again);
	tcase_add_test(cases, a_flushed_log_begins_a_new_epoch);
	tcase_add_test(cases, where_the_log_cannot_be_opened_events_come_without_ids);
	tcase_add_test(cases, without_a_log_everything_goes_out_at_once);
	tcase_add_test(cases, the_oldest_are_given_up_when_memory_is_short);
	tcase_add_test(cases, a_node_that_drains_gives_the_lease_up_at_once);
	tcase_add_test(cases, a_fresh_node_leaves_the_lease_to_one_that_heard_more);
	tcase_add_test(cases, of_fresh_nodes_the_one_that_holds_the_oldest_event_records);
	tcase_add_test(cases, a_fresh_node_that_nobody_answers_records);
	tcase_add_test(cases, a_node_that_listened_long_takes_over_without_asking);
	tcase_add_test(cases, the_last_node_records_on_while_it_drains);
	tcase_add_test(cases, what_no_recorder_could_have_said_is_refused);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}

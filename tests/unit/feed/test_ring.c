#include <check.h>
#include <stdio.h>

#include "gateway/feed/intake.h"
#include "gateway/feed/ring.h"
#include "tests/support/suite.h"

static struct ring *ring;

static struct record_id id(uint64_t seq)
{
	return (struct record_id){1764031200123, seq};
}

static struct record *make(uint64_t seq, const char *payload)
{
	struct record *record = intake_record(&intake_fields_default, slice_of("trace:s1"), slice_of(payload), 1, 1);
	ck_assert_ptr_nonnull(record);
	record_stamp(record, id(seq));
	return record;
}

/* A batch of records first to last, one apart, that follows this id. */
static void push(uint64_t after, uint64_t first, uint64_t last)
{
	struct record_batch *batch = record_batch_new((size_t)(last - first + 1));
	ck_assert_ptr_nonnull(batch);
	batch->after = id(after);
	batch->is_recorded = true;
	for (uint64_t seq = first; seq <= last; seq++)
		record_batch_add(batch, make(seq, "{\"n\":1}"));
	ring_push(ring, batch);
	record_batch_unref(batch);
}

static void assert_bounds(uint64_t start, uint64_t end, size_t count)
{
	ck_assert(record_id_compare(ring_start(ring), id(start)) == 0);
	ck_assert(record_id_compare(ring_end(ring), id(end)) == 0);
	ck_assert_uint_eq(ring_count(ring), count);
}

static void open_at(size_t records_max, size_t bytes_max, uint64_t at)
{
	ring = ring_new(records_max, bytes_max);
	ck_assert_ptr_nonnull(ring);
	ring_reset(ring, id(at));
}

START_TEST(holds_what_was_pushed_by_place_and_id)
{
	open_at(100, 100000, 10);
	assert_bounds(10, 10, 0);
	push(10, 11, 13);
	push(13, 20, 21);
	assert_bounds(10, 21, 5);
	uint64_t place = ring_find(ring, id(12));
	ck_assert_uint_eq(ring_at(ring, place)->id.seq, 13);
	ck_assert_uint_eq(ring_at(ring, place + 1)->id.seq, 20);
	ck_assert_uint_eq(ring_at(ring, place + 2)->id.seq, 21);
	ck_assert_ptr_null(ring_at(ring, place + 3));
	ck_assert_uint_eq(ring_at(ring, ring_find(ring, id(15)))->id.seq, 20);
	ck_assert_uint_eq(ring_find(ring, id(21)), place + 3);
	ck_assert_uint_eq(ring_at(ring, ring_find(ring, id(0)))->id.seq, 11);
	ring_free(ring);
}
END_TEST

START_TEST(drops_the_oldest_when_there_are_too_many)
{
	open_at(4, 100000, 0);
	push(0, 1, 4);
	uint64_t place = ring_find(ring, id(3));
	push(4, 5, 6);
	assert_bounds(2, 6, 4);
	ck_assert_uint_eq(ring_at(ring, place)->id.seq, 4);
	ck_assert_ptr_null(ring_at(ring, place - 2));
	push(6, 7, 20);
	assert_bounds(16, 20, 4);
	ck_assert_ptr_null(ring_at(ring, place));
	ring_free(ring);
}
END_TEST

START_TEST(drops_the_oldest_when_there_are_too_many_bytes)
{
	struct record *record = make(1, "{\"n\":1}");
	size_t bytes = record->element.len;
	record_unref(record);
	open_at(100, 3 * bytes, 0);
	push(0, 1, 3);
	assert_bounds(0, 3, 3);
	push(3, 4, 5);
	assert_bounds(2, 5, 3);
	ring_free(ring);
}
END_TEST

START_TEST(a_record_larger_than_the_ring_leaves_it_empty_behind_it)
{
	open_at(100, 20, 0);
	push(0, 1, 2);
	assert_bounds(2, 2, 0);
	ring_free(ring);
	open_at(0, 100000, 0);
	push(0, 1, 2);
	assert_bounds(2, 2, 0);
	ck_assert_ptr_null(ring_at(ring, ring_find(ring, id(0))));
	ring_free(ring);
}
END_TEST

START_TEST(starts_anew_behind_a_hole)
{
	open_at(100, 100000, 0);
	push(0, 1, 3);
	uint64_t waiting = ring_find(ring, id(3));
	push(8, 9, 10);
	assert_bounds(8, 10, 2);
	ck_assert(!ring_covers(ring, id(3)));
	ck_assert_ptr_null(ring_at(ring, waiting));
	push(4, 5, 6); /* another epoch began behind 4 */
	assert_bounds(4, 6, 2);
	ring_free(ring);
}
END_TEST

START_TEST(covers_what_begins_at_its_start_or_later)
{
	open_at(2, 100000, 5);
	ck_assert(ring_covers(ring, id(5)));
	ck_assert(!ring_covers(ring, id(4)));
	push(5, 6, 9);
	ck_assert(!ring_covers(ring, id(6)));
	ck_assert(ring_covers(ring, id(7)));
	ck_assert(ring_covers(ring, id(9)));
	ck_assert(ring_covers(ring, id(12)));
	ring_free(ring);
}
END_TEST

START_TEST(keeps_records_while_others_let_them_go)
{
	open_at(10, 100000, 0);
	struct record_batch *batch = record_batch_new(1);
	ck_assert_ptr_nonnull(batch);
	struct record *record = make(1, "{}");
	record_batch_add(batch, record);
	batch->is_recorded = true;
	batch->after = id(0);
	ring_push(ring, batch);
	record_batch_unref(batch);
	ck_assert_ptr_eq(ring_at(ring, ring_find(ring, id(0))), record);
	ck_assert(slice_is(record->payload, "{}"));
	ring_free(ring);
}
END_TEST

START_TEST(takes_no_records_without_ids)
{
	open_at(10, 100000, 3);
	struct record_batch *batch = record_batch_new(1);
	ck_assert_ptr_nonnull(batch);
	record_batch_add(batch, intake_record(&intake_fields_default, slice_of("trace:s1"), slice_of("1"), 1, 1));
	ring_push(ring, batch);
	record_batch_unref(batch);
	assert_bounds(3, 3, 0);
	ring_free(ring);
	ring_free(NULL);
}
END_TEST

START_TEST(another_bound_lets_the_oldest_go_and_no_more_come)
{
	open_at(100, 100000, 10);
	push(10, 11, 20);
	size_t each = ring_at(ring, ring_find(ring, id(10)))->element.len;
	ring_limit(ring, 3 * each);
	assert_bounds(17, 20, 3);
	push(20, 21, 22);
	assert_bounds(19, 22, 3);
	ring_limit(ring, 0);
	assert_bounds(22, 22, 0);
	ring_limit(ring, 100000);
	push(22, 23, 30);
	assert_bounds(22, 30, 8);
	ring_free(ring);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *cases = tcase_create("ring");
	tcase_add_test(cases, holds_what_was_pushed_by_place_and_id);
	tcase_add_test(cases, drops_the_oldest_when_there_are_too_many);
	tcase_add_test(cases, drops_the_oldest_when_there_are_too_many_bytes);
	tcase_add_test(cases, a_record_larger_than_the_ring_leaves_it_empty_behind_it);
	tcase_add_test(cases, starts_anew_behind_a_hole);
	tcase_add_test(cases, covers_what_begins_at_its_start_or_later);
	tcase_add_test(cases, keeps_records_while_others_let_them_go);
	tcase_add_test(cases, takes_no_records_without_ids);
	tcase_add_test(cases, another_bound_lets_the_oldest_go_and_no_more_come);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}

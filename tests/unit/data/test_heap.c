#include <check.h>
#include <stdlib.h>

#include "common/base/random.h"
#include "common/data/heap.h"
#include "tests/support/suite.h"

#define MANY 10000
#define MODEL_MEMBERS 100
#define MODEL_STEPS 50000
#define KEYS 100 /* few, so that many are equal */

struct member {
	struct heap_node node;
	unsigned key;
};

static struct heap heap;
static struct member members[MANY];
static size_t comparisons;

static struct member *member_of(const struct heap_node *node)
{
	return HEAP_ENTRY(node, struct member, node);
}

static bool is_before(const struct heap_node *a, const struct heap_node *b)
{
	comparisons++;
	return member_of(a)->key < member_of(b)->key;
}

static void setup(void)
{
	heap_init(&heap);
	for (size_t i = 0; i < MANY; i++)
		heap_node_init(&members[i].node);
	comparisons = 0;
}

static void add(size_t index, unsigned key)
{
	members[index].key = key;
	heap_add(&heap, &members[index].node, is_before);
}

static unsigned take_first(void)
{
	struct heap_node *first = heap_first(&heap);
	ck_assert_ptr_nonnull(first);
	heap_remove(first, is_before);
	ck_assert(!heap_node_is_in(first));
	return member_of(first)->key;
}

START_TEST(gives_the_first_whatever_the_order_of_their_coming)
{
	static const unsigned keys[] = {5, 3, 9, 1, 7, 3};
	ck_assert_ptr_null(heap_first(&heap));
	for (size_t i = 0; i < 6; i++)
		add(i, keys[i]);
	static const unsigned sorted[] = {1, 3, 3, 5, 7, 9};
	for (size_t i = 0; i < 6; i++)
		ck_assert_uint_eq(take_first(), sorted[i]);
	ck_assert_ptr_null(heap_first(&heap));
}
END_TEST

START_TEST(lets_go_of_any_member_and_of_one_that_is_in_none)
{
	for (size_t i = 0; i < 100; i++)
		add(i, (unsigned)(i * 37 % 100));
	ck_assert_uint_eq(take_first(), 0); /* by then it is a tree of some depth */
	for (size_t i = 0; i < 100; i++) {
		if (members[i].key % 2)
			heap_remove(&members[i].node, is_before);
	}
	heap_remove(&members[1].node, is_before);
	for (unsigned key = 2; key < 100; key += 2)
		ck_assert_uint_eq(take_first(), key);
	ck_assert_ptr_null(heap_first(&heap));
}
END_TEST

START_TEST(takes_over_all_members_of_another)
{
	struct heap other;
	heap_init(&other);
	heap_take_all(&heap, &other, is_before);
	ck_assert_ptr_null(heap_first(&heap));
	for (size_t i = 0; i < 10; i++)
		add(i, (unsigned)i);
	heap_take_all(&other, &heap, is_before);
	ck_assert_ptr_null(heap_first(&heap));
	for (size_t i = 10; i < 20; i++)
		add(i, (unsigned)(29 - i));
	heap_take_all(&heap, &other, is_before);
	ck_assert_ptr_null(heap_first(&other));
	for (unsigned key = 0; key < 20; key++)
		ck_assert_uint_eq(take_first(), key);
}
END_TEST

/* The first one has all others for children when it goes. */
START_TEST(joins_ten_thousand_children_in_few_comparisons)
{
	for (size_t i = 0; i < MANY; i++)
		add(i, (unsigned)i);
	ck_assert_uint_eq(comparisons, MANY - 1);
	for (unsigned key = 0; key < MANY; key++)
		ck_assert_uint_eq(take_first(), key);
	ck_assert_uint_lt(comparisons, 3 * MANY * 14); /* 14: the logarithm of MANY */
}
END_TEST

/* Each goes to the middle of those that are there: what a sorted list is slow at. */
START_TEST(costs_a_logarithm_wherever_the_members_belong)
{
	for (size_t i = 0; i < MANY; i++)
		add(i, (unsigned)(i % 2 ? i : 2 * MANY - i));
	for (size_t i = 0; i < MANY / 2; i++)
		take_first();
	for (size_t i = 0; i < MANY; i++) {
		if (i % 3 == 0)
			heap_remove(&members[i].node, is_before);
	}
	for (unsigned last = 0; heap_first(&heap);) {
		unsigned key = take_first();
		ck_assert_uint_le(last, key);
		last = key;
	}
	ck_assert_uint_lt(comparisons, 3 * MANY * 14);
}
END_TEST

/* The plain model: each member is asked. */
static bool agrees(const bool *is_in)
{
	const struct heap_node *first = heap_first(&heap);
	unsigned least = KEYS;
	for (size_t i = 0; i < MODEL_MEMBERS; i++) {
		if (heap_node_is_in(&members[i].node) != is_in[i])
			return false;
		least = is_in[i] && members[i].key < least ? members[i].key : least;
	}
	return (first ? member_of(first)->key : KEYS) == least;
}

static void step(struct random *random, bool *is_in)
{
	size_t index = random_below(random, MODEL_MEMBERS);
	struct heap_node *first = heap_first(&heap);
	struct heap moved;
	switch (random_below(random, 8)) {
	case 0:
		heap_init(&moved);
		heap_take_all(&moved, &heap, is_before);
		heap_take_all(&heap, &moved, is_before);
		break;
	case 1:
	case 2:
		if (first) {
			is_in[member_of(first) - members] = false;
			take_first();
		}
		break;
	case 3:
	case 4:
		heap_remove(&members[index].node, is_before);
		is_in[index] = false;
		break;
	default:
		heap_remove(&members[index].node, is_before);
		add(index, (unsigned)random_below(random, KEYS));
		is_in[index] = true;
	}
}

START_TEST(agrees_with_a_plain_model_step_by_step)
{
	struct random random = {.state = 20261125};
	bool is_in[MODEL_MEMBERS] = {false};
	for (unsigned i = 0; i < MODEL_STEPS; i++) {
		step(&random, is_in);
		ck_assert(agrees(is_in));
	}
	size_t left = 0, taken = 0;
	for (size_t i = 0; i < MODEL_MEMBERS; i++)
		left += is_in[i];
	for (unsigned last = 0; heap_first(&heap); taken++) {
		unsigned key = take_first();
		ck_assert_uint_le(last, key);
		last = key;
	}
	ck_assert_uint_gt(left, 0);
	ck_assert_uint_eq(taken, left);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heap");
	TCase *tests = tcase_create("heap");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, gives_the_first_whatever_the_order_of_their_coming);
	tcase_add_test(tests, lets_go_of_any_member_and_of_one_that_is_in_none);
	tcase_add_test(tests, takes_over_all_members_of_another);
	tcase_add_test(tests, joins_ten_thousand_children_in_few_comparisons);
	tcase_add_test(tests, costs_a_logarithm_wherever_the_members_belong);
	tcase_add_test(tests, agrees_with_a_plain_model_step_by_step);
	return suite_run(suite);
}

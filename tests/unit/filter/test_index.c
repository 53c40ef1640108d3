#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/filter/index.h"
#include "kit.h"
#include "tests/support/suite.h"

/* What index_match() called: how often for each owner, who is a slot of this array. */
struct hits {
	unsigned *counts;
};

static void on_hit(void *owner, const struct record *record, void *context)
{
	(void)record;
	((struct hits *)context)->counts[(size_t)(uintptr_t)owner]++;
}

static struct index_member *add(struct index *index, size_t owner, const char *channels, const char *filter)
{
	struct filter *made = kit_filter(channels, filter);
	struct index_member *member = index_add(index, made, (void *)(uintptr_t)owner);
	filter_unref(made); /* the index holds its own reference */
	ck_assert_ptr_nonnull(member);
	return member;
}

#define SLOTS 8

static void count_hits(struct index *index, const struct record *record, unsigned counts[SLOTS])
{
	memset(counts, 0, SLOTS * sizeof *counts);
	index_match(index, record, on_hit, &(struct hits){counts});
}

START_TEST(hits_each_owner_once_whatever_its_filter_is_filed_under)
{
	struct index *index = index_new();
	unsigned counts[SLOTS];
	struct record record = kit_record("trace:s17", "{\"n\":5}");
	record.session = SLICE_LITERAL("s17");
	record.agent = SLICE_LITERAL("a1");
	record.type = SLICE_LITERAL("tool.call");
	struct index_member *members[SLOTS] = {
	    add(index, 0, NULL, "{\"session\":[\"s1\",\"s17\",\"s18\"]}"),
	    add(index, 1, "[\"trace:s17\",\"trace:s18\"]", "{\"type\":[\"tool.*\"]}"),
	    add(index, 2, NULL, "{\"agent\":[\"a1\"],\"session\":[\"s17\"],\"type\":[\"tool.call\"]}"),
	    add(index, 3, NULL, "{\"type\":[\"tool.call\",\"x\"]}"),
	    add(index, 4, NULL, NULL),
	    add(index, 5, "[\"trace:s17\",\"agent:*\"]", NULL),
	    add(index, 6, NULL, "{\"agent\":[\"a2\"]}"),
	    add(index, 7, NULL, "{\"session\":[\"s17\"],\"where\":[{\"path\":\"/n\",\"op\":\">\",\"value\":5}]}"),
	};
	ck_assert_uint_eq(index_count(index), SLOTS);
	count_hits(index, &record, counts);
	for (size_t i = 0; i < SLOTS; i++)
		ck_assert_msg(counts[i] == (i < 6), "owner %zu: %u", i, counts[i]);
	for (size_t i = 0; i < SLOTS; i++)
		index_remove(index, members[i]);
	ck_assert_uint_eq(index_count(index), 0);
	count_hits(index, &record, counts);
	for (size_t i = 0; i < SLOTS; i++)
		ck_assert_uint_eq(counts[i], 0);
	index_free(index);
}
END_TEST

START_TEST(removing_one_leaves_the_others_under_the_same_key)
{
	struct index *index = index_new();
	unsigned counts[SLOTS];
	struct record record = kit_record("trace:x", "{}");
	record.session = SLICE_LITERAL("x");
	struct index_member *first = add(index, 0, NULL, "{\"session\":[\"x\"]}");
	struct index_member *second = add(index, 1, NULL, "{\"session\":[\"x\",\"y\"]}");
	index_remove(index, first);
	count_hits(index, &record, counts);
	ck_assert_uint_eq(counts[0], 0);
	ck_assert_uint_eq(counts[1], 1);
	index_remove(index, second);
	index_free(index);
}
END_TEST

static const char *pick(const char *const *choices, size_t count, unsigned *seed)
{
	return choices[(size_t)rand_r(seed) % count];
}

static const char *const sessions[] = {"", "s1", "s2", "s3", "s4", "s5"};
static const char *const agents[] = {"", "a1", "a2", "a3"};
static const char *const types[] = {"", "tool.call", "tool.end", "llm.call"};
static const char *const channels[] = {"trace:s1", "trace:s2", "agent:a1", "swarm:w", "performance:p"};
static const char *const payloads[] = {"{\"n\":1}", "{\"n\":2,\"t\":\"abc\"}", "[1]", "not json", "{}"};
static const char *const type_patterns[] = {"tool.*", "*.call", "tool.call", "llm.call", "tool.end", "x"};
static const char *const channel_patterns[] = {"trace:s1", "trace:s2", "trace:*", "agent:a?",
                                               "agent:a1", "swarm:w",  "*"};
static const char *const wheres[] = {"{\"path\":\"/n\",\"op\":\">\",\"value\":1}",
                                     "{\"path\":\"/t\",\"op\":\"prefix\",\"value\":\"a\"}",
                                     "{\"path\":\"/n\",\"op\":\"exists\"}"};
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* Writes a random list of strings, or of ready JSON where quote is "", taken from choices; skips empty choices. */
static void write_list(char *out, const char *const *choices, size_t count, const char *quote, unsigned *seed)
{
	size_t entries = 1 + (size_t)rand_r(seed) % 3;
	strcpy(out, "[");
	for (size_t i = 0; i < entries; i++) {
		const char *choice = pick(choices, count, seed);
		if (*choice)
			sprintf(out + strlen(out), "%s%s%s%s", out[1] ? "," : "", quote, choice, quote);
	}
	if (!out[1])
		strcat(out, "\"none\"");
	strcat(out, "]");
}

static void write_filter(char *out, unsigned *seed)
{
	char list[512];
	strcpy(out, "{");
	const struct {
		const char *key, *const *choices;
		size_t count;
		const char *quote;
	} keys[] = {{"session", sessions, COUNT_OF(sessions), "\""},
	            {"agent", agents, COUNT_OF(agents), "\""},
	            {"type", type_patterns, COUNT_OF(type_patterns), "\""},
	            {"where", wheres, COUNT_OF(wheres), ""}};
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (rand_r(seed) % 3)
			continue;
		write_list(list, keys[i].choices, keys[i].count, keys[i].quote, seed);
		if (keys[i].quote[0] || strcmp(list, "[\"none\"]") != 0)
			sprintf(out + strlen(out), "%s\"%s\":%s", out[1] ? "," : "", keys[i].key, list);
	}
	strcat(out, "}");
}

#define FILTERS 2000
#define RECORDS 2000

static struct record random_record(unsigned *seed)
{
	struct record record =
	    kit_record(pick(channels, COUNT_OF(channels), seed), pick(payloads, COUNT_OF(payloads), seed));
	record.session = slice_of(pick(sessions, COUNT_OF(sessions), seed));
	record.agent = slice_of(pick(agents, COUNT_OF(agents), seed));
	record.type = slice_of(pick(types, COUNT_OF(types), seed));
	return record;
}

START_TEST(agrees_with_asking_every_filter)
{
	static struct filter *filters[FILTERS];
	static struct index_member *members[FILTERS];
	static unsigned counts[FILTERS];
	unsigned seed = 7;
	size_t total = 0;
	struct index *index = index_new();
	for (size_t i = 0; i < FILTERS; i++) {
		char filter[2048], list[512];
		write_filter(filter, &seed);
		write_list(list, channel_patterns, COUNT_OF(channel_patterns), "\"", &seed);
		filters[i] = kit_filter(rand_r(&seed) % 2 ? list : NULL, filter);
		members[i] = index_add(index, filters[i], (void *)(uintptr_t)i);
		ck_assert_ptr_nonnull(members[i]);
	}
	for (size_t round = 0; round < RECORDS; round++) {
		struct record record = random_record(&seed);
		memset(counts, 0, sizeof counts);
		index_match(index, &record, on_hit, &(struct hits){counts});
		for (size_t i = 0; i < FILTERS; i++) {
			unsigned wanted = members[i] && filter_match(filters[i], &record);
			total += wanted;
			if (counts[i] != wanted) /* Check notes down every assertion that holds: too much for millions */
				ck_abort_msg("%.*s hits %u instead of %u", (int)filter_canonical(filters[i]).len,
				             filter_canonical(filters[i]).ptr, counts[i], wanted);
		}
		if (round % 4 == 0 && members[round % FILTERS]) {
			index_remove(index, members[round % FILTERS]);
			members[round % FILTERS] = NULL;
		}
	}
	ck_assert_uint_gt(total, RECORDS);
	for (size_t i = 0; i < FILTERS; i++) {
		if (members[i])
			index_remove(index, members[i]);
		filter_unref(filters[i]);
	}
	ck_assert_uint_eq(index_count(index), 0);
	index_free(index);
}
END_TEST

/* One filter of each kind for each number below count. */
static void fill_index(struct index *index, struct index_member **members, size_t count)
{
	char channel_list[64], filter[64];
	for (size_t i = 0; i < count; i++) {
		static const char *const keys[] = {"session", "agent", "type", NULL};
		const char *key = keys[i % 4];
		snprintf(channel_list, sizeof channel_list, "[\"trace:c%zu\"]", i);
		snprintf(filter, sizeof filter, "{\"%s\":[\"x%zu\"]}", key ? key : "", i);
		members[i] = add(index, 0, key ? NULL : channel_list, key ? filter : NULL);
	}
}

/* The best of some runs, in nanoseconds, of asking often for a record that none of count filters wants. */
static uint64_t measure_miss(size_t count)
{
	static struct index_member *members[10000];
	struct record record = kit_record("trace:nobody", "{}");
	unsigned hits[1] = {0};
	uint64_t best_ns = UINT64_MAX;
	record.session = record.agent = record.type = SLICE_LITERAL("nobody");
	struct index *index = index_new();
	fill_index(index, members, count);
	for (int run = 0; run < 5; run++) {
		uint64_t start_ns = clock_mono_ns();
		for (int i = 0; i < 2000; i++)
			index_match(index, &record, on_hit, &(struct hits){hits});
		uint64_t took_ns = clock_mono_ns() - start_ns;
		best_ns = took_ns < best_ns ? took_ns : best_ns;
	}
	ck_assert_uint_eq(hits[0], 0);
	for (size_t i = 0; i < count; i++)
		index_remove(index, members[i]);
	index_free(index);
	return best_ns;
}

START_TEST(a_miss_costs_no_more_among_many_filters)
{
	/* Asking every filter would cost a thousand times as much; ten times leaves room for a busy machine. */
	ck_assert_uint_lt(measure_miss(10000), 10 * measure_miss(10));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("index");
	TCase *tests = tcase_create("index");
	tcase_set_timeout(tests, 100);
	tcase_add_test(tests, hits_each_owner_once_whatever_its_filter_is_filed_under);
	tcase_add_test(tests, removing_one_leaves_the_others_under_the_same_key);
	tcase_add_test(tests, a_miss_costs_no_more_among_many_filters);
	tcase_add_test(tests, agrees_with_asking_every_filter);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

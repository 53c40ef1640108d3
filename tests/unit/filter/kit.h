/* What the tests of this room share: filters from JSON text and records without a feed. */
#ifndef TESTS_UNIT_FILTER_KIT_H
#define TESTS_UNIT_FILTER_KIT_H

#include <check.h>

#include "common/codec/json.h"
#include "gateway/filter/filter.h"

#define KIT_ARENA_BYTES ((size_t)4 << 20)

static const struct slice kit_patterns[] = {SLICE_LITERAL("trace:*"), SLICE_LITERAL("agent:*"),
                                            SLICE_LITERAL("swarm:*"), SLICE_LITERAL("performance:*")};
static const struct filter_patterns kit_served = {kit_patterns, 4};

/* channels and filter are JSON texts, or NULL for absent ones. */
static inline enum err kit_try(const char *channels, const char *filter, struct filter **ret_filter,
                               struct filter_error *ret_error)
{
	struct arena arena;
	struct value *channels_value = NULL, *filter_value = NULL;
	arena_init(&arena, KIT_ARENA_BYTES);
	if (channels)
		ck_assert_msg(json_decode(&arena, slice_of(channels), &channels_value, NULL) == OK, "%s", channels);
	if (filter)
		ck_assert_msg(json_decode(&arena, slice_of(filter), &filter_value, NULL) == OK, "%s", filter);
	enum err error = filter_compile(channels_value, filter_value, kit_served, ret_filter, ret_error);
	arena_fini(&arena);
	return error;
}

static inline struct filter *kit_filter(const char *channels, const char *filter)
{
	struct filter *made = NULL;
	struct filter_error error = {0};
	enum err code = kit_try(channels, filter, &made, &error);
	ck_assert_msg(code == OK, "%s: %s", error.where, error.message);
	return made;
}

static inline struct record kit_record(const char *channel, const char *payload)
{
	return (struct record){
	    .format = json_is_valid(slice_of(payload), NULL, NULL) ? RECORD_JSON : RECORD_TEXT,
	    .channel = slice_of(channel),
	    .payload = slice_of(payload),
	};
}

#endif

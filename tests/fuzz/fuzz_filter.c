/* The first line is {"channels":...,"filter":...}, the rest the payload of a record that the filter judges. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/json.h"
#include "gateway/filter/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void judge(struct filter *filter, struct slice payload)
{
	struct record record = {
	    .format = json_is_valid(payload, NULL, NULL) ? RECORD_JSON : RECORD_TEXT,
	    .channel = SLICE_LITERAL("trace:s1"),
	    .payload = payload,
	    .session = SLICE_LITERAL("s1"),
	    .agent = SLICE_LITERAL("a1"),
	    .type = SLICE_LITERAL("tool.call"),
	};
	(void)filter_match(filter, &record);
	if (filter_canonical(filter).len == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct slice patterns[] = {SLICE_LITERAL("trace:*"), SLICE_LITERAL("agent:*")};
	const uint8_t *line_end = len ? memchr(bytes, '\n', len) : NULL;
	struct arena arena;
	struct value *request = NULL;
	struct filter *filter = NULL;
	struct filter_error error = {{0}, {0}};
	if (!line_end)
		return 0;
	size_t line_len = (size_t)(line_end - bytes);
	arena_init(&arena, (size_t)1 << 20);
	if (json_decode(&arena, (struct slice){(const char *)bytes, line_len}, &request, NULL) == OK) {
		if (filter_compile(value_get(request, "channels"), value_get(request, "filter"),
		                   (struct filter_patterns){patterns, 2}, &filter, &error) == OK)
			judge(filter, (struct slice){(const char *)line_end + 1, len - line_len - 1});
		else if (!error.where[0] || !error.message[0])
			abort();
	}
	filter_unref(filter);
	arena_fini(&arena);
	return 0;
}

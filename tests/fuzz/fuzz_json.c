/* The first line is an RFC 6901 pointer, the rest a document. What is valid must decode (but for keys that a request
 * may not have), encode to the same tree again, and be found in; its numbers must equal themselves. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void judge_tree(struct arena *arena, struct slice document, bool is_valid)
{
	struct value *value = NULL;
	struct json_error problem = {0, NULL};
	struct buf first, second;
	enum err error = json_decode(arena, document, &value, &problem);
	check(error == ERR_INVALID ? problem.message && problem.at <= document.len : error == ERR_NOMEM || is_valid);
	if (error)
		return;
	buf_init(&first);
	buf_init(&second);
	json_encode(&first, value);
	check(json_is_valid(buf_slice(&first), NULL, NULL));
	error = json_decode(arena, buf_slice(&first), &value, NULL);
	check(error == OK || error == ERR_NOMEM);
	json_encode(&second, value);
	check(slice_equal(buf_slice(&first), buf_slice(&second)));
	buf_fini(&first);
	buf_fini(&second);
}

static void ignore_member(void *context, struct slice raw_key, struct slice raw_value, enum json_kind kind)
{
	enum json_kind found = JSON_NULL;
	(void)context;
	check(!memchr(raw_key.ptr, '\n', raw_key.len) && json_is_valid(raw_value, &found, NULL) && found == kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint8_t *line_end = len ? memchr(bytes, '\n', len) : NULL;
	struct arena arena;
	struct slice raw;
	enum json_kind kind;
	if (!line_end)
		return 0;
	struct slice pointer = {(const char *)bytes, (size_t)(line_end - bytes)};
	struct slice document = {(const char *)line_end + 1, len - pointer.len - 1};
	bool is_valid = json_is_valid(document, NULL, NULL);
	check(!is_valid || json_is_utf8(document));
	check(json_scan(document, ignore_member, NULL, NULL) == is_valid);
	if (is_valid && json_is_pointer(pointer) && json_find(document, pointer, &raw, &kind)) {
		enum json_kind again;
		check(json_is_valid(raw, &again, NULL) && again == kind);
		check(kind != JSON_NUMBER || json_number_compare(raw, raw) == 0);
	}
	arena_init(&arena, (size_t)1 << 22);
	judge_tree(&arena, document, is_valid);
	arena_fini(&arena);
	return 0;
}

/* The input is a message in MessagePack, and a document in JSON. What is read can be written, and says the same when it is read
 * again; its members are JSON; a document that is transcoded holds nothing that the reader would not take, but for keys that a
 * request may not have. */
#include <stdint.h>
#include <stdlib.h>

#include "common/codec/msgpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void judge_members(struct slice message, const struct value *map)
{
	struct buf json;
	buf_init(&json);
	for (const struct value *member = map->kind == VALUE_MAP ? map->list.first : NULL; member; member = member->next) {
		buf_clear(&json);
		check(msgpack_member(message, member->key, &json) && json_is_valid(buf_slice(&json), NULL, NULL));
	}
	check(!msgpack_member(message, SLICE_LITERAL("no\0key"), &json));
	buf_fini(&json);
}

static void judge_message(struct arena *arena, struct slice message)
{
	struct value *value = NULL;
	struct msgpack_error problem = {0, NULL};
	struct buf first, second;
	enum err error = msgpack_decode(arena, message, &value, &problem);
	check(error == OK || (problem.message && problem.at <= message.len));
	if (error)
		return;
	judge_members(message, value);
	buf_init(&first);
	buf_init(&second);
	msgpack_encode(&first, value);
	error = msgpack_decode(arena, buf_slice(&first), &value, NULL);
	check(error == OK || error == ERR_NOMEM);
	msgpack_encode(&second, value);
	check(slice_equal(buf_slice(&first), buf_slice(&second)));
	buf_clear(&first);
	json_encode(&first, value);
	check(json_is_valid(buf_slice(&first), NULL, NULL));
	buf_fini(&first);
	buf_fini(&second);
}

static void judge_document(struct arena *arena, struct slice document)
{
	struct value *value = NULL;
	struct buf packed;
	buf_init(&packed);
	enum err error = msgpack_append_json(&packed, document);
	check((error == ERR_INVALID) == !json_is_valid(document, NULL, NULL) && (error == OK || packed.len == 0));
	if (error == OK && msgpack_decode(arena, buf_slice(&packed), &value, NULL) == ERR_INVALID)
		check(json_decode(arena, document, &value, NULL) != OK);
	buf_fini(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice input = {(const char *)bytes, len};
	struct arena arena;
	arena_init(&arena, (size_t)1 << 22);
	judge_message(&arena, input);
	judge_document(&arena, input);
	arena_fini(&arena);
	return 0;
}

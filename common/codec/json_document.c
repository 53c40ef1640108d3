#include "common/codec/json_document.h"

#define FEW_MEMBERS 8 /* so many are looked through one by one */
#define WRITE_DEPTH_MAX JSON_DEPTH_MAX

void json_document_init(struct json_document *document, size_t limit_bytes, uint64_t seed)
{
	*document = (struct json_document){.seed = seed};
	pool_init(&document->pool, limit_bytes);
}

void json_document_fini(struct json_document *document)
{
	pool_fini(&document->pool);
	document->root = (struct json_object){0};
}

struct slice json_member_key(const struct json_member *member)
{
	return (struct slice){member->key, member->key_len};
}

struct slice json_member_text(const struct json_member *member)
{
	return member->text ? (struct slice){member->text, member->text_len} : SLICE_LITERAL("null");
}

static bool is_named(const struct json_member *member, struct slice key, uint32_t hash)
{
	return member->hash == hash && slice_equal(json_member_key(member), key);
}

struct json_member *json_object_find(const struct json_object *object, struct slice key, uint32_t hash,
                                     struct json_member *hint)
{
	if (hint && is_named(hint, key, hash))
		return hint;
	if (object->slots) {
		uint32_t slot = hash & (object->slot_count - 1);
		while (object->slots[slot] && !is_named(object->slots[slot], key, hash))
			slot = (slot + 1) & (object->slot_count - 1);
		return object->slots[slot];
	}
	struct json_member *member = object->first;
	while (member && !is_named(member, key, hash))
		member = member->next;
	return member;
}

static void put_in_slot(struct json_object *object, struct json_member *member)
{
	uint32_t slot = member->hash & (object->slot_count - 1);
	while (object->slots[slot])
		slot = (slot + 1) & (object->slot_count - 1);
	object->slots[slot] = member;
}

static void free_slots(struct json_document *document, struct json_object *object)
{
	pool_free(&document->pool, object->slots, object->slot_count * sizeof(struct json_member *));
	object->slots = NULL;
	object->slot_count = 0;
}

/* Room for one more member, at most half full. */
static bool make_slots(struct json_document *document, struct json_object *object)
{
	uint32_t count = object->slot_count ? 2 * object->slot_count : 4 * FEW_MEMBERS;
	if (object->count < FEW_MEMBERS || object->count < object->slot_count / 2)
		return true;
	struct json_member **slots = pool_alloc(&document->pool, count * sizeof(struct json_member *));
	if (!slots)
		return false;
	memset(slots, 0, count * sizeof(struct json_member *));
	free_slots(document, object);
	object->slots = slots;
	object->slot_count = count;
	for (struct json_member *at = object->first; at; at = at->next)
		put_in_slot(object, at);
	return true;
}

/* Those behind it move up, so that a search never stops too early. */
static void take_from_slot(struct json_object *object, const struct json_member *member)
{
	uint32_t mask = object->slot_count - 1, free_slot = member->hash & mask;
	while (object->slots[free_slot] != member)
		free_slot = (free_slot + 1) & mask;
	object->slots[free_slot] = NULL;
	for (uint32_t at = (free_slot + 1) & mask; object->slots[at]; at = (at + 1) & mask) {
		uint32_t home = object->slots[at]->hash & mask;
		if (((at - home) & mask) < ((at - free_slot) & mask))
			continue;
		object->slots[free_slot] = object->slots[at];
		object->slots[at] = NULL;
		free_slot = at;
	}
}

struct json_member *json_document_add(struct json_document *document, struct json_object *object, struct slice key,
                                      uint32_t hash)
{
	if (key.len > UINT32_MAX / 2 || object->count == UINT32_MAX / 4 || !make_slots(document, object))
		return NULL;
	struct json_member *member = pool_alloc(&document->pool, sizeof *member + key.len);
	if (!member)
		return NULL;
	*member = (struct json_member){.previous = object->last, .hash = hash, .key_len = (uint32_t)key.len};
	if (key.len)
		memcpy(member->key, key.ptr, key.len);
	*(object->last ? &object->last->next : &object->first) = member;
	object->last = member;
	object->count++;
	if (object->slots)
		put_in_slot(object, member);
	return member;
}

static void drop_text(struct json_document *document, struct json_member *member)
{
	pool_free(&document->pool, member->text, member->text_room);
	member->text = NULL;
	member->text_len = member->text_room = 0;
}

static void drop_object(struct json_document *document, struct json_member *member)
{
	if (!member->object)
		return;
	json_document_clear(document, member->object);
	pool_free(&document->pool, member->object, sizeof *member->object);
	member->object = NULL;
}

/* As deep as the document is: callers bound that. */
void json_document_clear(struct json_document *document, struct json_object *object)
{
	for (struct json_member *at = object->first, *next; at; at = next) {
		next = at->next;
		drop_text(document, at);
		drop_object(document, at);
		pool_free(&document->pool, at, sizeof *at + at->key_len);
	}
	free_slots(document, object);
	*object = (struct json_object){0};
}

void json_document_remove(struct json_document *document, struct json_object *object, struct json_member *member)
{
	if (object->slots)
		take_from_slot(object, member);
	*(member->previous ? &member->previous->next : &object->first) = member->next;
	*(member->next ? &member->next->previous : &object->last) = member->previous;
	object->count--;
	drop_text(document, member);
	drop_object(document, member);
	pool_free(&document->pool, member, sizeof *member + member->key_len);
}

bool json_document_set_text(struct json_document *document, struct json_member *member, struct slice text)
{
	if (text.len > UINT32_MAX / 2)
		return false;
	/* A text that became much shorter does not keep its memory. */
	if (text.len > member->text_room || text.len + POOL_SMALL_MAX < member->text_room) {
		size_t room = pool_room(text.len);
		char *copy = pool_alloc(&document->pool, room);
		if (!copy)
			return false;
		drop_text(document, member);
		member->text = copy;
		member->text_room = (uint32_t)room;
	}
	drop_object(document, member);
	member->text_len = (uint32_t)text.len;
	memcpy(member->text, text.ptr, text.len);
	return true;
}

struct json_object *json_document_set_object(struct json_document *document, struct json_member *member)
{
	if (member->object)
		return member->object;
	struct json_object *object = pool_alloc(&document->pool, sizeof *object);
	if (!object)
		return NULL;
	*object = (struct json_object){0};
	drop_text(document, member);
	member->object = object;
	return object;
}

void json_object_write(const struct json_object *object, struct buf *out)
{
	const struct json_member *open[WRITE_DEPTH_MAX];
	const struct json_member *at = object->first;
	size_t depth = 0;
	buf_append_char(out, '{');
	for (;;) {
		while (!at && depth) {
			buf_append_char(out, '}');
			at = open[--depth]->next;
			if (at)
				buf_append_char(out, ',');
		}
		if (!at)
			break;
		buf_append_char(out, '"');
		buf_append_slice(out, json_member_key(at));
		if (at->object) {
			buf_append(out, "\":{", 3);
			if (depth == WRITE_DEPTH_MAX) {
				out->failed = true;
				return;
			}
			open[depth++] = at;
			at = at->object->first;
			continue;
		}
		buf_append(out, "\":", 2);
		buf_append_slice(out, json_member_text(at));
		at = at->next;
		if (at)
			buf_append_char(out, ',');
	}
	buf_append_char(out, '}');
}

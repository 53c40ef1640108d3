/* An independent model of the fold for tests: values are small trees with lists that are searched one by one, entities likewise;
 * nothing of the code under test is used. Events are made at random from a seed; what they are and what they print as comes
 * from the same tree, so that nothing here parses. */
#ifndef TESTS_UNIT_HISTORY_FOLD_MODEL_H
#define TESTS_UNIT_HISTORY_FOLD_MODEL_H

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/data/buf.h"
#include "common/protocol/log.h"

#define MODEL_MEMBERS 128
#define UNUSED __attribute__((unused))

/* A value: text as it is spelled, or members. */
struct thing {
	char key[48];     /* as the inside of a JSON string */
	char spelled[64]; /* how the event spells the key */
	char text[64];    /* empty: it has members */
	struct thing *members[MODEL_MEMBERS];
	size_t count;
};

static uint64_t model_state;

static UNUSED unsigned roll(unsigned below)
{
	model_state ^= model_state << 13;
	model_state ^= model_state >> 7;
	model_state ^= model_state << 17;
	return (unsigned)((model_state >> 20) % below);
}

static UNUSED struct thing *thing_new(const char *key, const char *text)
{
	struct thing *thing = calloc(1, sizeof *thing);
	ck_assert_ptr_nonnull(thing);
	snprintf(thing->key, sizeof thing->key, "%s", key);
	snprintf(thing->spelled, sizeof thing->spelled, "%s", key);
	snprintf(thing->text, sizeof thing->text, "%s", text);
	return thing;
}

static UNUSED void thing_free(struct thing *thing)
{
	for (size_t i = 0; thing && i < thing->count; i++)
		thing_free(thing->members[i]);
	free(thing);
}

static UNUSED struct thing *thing_add(struct thing *into, struct thing *member)
{
	ck_assert_uint_lt(into->count, MODEL_MEMBERS);
	into->members[into->count++] = member;
	return member;
}

/* The last of that key, as a parser of duplicates keeps it. */
static UNUSED size_t thing_find(const struct thing *in, const char *key)
{
	size_t found = SIZE_MAX;
	for (size_t i = 0; i < in->count; i++)
		found = strcmp(in->members[i]->key, key) == 0 ? i : found;
	return found;
}

static UNUSED const struct thing *thing_get(const struct thing *in, const char *key)
{
	size_t at = thing_find(in, key);
	return at == SIZE_MAX ? NULL : in->members[at];
}

static UNUSED void thing_remove(struct thing *from, const char *key)
{
	size_t at = thing_find(from, key);
	if (at == SIZE_MAX)
		return;
	thing_free(from->members[at]);
	memmove(from->members + at, from->members + at + 1, (--from->count - at) * sizeof from->members[0]);
}

static UNUSED void thing_clear(struct thing *thing)
{
	while (thing->count)
		thing_free(thing->members[--thing->count]);
}

/* RFC 7396, word by word. */
static UNUSED void thing_merge(struct thing *target, const struct thing *patch)
{
	for (size_t i = 0; i < patch->count; i++) {
		const struct thing *member = patch->members[i];
		if (thing_find(patch, member->key) != i)
			continue;
		if (strcmp(member->text, "null") == 0) {
			thing_remove(target, member->key);
			continue;
		}
		size_t at = thing_find(target, member->key);
		struct thing *mine = at == SIZE_MAX ? thing_add(target, thing_new(member->key, "")) : target->members[at];
		if (*member->text)
			thing_clear(mine);
		snprintf(mine->text, sizeof mine->text, "%s", member->text);
		if (!*member->text)
			thing_merge(mine, member);
	}
}

static UNUSED void thing_print(const struct thing *thing, bool is_event, struct buf *out)
{
	if (*thing->text) {
		buf_append_text(out, thing->text);
		return;
	}
	buf_append_char(out, '{');
	for (size_t i = 0; i < thing->count; i++) {
		const char *space = is_event && roll(6) == 0 ? "\n " : "";
		buf_printf(out, "%s%s\"%s\"%s:%s", i ? "," : "", space,
			   is_event ? thing->members[i]->spelled : thing->members[i]->key, space, space);
		thing_print(thing->members[i], is_event, out);
	}
	buf_append_char(out, '}');
}

static UNUSED const char *random_text(void)
{
	static const char *const texts[] = {"1",     "1.0",  "1e400", "-0",   "true", "\"x\"", "\"\\u0041\"", "[1,null,{\"a\":null}]",
					    "\"\"", "null", "null",  "[]",   "12345678901234567890", "\"a\\\"b\"", "false", "\"\xc3\xa4\""};
	return texts[roll(sizeof texts / sizeof texts[0])];
}

/* Members with few different keys, now and then one twice, sometimes spelled with an escape. */
static UNUSED void grow(struct thing *thing, unsigned depth)
{
	unsigned count = roll(30) == 0 ? 25 : roll(5);
	for (unsigned i = 0; i < count; i++) {
		char key[8];
		unsigned number = roll(count > 20 ? 60 : 6);
		snprintf(key, sizeof key, "k%u", number);
		bool is_object = depth && roll(3) == 0;
		struct thing *member = thing_add(thing, thing_new(key, is_object ? "" : random_text()));
		if (roll(10) == 0)
			snprintf(member->spelled, sizeof member->spelled, "\\u006b%u", number);
		if (is_object)
			grow(member, depth - 1);
	}
}

struct model_event {
	struct record_id id;
	char channel[32];
	struct buf payload;
	struct thing *object; /* NULL: the payload is no object */
};

static UNUSED void put_name(struct thing *payload, const char *key, const char *prefix, unsigned below)
{
	char text[32];
	snprintf(text, sizeof text, "\"%s%u\"", prefix, roll(below));
	thing_add(payload, thing_new(key, roll(12) == 0 ? "7" : roll(12) == 0 ? "\"\"" : roll(12) == 0 ? "null" : text));
}

static UNUSED struct model_event random_event(struct record_id id)
{
	static const char *const kinds[] = {"trace", "agent", "swarm", "performance", "other"};
	static const char *const types[] = {"\"tool.call\"", "\"a.snapshot\"", "\"a.removed\"", "\"a.deleted\"", "\"plain\"", "\"tool.call\"",
					    "\"\\u0061.snapshot\"", "3"};
	static const char *const odd[] = {"", "text", "[1]", "{\"a\":", "\"x\"", "\xff", "5"};
	struct model_event event = {.id = id};
	buf_init(&event.payload);
	snprintf(event.channel, sizeof event.channel, "%s:s%u", kinds[roll(20) == 0 ? 4 : roll(4)], roll(3));
	if (roll(15) == 0) {
		buf_append_text(&event.payload, odd[roll(sizeof odd / sizeof odd[0])]);
		return event;
	}
	struct thing *payload = event.object = thing_new("", "");
	if (roll(4))
		thing_add(payload, thing_new(roll(5) ? "type" : "event", types[roll(sizeof types / sizeof types[0])]));
	static const char *const names[] = {"spanId", "traceId", "agentId", "agent_id", "swarmId", "metric"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (roll(3) == 0)
			put_name(payload, names[i], names[i], 3);
	}
	grow(payload, 2);
	for (unsigned i = 0; i < 2; i++) {
		bool is_object = roll(3) > 0;
		if (roll(2))
			continue;
		struct thing *inner = thing_add(payload, thing_new(i ? "state" : "data", is_object ? "" : random_text()));
		if (is_object)
			grow(inner, 3);
	}
	thing_print(payload, true, &event.payload);
	return event;
}

static UNUSED void model_event_free(struct model_event *event)
{
	buf_fini(&event->payload);
	thing_free(event->object);
}

/* --- The model of the fold --- */

#define MODEL_ENTITIES 200

struct model_entity {
	char id[40], type[48];
	bool is_typed_late; /* its first event had no type: the member stands last */
	struct record_id updated;
	uint64_t count;
	struct thing *value;
};

struct model {
	struct model_entity *entities[4][MODEL_ENTITIES];
	size_t counts[4];
	uint64_t events;
};

static const char *const model_kinds[] = {"agent", "swarm", "trace", "performance"};
static const char *const model_lists[] = {"agents", "swarms", "traces", "performance"};

static UNUSED void model_entity_free(struct model_entity *entity)
{
	thing_free(entity->value);
	free(entity);
}

static UNUSED void model_fini(struct model *model)
{
	for (size_t kind = 0; kind < 4; kind++) {
		while (model->counts[kind])
			model_entity_free(model->entities[kind][--model->counts[kind]]);
	}
}

/* The name that a field gives, without quotes and with the one escape that the events use taken out; false: none. */
static UNUSED bool name_of(const struct thing *payload, const char *key, char ret_name[40])
{
	const struct thing *member = thing_get(payload, key);
	if (!member || !*member->text)
		return false;
	const char *text = member->text;
	if (*text == '"' && text[1] != '"') {
		const char *inside = strncmp(text + 1, "\\u0061", 6) == 0 ? text + 7 : text + 1;
		snprintf(ret_name, 40, "%s%.*s", inside == text + 7 ? "a" : "", (int)(strlen(inside) - 1), inside);
		return true;
	}
	snprintf(ret_name, 40, "%.39s", text);
	return *text >= '0' && *text <= '9';
}

static UNUSED void entity_name_of(size_t kind, const struct model_event *event, char ret_name[40])
{
	static const char *const fields[4][4] = {{"agentId", "agent_id", "agent", NULL}, {"swarmId", NULL}, {"spanId", "traceId", NULL},
						 {"metric", "agentId", "agent_id", "agent"}};
	for (size_t i = 0; i < 4 && fields[kind][i]; i++) {
		if (name_of(event->object, fields[kind][i], ret_name))
			return;
	}
	snprintf(ret_name, 40, "%s", strchr(event->channel, ':') + 1);
}

static UNUSED bool has_end(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static UNUSED struct model_entity *model_entity(struct model *model, size_t kind, const char *id, const char *type)
{
	for (size_t i = 0; i < model->counts[kind]; i++) {
		if (strcmp(model->entities[kind][i]->id, id) == 0)
			return model->entities[kind][i];
	}
	ck_assert_uint_lt(model->counts[kind], MODEL_ENTITIES);
	struct model_entity *entity = calloc(1, sizeof *entity);
	ck_assert_ptr_nonnull(entity);
	snprintf(entity->id, sizeof entity->id, "%s", id);
	entity->is_typed_late = !*type;
	entity->value = thing_new("", "");
	return model->entities[kind][model->counts[kind]++] = entity;
}

static UNUSED void model_remove(struct model *model, size_t kind, const char *id)
{
	for (size_t i = 0; i < model->counts[kind]; i++) {
		struct model_entity **at = &model->entities[kind][i];
		if (strcmp((*at)->id, id) != 0)
			continue;
		model_entity_free(*at);
		memmove(at, at + 1, (--model->counts[kind] - i) * sizeof *at);
		return;
	}
}

static UNUSED void model_add(struct model *model, const struct model_event *event)
{
	char type[40] = "", id[40];
	size_t kind = 0;
	model->events++;
	while (kind < 4 && strncmp(event->channel, model_kinds[kind], strlen(model_kinds[kind])) != 0)
		kind++;
	if (kind == 4 || !event->object)
		return;
	if (!name_of(event->object, "type", type) && !name_of(event->object, "event", type))
		*type = '\0';
	entity_name_of(kind, event, id);
	if (has_end(type, ".removed") || has_end(type, ".deleted")) {
		model_remove(model, kind, id);
		return;
	}
	struct model_entity *entity = model_entity(model, kind, id, type);
	if (*type)
		snprintf(entity->type, sizeof entity->type, "%s", type);
	entity->updated = event->id;
	entity->count++;
	if (has_end(type, ".snapshot"))
		thing_clear(entity->value);
	const struct thing *state = thing_get(event->object, "state"), *data = thing_get(event->object, "data");
	bool has_state = state && !*state->text, has_data = data && !*data->text;
	thing_merge(entity->value, has_state ? state : has_data ? data : event->object);
}

static UNUSED void model_print_entity(const struct model_entity *entity, struct buf *out)
{
	buf_printf(out, "\"%s\":{", entity->id);
	if (*entity->type && !entity->is_typed_late)
		buf_printf(out, "\"type\":\"%s\",", entity->type);
	buf_printf(out, "\"updatedAt\":\"%" PRIu64 "-%" PRIu64 "\",\"count\":%" PRIu64 ",\"value\":", entity->updated.ms,
		   entity->updated.seq, entity->count);
	thing_print(entity->value, false, out);
	if (*entity->type && entity->is_typed_late)
		buf_printf(out, ",\"type\":\"%s\"", entity->type);
	buf_append_char(out, '}');
}

static UNUSED void model_print(const struct model *model, const char *session, const char *since, struct buf *out)
{
	buf_printf(out, "{\"session\":\"%s\",%s", session, since);
	for (size_t kind = 0; kind < 4; kind++) {
		buf_printf(out, "\"%s\":{", model_lists[kind]);
		for (size_t i = 0; i < model->counts[kind]; i++) {
			if (i)
				buf_append_char(out, ',');
			model_print_entity(model->entities[kind][i], out);
		}
		buf_append_text(out, "},");
	}
	buf_printf(out, "\"events\":%" PRIu64 "}", model->events);
}

#endif

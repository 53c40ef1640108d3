#include "common/codec/json_merge.h"
#include "gateway/history/fold_inside.h"

/* One event, taken apart: where its fields stand in the flat payload, 0: it has none of that name. */
struct event {
	struct fold *fold;
	struct json_flat *flat;
	struct slice channel;
	enum record_kind kind;
	uint32_t found[FIELDS];
	bool is_lost; /* for want of memory */
};

static void find_fields(struct event *event)
{
	const struct fold_rules *rules = event->fold->rules;
	const struct json_node *nodes = event->flat->nodes;
	for (uint32_t i = 1; i < nodes[0].end; i = nodes[i].end) {
		if (nodes[i].is_dead || !(rules->marks & fold_mark_of(nodes[i].hash)))
			continue;
		for (size_t j = 0; j < rules->wanted_count; j++) {
			if (rules->wanted[j].hash == nodes[i].hash && slice_equal(rules->wanted[j].name, nodes[i].key))
				event->found[rules->wanted[j].field] = i;
		}
	}
}

/* What can serve as a name: a number, or a string that is not empty (as in gateway/feed/intake.c); its spelling as a key. */
static bool take_name(struct event *event, enum field first, size_t count, struct slice *ret_name)
{
	for (size_t i = 0; i < count; i++) {
		const struct json_node *node = &event->flat->nodes[event->found[first + (enum field)i]];
		*ret_name = node->raw;
		if (node->kind == JSON_NUMBER)
			return true;
		if (node->kind != JSON_STRING || node->raw.len <= 2)
			continue;
		const struct slice inside = {node->raw.ptr + 1, node->raw.len - 2};
		event->is_lost |= !json_key_spell(&event->flat->texts, inside, ret_name);
		return true;
	}
	return false;
}

static bool take_suffix(struct event *event, struct slice *ret_name)
{
	const char *colon = memchr(event->channel.ptr, ':', event->channel.len);
	struct slice suffix = {colon + 1, event->channel.len - (size_t)(colon + 1 - event->channel.ptr)};
	size_t len = json_escape(suffix, NULL);
	char *spelled = arena_alloc(&event->flat->texts, len ? len : 1);
	if (!spelled)
		return false;
	json_escape(suffix, spelled);
	*ret_name = (struct slice){spelled, len};
	return true;
}

/* Which entity of its kind the event is about. False: no memory. */
static bool take_entity(struct event *event, struct slice *ret_name)
{
	size_t agents = event->fold->rules->fields->agent.count;
	switch (event->kind) {
	case RECORD_TRACE:
		if (take_name(event, FIELD_SPAN, 1, ret_name) || take_name(event, FIELD_TRACE, 1, ret_name))
			return true;
		break;
	case RECORD_AGENT:
		if (take_name(event, FIELD_AGENT, agents, ret_name))
			return true;
		break;
	case RECORD_SWARM:
		if (take_name(event, FIELD_SWARM, 1, ret_name))
			return true;
		break;
	default:
		if (take_name(event, FIELD_METRIC, 1, ret_name) || take_name(event, FIELD_AGENT, agents, ret_name))
			return true;
	}
	return take_suffix(event, ret_name);
}

static bool ends_with(struct slice text, struct slice end)
{
	return text.len >= end.len && memcmp(text.ptr + text.len - end.len, end.ptr, end.len) == 0;
}

static uint32_t value_of(const struct event *event)
{
	const struct json_node *nodes = event->flat->nodes;
	if (nodes[event->found[FIELD_STATE]].kind == JSON_OBJECT && event->found[FIELD_STATE])
		return event->found[FIELD_STATE];
	if (nodes[event->found[FIELD_DATA]].kind == JSON_OBJECT && event->found[FIELD_DATA])
		return event->found[FIELD_DATA];
	return 0;
}

static bool set_quoted(struct fold *fold, struct json_member *member, struct slice inside)
{
	struct slice text = json_member_text(member);
	if (text.len == inside.len + 2 && memcmp(text.ptr + 1, inside.ptr, inside.len) == 0)
		return true;
	char *quoted = arena_alloc(&fold->rules->flat.texts, inside.len + 2);
	if (!quoted)
		return false;
	quoted[0] = quoted[inside.len + 1] = '"';
	memcpy(quoted + 1, inside.ptr, inside.len);
	return json_document_set_text(&fold->document, member, (struct slice){quoted, inside.len + 2});
}

static bool count_one(struct fold *fold, struct json_member *member)
{
	char text[24], *at = text + sizeof text;
	struct slice former = json_member_text(member);
	uint64_t number = 1;
	for (uint64_t i = 0, value = 0; i < former.len; i++) {
		value = value * 10 + (uint64_t)(former.ptr[i] - '0');
		number = value + 1;
	}
	for (; number; number /= 10)
		*--at = (char)('0' + number % 10);
	return json_document_set_text(&fold->document, member, (struct slice){at, (size_t)(text + sizeof text - at)});
}

static bool make_entity(struct fold *fold, struct json_member *member, bool has_type, struct entity *ret_entity)
{
	struct json_object *object = json_document_set_object(&fold->document, member);
	if (!object || (has_type && !fold_add_own(fold, object, NAME_TYPE)) || !fold_add_own(fold, object, NAME_UPDATED) ||
	    !fold_add_own_text(fold, object, NAME_COUNT, SLICE_LITERAL("0")))
		return false;
	struct json_member *value = fold_add_own(fold, object, NAME_VALUE);
	return value && json_document_set_object(&fold->document, value) && fold_find_entity(fold, member, ret_entity);
}

static bool update(struct event *event, struct json_member *member, struct slice type, struct record_id id)
{
	struct fold *fold = event->fold;
	struct entity entity;
	char updated[RECORD_ID_TEXT + 2];
	bool is_there = member->object && fold_find_entity(fold, member, &entity);
	if (!is_there && !make_entity(fold, member, type.len > 0, &entity))
		return false;
	if (type.len && !entity.type)
		entity.type = fold_add_own(fold, entity.object, NAME_TYPE);
	if (type.len && (!entity.type || !set_quoted(fold, entity.type, type)))
		return false;
	if (ends_with(type, SLICE_LITERAL(".snapshot")))
		json_document_clear(&fold->document, entity.value->object);
	return json_document_set_text(&fold->document, entity.updated, fold_quote_id(updated, id)) &&
	       count_one(fold, entity.count) &&
	       json_merge(&fold->document, entity.value->object, event->flat, value_of(event));
}

/* False: no memory. */
static bool take_in(struct event *event, struct record_id id)
{
	struct fold *fold = event->fold;
	struct json_object *entities = fold->kinds[event->kind]->object;
	struct slice name, type = SLICE_NONE;
	find_fields(event);
	if (!take_name(event, FIELD_TYPE, fold->rules->fields->type.count, &type))
		type = SLICE_NONE;
	if (!take_entity(event, &name) || event->is_lost)
		return false;
	uint32_t hash = json_key_hash(name, fold->rules->seed);
	struct json_member *member = json_object_find(entities, name, hash, entities->last);
	if (ends_with(type, SLICE_LITERAL(".removed")) || ends_with(type, SLICE_LITERAL(".deleted"))) {
		if (member)
			json_document_remove(&fold->document, entities, member);
		return true;
	}
	if (!member)
		member = json_document_add(&fold->document, entities, name, hash);
	return member && update(event, member, type, id);
}

enum err fold_add(struct fold *fold, struct record_id id, struct slice channel, struct slice payload)
{
	struct event event = {
	    .fold = fold, .flat = &fold->rules->flat, .channel = channel, .kind = record_kind_of(channel)};
	fold->at = id;
	fold->events++;
	fold->new_events++;
	fold->new_bytes += payload.len;
	if (event.kind == RECORD_SYSTEM || event.kind == RECORD_OTHER)
		return OK;
	enum err error = json_flat_read(event.flat, payload, INTAKE_DEPTH_MAX);
	if (error == ERR_INVALID)
		return OK;
	if (!error && event.flat->nodes[0].kind == JSON_OBJECT && !take_in(&event, id))
		error = fold->document.pool.was_full ? ERR_LIMIT : ERR_NOMEM;
	return error;
}

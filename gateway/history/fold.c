#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/json_merge.h"
#include "gateway/history/fold_inside.h"

static const struct slice own_names[NAMES] = {
    [NAME_SESSION] = SLICE_LITERAL("session"),
    [NAME_SINCE] = SLICE_LITERAL("since"),
    [NAME_EVENTS] = SLICE_LITERAL("events"),
    [NAME_TYPE] = SLICE_LITERAL("type"),
    [NAME_UPDATED] = SLICE_LITERAL("updatedAt"),
    [NAME_COUNT] = SLICE_LITERAL("count"),
    [NAME_VALUE] = SLICE_LITERAL("value"),
    [NAME_KINDS + RECORD_TRACE] = SLICE_LITERAL("traces"),
    [NAME_KINDS + RECORD_AGENT] = SLICE_LITERAL("agents"),
    [NAME_KINDS + RECORD_SWARM] = SLICE_LITERAL("swarms"),
    [NAME_KINDS + RECORD_PERFORMANCE] = SLICE_LITERAL("performance"),
};
static const enum record_kind kinds_in_order[] = {RECORD_AGENT, RECORD_SWARM, RECORD_TRACE, RECORD_PERFORMANCE};
#define KINDS (sizeof kinds_in_order / sizeof kinds_in_order[0])

static void want(struct fold_rules *rules, struct slice name, enum field field)
{
	uint32_t hash = json_key_hash(name, rules->seed);
	rules->wanted[rules->wanted_count].name = name;
	rules->wanted[rules->wanted_count].hash = hash;
	rules->wanted[rules->wanted_count++].field = field;
	rules->marks |= fold_mark_of(hash);
}

static void want_all(struct fold_rules *rules, const struct intake_names *names, enum field first)
{
	for (size_t i = 0; i < names->count; i++)
		want(rules, names->names[i], first + (enum field)i);
}

struct fold_rules *fold_rules_new(const struct intake_fields *fields, uint64_t seed)
{
	struct fold_rules *rules = calloc(1, sizeof *rules);
	if (!rules)
		return NULL;
	rules->fields = fields;
	rules->seed = seed;
	for (size_t i = 0; i < NAMES; i++)
		rules->own_hashes[i] = json_key_hash(own_names[i], seed);
	want_all(rules, &fields->type, FIELD_TYPE);
	want_all(rules, &fields->agent, FIELD_AGENT);
	want(rules, SLICE_LITERAL("spanId"), FIELD_SPAN);
	want(rules, SLICE_LITERAL("traceId"), FIELD_TRACE);
	want(rules, SLICE_LITERAL("swarmId"), FIELD_SWARM);
	want(rules, SLICE_LITERAL("metric"), FIELD_METRIC);
	want(rules, SLICE_LITERAL("state"), FIELD_STATE);
	want(rules, SLICE_LITERAL("data"), FIELD_DATA);
	json_flat_init(&rules->flat, seed);
	return rules;
}

void fold_rules_free(struct fold_rules *rules)
{
	if (!rules)
		return;
	json_flat_fini(&rules->flat);
	free(rules);
}

struct json_member *fold_find_own(const struct fold *fold, const struct json_object *object, enum own_name name,
                                    struct json_member *hint)
{
	return json_object_find(object, own_names[name], fold->rules->own_hashes[name], hint);
}

struct json_member *fold_add_own(struct fold *fold, struct json_object *object, enum own_name name)
{
	return json_document_add(&fold->document, object, own_names[name], fold->rules->own_hashes[name]);
}

bool fold_add_own_text(struct fold *fold, struct json_object *object, enum own_name name, struct slice text)
{
	struct json_member *member = fold_add_own(fold, object, name);
	return member && json_document_set_text(&fold->document, member, text);
}

struct slice fold_quote_id(char quoted[RECORD_ID_TEXT + 2], struct record_id id)
{
	size_t len = record_id_write(quoted + 1, id);
	quoted[0] = quoted[len + 1] = '"';
	return (struct slice){quoted, len + 2};
}

static bool add_session(struct fold *fold, struct slice session)
{
	struct buf quoted;
	buf_init(&quoted);
	json_append_string(&quoted, session);
	bool is_added = !buf_has_failed(&quoted) &&
	                fold_add_own_text(fold, &fold->document.root, NAME_SESSION, buf_slice(&quoted));
	buf_fini(&quoted);
	return is_added;
}

/* The number of events gets room for any, so that writing it needs no memory. */
static bool add_count(struct fold *fold)
{
	fold->count = fold_add_own(fold, &fold->document.root, NAME_EVENTS);
	return fold->count && json_document_set_text(&fold->document, fold->count, SLICE_LITERAL("18446744073709551615"));
}

static bool lay_out(struct fold *fold, struct slice session)
{
	struct json_object *root = &fold->document.root;
	char since[RECORD_ID_TEXT + 2];
	if (!add_session(fold, session))
		return false;
	if (!record_id_is_zero(fold->since) && !fold_add_own_text(fold, root, NAME_SINCE, fold_quote_id(since, fold->since)))
		return false;
	for (size_t i = 0; i < KINDS; i++) {
		struct json_member *kind = fold_add_own(fold, root, NAME_KINDS + (enum own_name)kinds_in_order[i]);
		if (!kind || !json_document_set_object(&fold->document, kind))
			return false;
		fold->kinds[kinds_in_order[i]] = kind;
	}
	return add_count(fold);
}

static struct fold *make(struct fold_rules *rules, size_t limit_bytes)
{
	struct fold *fold = calloc(1, sizeof *fold);
	if (!fold)
		return NULL;
	fold->rules = rules;
	json_document_init(&fold->document, limit_bytes, rules->seed);
	return fold;
}

struct fold *fold_new(struct fold_rules *rules, size_t limit_bytes, struct slice session, struct record_id since, uint64_t skipped)
{
	struct fold *fold = make(rules, limit_bytes);
	if (!fold)
		return NULL;
	fold->since = since;
	fold->skipped = skipped;
	if (lay_out(fold, session))
		return fold;
	fold_free(fold);
	return NULL;
}

void fold_free(struct fold *fold)
{
	if (!fold)
		return;
	json_document_fini(&fold->document);
	free(fold);
}

void fold_mark(struct fold *fold)
{
	fold->new_events = 0;
	fold->new_bytes = 0;
}

size_t fold_bytes(const struct fold *fold)
{
	return sizeof *fold + fold->document.pool.bytes;
}

void fold_write(struct fold *fold, struct buf *out)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%" PRIu64, fold->events);
	bool is_set = json_document_set_text(&fold->document, fold->count, (struct slice){text, (size_t)len});
	if (!is_set)
		out->failed = true;
	json_object_write(&fold->document.root, out);
}

bool fold_find_entity(const struct fold *fold, const struct json_member *member, struct entity *ret_entity)
{
	struct entity entity = {.object = member->object};
	if (!entity.object)
		return false;
	entity.type = fold_find_own(fold, entity.object, NAME_TYPE, entity.object->first);
	entity.updated = fold_find_own(fold, entity.object, NAME_UPDATED, entity.type ? entity.type->next : entity.object->first);
	entity.count = fold_find_own(fold, entity.object, NAME_COUNT, entity.updated ? entity.updated->next : NULL);
	entity.value = fold_find_own(fold, entity.object, NAME_VALUE, entity.count ? entity.count->next : NULL);
	*ret_entity = entity;
	return entity.updated && entity.count && entity.value && entity.value->object;
}

static bool is_number(const struct json_member *member)
{
	struct slice text = json_member_text(member);
	if (member->object || !text.len || text.len > 20)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	}
	return true;
}

static bool are_entities(const struct fold *fold, const struct json_member *kind)
{
	struct entity entity;
	if (!kind || !kind->object)
		return false;
	for (const struct json_member *at = kind->object->first; at; at = at->next) {
		if (!fold_find_entity(fold, at, &entity) || entity.updated->object || !is_number(entity.count) ||
		    (entity.type && entity.type->object))
			return false;
	}
	return true;
}

static bool has_session(const struct fold *fold, struct slice session)
{
	const struct json_member *member = fold_find_own(fold, &fold->document.root, NAME_SESSION, NULL);
	if (!member || member->object || member->text_len < 2)
		return false;
	struct buf quoted;
	buf_init(&quoted);
	json_append_string(&quoted, session);
	bool is_same = slice_equal(buf_slice(&quoted), json_member_text(member));
	buf_fini(&quoted);
	return is_same;
}

static bool read_since(struct fold *fold)
{
	const struct json_member *member = fold_find_own(fold, &fold->document.root, NAME_SINCE, NULL);
	if (!member)
		return true;
	struct slice text = json_member_text(member);
	return !member->object && text.len > 2 && text.ptr[0] == '"' &&
	       record_id_parse((struct slice){text.ptr + 1, text.len - 2}, &fold->since) == OK;
}

/* Whether the document is one that a fold wrote; finds what the fold keeps of it. */
static bool recognise(struct fold *fold, struct slice session)
{
	const struct json_object *root = &fold->document.root;
	fold->count = fold_find_own(fold, root, NAME_EVENTS, NULL);
	if (!fold->count || !is_number(fold->count) || !has_session(fold, session) || !read_since(fold))
		return false;
	for (size_t i = 0; i < KINDS; i++) {
		enum record_kind kind = kinds_in_order[i];
		fold->kinds[kind] = fold_find_own(fold, root, NAME_KINDS + (enum own_name)kind, NULL);
		if (!are_entities(fold, fold->kinds[kind]))
			return false;
	}
	struct slice text = json_member_text(fold->count);
	for (size_t i = 0; i < text.len; i++)
		fold->events = fold->events * 10 + (uint64_t)(text.ptr[i] - '0');
	return root->count == KINDS + 2 + !record_id_is_zero(fold->since);
}

static enum err read_document(struct json_document *document, struct json_flat *flat, struct slice state)
{
	enum err error = json_flat_read(flat, state, JSON_DEPTH_MAX);
	if (error)
		return error;
	if (flat->nodes[0].kind != JSON_OBJECT)
		return ERR_INVALID;
	if (json_merge(document, &document->root, flat, 0))
		return OK;
	return document->pool.was_full ? ERR_LIMIT : ERR_NOMEM;
}

enum err fold_read(struct fold_rules *rules, size_t limit_bytes, struct slice session, struct slice state, struct record_id at,
                   uint64_t skipped, struct fold **ret_fold)
{
	struct fold *fold = make(rules, limit_bytes);
	if (!fold)
		return ERR_NOMEM;
	fold->at = at;
	fold->skipped = skipped;
	enum err error = read_document(&fold->document, &rules->flat, state);
	if (!error && !recognise(fold, session))
		error = ERR_INVALID;
	/* Room for any number, as in a fold from the beginning. */
	if (!error && !json_document_set_text(&fold->document, fold->count, SLICE_LITERAL("18446744073709551615")))
		error = ERR_NOMEM;
	if (error)
		fold_free(fold);
	else
		*ret_fold = fold;
	return error;
}

enum err fold_diff(struct fold_rules *rules, struct slice from, struct slice to, struct buf *out)
{
	struct json_document documents[2];
	const struct slice states[2] = {from, to};
	enum err error = OK;
	for (size_t i = 0; i < 2; i++) {
		json_document_init(&documents[i], SIZE_MAX, rules->seed);
		if (!error)
			error = read_document(&documents[i], &rules->flat, states[i]);
	}
	if (!error)
		json_diff(&documents[0].root, &documents[1].root, out);
	if (!error && buf_has_failed(out))
		error = ERR_NOMEM;
	json_document_fini(&documents[0]);
	json_document_fini(&documents[1]);
	return error;
}

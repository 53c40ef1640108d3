#include "common/codec/json_merge.h"

static bool set_array(struct json_document *document, struct json_member *member, const struct json_flat *patch,
                      size_t at)
{
	struct buf text;
	buf_init(&text);
	json_flat_write(patch, at, &text);
	bool is_set = !buf_has_failed(&text) && json_document_set_text(document, member, buf_slice(&text));
	buf_fini(&text);
	return is_set;
}

static bool set_member(struct json_document *document, struct json_member *member, const struct json_flat *patch,
                       size_t at)
{
	const struct json_node *node = &patch->nodes[at];
	if (node->kind == JSON_ARRAY)
		return set_array(document, member, patch, at);
	if (node->kind != JSON_OBJECT)
		return json_document_set_text(document, member, node->raw);
	struct json_object *inner = json_document_set_object(document, member);
	return inner && json_merge(document, inner, patch, at);
}

/* As deep as the patch is: its reader bounded that. Publishers send the same members in the same order again and again, so
 * the one behind the last is looked at first. */
bool json_merge(struct json_document *document, struct json_object *object, const struct json_flat *patch, size_t at)
{
	struct json_member *hint = object->first;
	for (size_t i = at + 1; i < patch->nodes[at].end; i = patch->nodes[i].end) {
		const struct json_node *node = &patch->nodes[i];
		if (node->is_dead)
			continue;
		struct json_member *member = json_object_find(object, node->key, node->hash, hint);
		if (node->kind == JSON_NULL) {
			if (!member)
				continue;
			hint = member->next;
			json_document_remove(document, object, member);
			continue;
		}
		if (!member)
			member = json_document_add(document, object, node->key, node->hash);
		if (!member || !set_member(document, member, patch, i))
			return false;
		hint = member->next;
	}
	return true;
}

struct difference {
	struct buf *out;
	bool is_first; /* nothing was written into the innermost object yet */
};

static void write_key(struct difference *difference, const struct json_member *member)
{
	if (!difference->is_first)
		buf_append_char(difference->out, ',');
	difference->is_first = false;
	buf_append_char(difference->out, '"');
	buf_append_slice(difference->out, json_member_key(member));
	buf_append(difference->out, "\":", 2);
}

static struct json_member *find(const struct json_object *object, const struct json_member *like, struct json_member *hint)
{
	return json_object_find(object, json_member_key(like), like->hash, hint);
}

static void write_difference(struct difference *difference, const struct json_object *from, const struct json_object *to);

/* What was changed inside: written only if anything was. */
static void write_inner(struct difference *difference, const struct json_member *from, const struct json_member *to)
{
	struct difference inner = {.out = difference->out, .is_first = true}, before = *difference;
	size_t start = difference->out->len;
	write_key(difference, to);
	size_t opened = difference->out->len;
	buf_append_char(difference->out, '{');
	write_difference(&inner, from->object, to->object);
	buf_append_char(difference->out, '}');
	if (difference->out->len == opened + 2) {
		difference->out->len = start;
		*difference = before;
	}
}

static void write_member(struct difference *difference, const struct json_member *from, const struct json_member *to)
{
	if (from && from->object && to->object) {
		write_inner(difference, from, to);
		return;
	}
	if (from && !from->object && !to->object && slice_equal(json_member_text(from), json_member_text(to)))
		return;
	write_key(difference, to);
	if (to->object)
		json_object_write(to->object, difference->out);
	else
		buf_append_slice(difference->out, json_member_text(to));
}

static void write_difference(struct difference *difference, const struct json_object *from, const struct json_object *to)
{
	struct json_member *hint = to->first;
	for (const struct json_member *at = from->first; at; at = at->next) {
		const struct json_member *kept = find(to, at, hint);
		hint = kept ? kept->next : hint;
		if (kept)
			continue;
		write_key(difference, at);
		buf_append(difference->out, "null", 4);
	}
	hint = from->first;
	for (const struct json_member *at = to->first; at; at = at->next) {
		struct json_member *former = find(from, at, hint);
		hint = former ? former->next : hint;
		write_member(difference, former, at);
	}
}

void json_diff(const struct json_object *from, const struct json_object *to, struct buf *out)
{
	struct difference difference = {.out = out, .is_first = true};
	buf_append_char(out, '{');
	write_difference(&difference, from, to);
	buf_append_char(out, '}');
}

#include "gateway/auth/rights.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_BYTES 40

static const struct {
	const char *name;
	enum grant_op op;
} op_names[] = {
    {"subscribe", GRANT_SUBSCRIBE}, {"history", GRANT_HISTORY}, {"state", GRANT_STATE},
    {"replay", GRANT_REPLAY},       {"publish", GRANT_PUBLISH},
};

bool rights_is_member(struct slice name)
{
	static const char *const members[] = {"channels", "sessions", "agents", "ops", "limits"};
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		if (slice_is(name, members[i]))
			return true;
	}
	return false;
}

bool rights_is_identity(struct slice name)
{
	return name.len > 0 && name.len <= RIGHTS_IDENTITY_MAX && !slice_has_control(name);
}

PRINTF_LIKE(4, 5)
static enum err refuse(struct filter_error *ret_error, enum err error, const char *where, const char *format, ...)
{
	va_list arguments;
	snprintf(ret_error->where, sizeof ret_error->where, "%s", where);
	va_start(arguments, format);
	vsnprintf(ret_error->message, sizeof ret_error->message, format, arguments);
	va_end(arguments);
	return error;
}

static int shown(struct slice text)
{
	return text.len < SHOWN_BYTES ? (int)text.len : SHOWN_BYTES;
}

static enum err find_op(struct slice name, size_t at, unsigned *ret_op, struct filter_error *ret_error)
{
	char where[32];
	for (size_t i = 0; i < sizeof op_names / sizeof op_names[0]; i++) {
		if (slice_is(name, op_names[i].name)) {
			*ret_op = op_names[i].op;
			return OK;
		}
	}
	snprintf(where, sizeof where, "ops[%zu]", at);
	return refuse(ret_error, ERR_INVALID, where, "no such op; subscribe, history, state, replay and publish are");
}

static enum err read_ops(const struct value *list, unsigned *ret_ops, struct filter_error *ret_error)
{
	unsigned ops = 0, op = 0;
	size_t at = 0;
	if (!list)
		return OK;
	if (list->kind != VALUE_ARRAY)
		return refuse(ret_error, ERR_INVALID, "ops", "must be an array of strings, not %s",
		              value_kind_name(list->kind));
	for (const struct value *entry = list->list.first; entry; entry = entry->next, at++) {
		enum err error = find_op(entry->kind == VALUE_STRING ? entry->text : SLICE_NONE, at, &op, ret_error);
		if (error != OK)
			return error;
		ops |= op;
	}
	*ret_ops = ops;
	return OK;
}

static enum err read_limits(const struct value *map, struct grant_limits *limits, struct filter_error *ret_error)
{
	if (!map)
		return OK;
	if (map->kind != VALUE_MAP)
		return refuse(ret_error, ERR_INVALID, "limits", "must be an object, not %s",
		              value_kind_name(map->kind));
	for (const struct value *member = map->list.first; member; member = member->next) {
		int limit = 0;
		while (limit < LIMITS && !slice_is(member->key, grant_limit_names[limit]))
			limit++;
		if (limit == LIMITS)
			return refuse(ret_error, ERR_INVALID, "limits", "there is no limit \"%.*s\"",
			              shown(member->key), member->key.ptr);
		if (member->kind != VALUE_UINT || member->uint > RIGHTS_LIMIT_MAX)
			return refuse(ret_error, ERR_INVALID, "limits", "%s must be a whole number from 0 to %llu",
			              grant_limit_names[limit], (unsigned long long)RIGHTS_LIMIT_MAX);
		limits->is_set[limit] = true;
		limits->value[limit] = member->uint;
	}
	return OK;
}

/* Of a list that filter_compile() took: strings only. */
static enum err copy_list(struct arena *arena, const struct value *list, struct slice **ret_items, size_t *ret_count)
{
	if (!list)
		return OK;
	struct slice *items = arena_alloc(arena, list->list.count * sizeof *items);
	size_t count = 0;
	if (!items)
		return ERR_NOMEM;
	for (const struct value *entry = list->list.first; entry; entry = entry->next, count++) {
		items[count] = (struct slice){arena_copy(arena, entry->text.ptr, entry->text.len), entry->text.len};
		if (!items[count].ptr)
			return ERR_NOMEM;
	}
	*ret_items = items;
	*ret_count = count;
	return OK;
}

/* The filter's error speaks of its own members, "filter.session[2]"; here they are "sessions[2]". */
static void rename_where(struct filter_error *error)
{
	static const struct {
		const char *theirs, *ours;
	} names[] = {{"filter.session", "sessions"}, {"filter.agent", "agents"}};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t len = strlen(names[i].theirs);
		char renamed[sizeof error->where + 8];
		if (!slice_begins_with(slice_of(error->where), slice_of(names[i].theirs)))
			continue;
		snprintf(renamed, sizeof renamed, "%s%s", names[i].ours, error->where + len);
		snprintf(error->where, sizeof error->where, "%.*s", (int)sizeof error->where - 1, renamed);
	}
}

static struct value *put_copy(struct arena *scratch, struct value *map, const char *name, const struct value *list)
{
	return list ? value_put(map, name, value_copy(scratch, list)) : map;
}

/* A list of channels is taken as it is: the credential may be for other gateways too, and system:* is no pattern that
 * any publisher is served by. Without one, what is served is the scope. */
static enum err compile_scope(const struct value *map, struct filter_patterns served, struct arena *scratch,
                              struct grants *grants, struct filter_error *ret_error)
{
	const struct value *channels = value_get(map, "channels"), *sessions = value_get(map, "sessions"),
	                   *agents = value_get(map, "agents");
	if (!channels && !sessions && !agents)
		return OK;
	struct value *filter = put_copy(scratch, value_map(scratch), "session", sessions);
	filter = put_copy(scratch, filter, "agent", agents);
	if (!filter)
		return refuse(ret_error, ERR_NOMEM, "", "out of memory");
	enum err error = filter_compile(channels, filter, channels ? (struct filter_patterns){NULL, 0} : served,
	                                &grants->scope, ret_error);
	if (error != OK) {
		rename_where(ret_error);
		return error;
	}
	error = copy_list(&grants->arena, channels, &grants->channels, &grants->channel_count);
	if (error == OK)
		error = copy_list(&grants->arena, sessions, &grants->sessions, &grants->session_count);
	if (error == OK)
		error = copy_list(&grants->arena, agents, &grants->agents, &grants->agent_count);
	return error == OK ? OK : refuse(ret_error, error, "", "out of memory");
}

static bool names_system(const struct grants *grants)
{
	for (size_t i = 0; i < grants->channel_count; i++) {
		if (slice_begins_with(grants->channels[i], SLICE_LITERAL(FILTER_SYSTEM_PREFIX)))
			return true;
	}
	return false;
}

enum err rights_read(const struct value *map, struct filter_patterns served, struct arena *scratch,
                     struct grants *grants, struct filter_error *ret_error)
{
	enum err error = compile_scope(map, served, scratch, grants, ret_error);
	if (error == OK)
		error = read_ops(value_get(map, "ops"), &grants->ops, ret_error);
	if (error == OK)
		error = read_limits(value_get(map, "limits"), &grants->limits, ret_error);
	grants->has_system = names_system(grants);
	return error;
}

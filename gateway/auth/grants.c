#include "gateway/auth/grants.h"

#include <stdlib.h>

#include "gateway/filter/filter.h"

/* Claims come in a request head or a key file, which are bounded; this is for their lists and texts. */
#define ARENA_BYTES_MAX ((size_t)1 << 20)

const char *const grant_limit_names[LIMITS] = {
	[LIMIT_EVENTS_PER_SECOND] = "eventsPerSecond",
	[LIMIT_COMMANDS_PER_SECOND] = "commandsPerSecond",
	[LIMIT_HISTORY_EVENTS_PER_SECOND] = "historyEventsPerSecond",
	[LIMIT_SUBSCRIPTIONS] = "subscriptions",
	[LIMIT_REQUESTS] = "requests",
	[LIMIT_CONNECTIONS] = "connections",
};

struct grants *grants_new(struct slice identity)
{
	struct grants *grants = calloc(1, sizeof *grants);
	if (!grants)
		return NULL;
	refcount_init(&grants->refs);
	arena_init(&grants->arena, ARENA_BYTES_MAX);
	grants->ops = GRANT_ALL;
	grants->identity = (struct slice){arena_copy(&grants->arena, identity.ptr, identity.len), identity.len};
	if (grants->identity.ptr)
		return grants;
	grants_unref(grants);
	return NULL;
}

struct grants *grants_ref(struct grants *grants)
{
	refcount_take(&grants->refs);
	return grants;
}

void grants_unref(struct grants *grants)
{
	if (!grants || !refcount_drop(&grants->refs))
		return;
	filter_unref(grants->scope);
	arena_fini(&grants->arena);
	free(grants);
}

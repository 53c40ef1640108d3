#include "gateway/auth/grants.h"

#include <stdlib.h>
#include <string.h>

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
	struct grants *grants = calloc(1, sizeof *grants + identity.len);
	if (!grants)
		return NULL;
	refcount_init(&grants->refs);
	arena_init(&grants->arena, ARENA_BYTES_MAX);
	grants->ops = GRANT_ALL;
	if (identity.len)
		memcpy(grants->identity_bytes, identity.ptr, identity.len);
	grants->identity = (struct slice){grants->identity_bytes, identity.len};
	return grants;
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

#include <stdlib.h>

#include "gateway/filter/filter_parts.h"

/* Two canonical texts and what stands between them; each is bounded by the arena of its own filter. */
#define ARENA_BYTES_MAX ((size_t)64 << 20)

/* "<the wish's>within<length>:<the scope's>": no filter's own text ends like that. */
static bool write_canonical(struct filter *both)
{
	struct buf text;
	buf_init(&text);
	buf_append_slice(&text, both->wish->canonical);
	buf_append_text(&text, "within");
	canonical_text(&text, both->scope->canonical);
	both->canonical = (struct slice){arena_copy(&both->arena, text.bytes, text.len), text.len};
	bool is_written = !buf_has_failed(&text) && both->canonical.ptr;
	buf_fini(&text);
	return is_written;
}

struct filter *filter_within(struct filter *wish, struct filter *scope)
{
	struct filter *both = calloc(1, sizeof *both);
	if (!both)
		return NULL;
	refcount_init(&both->refs);
	arena_init(&both->arena, ARENA_BYTES_MAX);
	both->wish = filter_ref(wish);
	both->scope = filter_ref(scope);
	if (write_canonical(both))
		return both;
	filter_unref(both);
	return NULL;
}

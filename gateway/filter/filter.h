/* A filter says which records a subscription wants: channels (globs), sets of sessions, agents and types (types may be
 * globs), and conditions over the payload. Lists are ORs, keys are ANDed (docs/protocol.md). Compiled once, immutable,
 * counted; its canonical text is equal exactly for filters that mean the same lists, whatever their order and doubles. */
#ifndef GATEWAY_FILTER_FILTER_H
#define GATEWAY_FILTER_FILTER_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/protocol/record.h"
#include "common/protocol/value.h"

#define FILTER_CHANNELS_MAX 256
#define FILTER_LIST_MAX 1024
#define FILTER_WHERE_MAX 32

struct filter;

/* Which part could not be compiled and why: "filter.where[1].op" "unknown operator \"=~\"; one of ..." */
struct filter_error {
	char where[96];
	char message[192];
};

/* channels: an array of strings, or NULL for default_patterns. filter: a map as in the protocol, or NULL for everything.
 * allowed_patterns (the channels the gateway serves, as configured): a channel glob that starts with no kind of theirs is
 * refused, since it could never match. The values may be freed afterwards. ERR_INVALID, ERR_LIMIT: ret_error is set. */
struct filter_patterns {
	const struct slice *patterns;
	size_t count;
};
enum err filter_compile(const struct value *channels, const struct value *filter, struct filter_patterns served,
			struct filter **ret_filter, struct filter_error *ret_error) MUST_USE;
struct filter *filter_ref(struct filter *filter);
void filter_unref(struct filter *filter); /* NULL is fine */

bool filter_match(const struct filter *filter, const struct record *record);
struct slice filter_canonical(const struct filter *filter); /* lives as long as the filter */

#endif

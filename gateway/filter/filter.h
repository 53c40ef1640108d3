/* A filter says which records a subscription wants: channels (globs), sets of sessions, agents and types (types may be
 * globs), and conditions over the payload. Lists are ORs, keys are ANDed (docs/protocol.md). Compiled once, immutable,
 * counted; its canonical text is equal exactly for filters that mean the same lists, whatever their order and doubles. */
#ifndef GATEWAY_FILTER_FILTER_H
#define GATEWAY_FILTER_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/protocol/record.h"
#include "common/protocol/value.h"

#define FILTER_CHANNELS_MAX 256
#define FILTER_LIST_MAX 1024
#define FILTER_WHERE_MAX 32

/* Conditions: {"path":<JSON Pointer>,"op":...,"value":...}. What each operator asks of what the pointer names:
 *   == != in           equal, unequal, equal to one of an array of values. Values are strings, numbers, booleans and null;
 *                      nothing of another kind equals them, arrays and objects cannot be asked for.
 *   < <= > >=          numbers with numbers, strings with strings (by bytes); all else does not match.
 *   contains           a string that holds the value, or an array with an element equal to it.
 *   prefix, glob       a string that starts with the value, or matches it as a whole (glob.h).
 *   exists             there is something there (null too); with value false: nothing. Left out, the value is true.
 * Numbers compare by their exact value whatever their spelling, strings unescaped. Where the pointer names nothing only
 * exists:false matches: != means present and different. A payload that is not JSON matches no condition at all.
 *
 * Entries of lists are strings, neither empty nor above 1024 bytes, and no list is empty. A record without a type matches
 * no list of types, not even "*".
 *
 * Records of the gateway's own channels, system:*, are wanted only by a filter that names them: one of its channels begins with
 * just that, letter by letter. So no glob meets them by chance, and they are no part of what is wanted by default. */
#define FILTER_SYSTEM_PREFIX "system:"
struct filter;

/* Which part could not be compiled and why: "filter.where[1].op" "unknown operator \"=~\"; one of ..." */
struct filter_error {
	char where[96];
	char message[192];
};

/* channels: an array of strings, or NULL for all that is served. filter: a map as in the protocol, or NULL for everything.
 * served (the channels the gateway serves, as configured): a channel that none of them can overlap is
 * refused, since it could never match; no patterns: nothing is refused. The values may be freed afterwards. ERR_INVALID, ERR_LIMIT: ret_error is set. */
struct filter_patterns {
	const struct slice *patterns;
	size_t count;
};
enum err filter_compile(const struct value *channels, const struct value *filter, struct filter_patterns served,
			struct filter **ret_filter, struct filter_error *ret_error) MUST_USE;
/* The conjunction: what both match. Its canonical text is that of wish with scope's behind it, so equal pairs are equal; the index
 * files it under the most selective key of the two. filter_single_session() and whatever else asks about a filter asks both. Gives a
 * reference to a new filter that holds references to both. NULL: no memory. */
struct filter *filter_within(struct filter *wish, struct filter *scope) MUST_USE;
struct filter *filter_ref(struct filter *filter);
void filter_unref(struct filter *filter); /* NULL is fine */

bool filter_wants_system(const struct filter *filter); /* it names channels of system:*; of a conjunction: the wish does */
struct filter *filter_wish(struct filter *filter); /* of a conjunction the wish, else the filter itself; borrowed */
bool filter_match(const struct filter *filter, const struct record *record);
/* True: it wants records of this one session only; the slice lives as long as the filter. */
bool filter_single_session(const struct filter *filter, struct slice *ret_session);
/* True: it wants records of these sessions only, as many as ret_count says; 0: it wants nothing at all. They live as long as the filter.
 * False: it names none, or more than max. */
bool filter_sessions(const struct filter *filter, struct slice *ret_sessions, size_t max, size_t *ret_count);
bool filter_allows_session(const struct filter *filter, struct slice session); /* no list of sessions keeps it out */
struct slice filter_canonical(const struct filter *filter); /* lives as long as the filter */

#endif

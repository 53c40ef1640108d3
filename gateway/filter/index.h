/* The index finds the filters that want a record, at a cost that depends on who wants it, not on how many filters there
 * are: each filter is filed under its most selective exact key (session, agent, channel, type; else the rest list) and a
 * record looks up its own keys only. Owned by one worker; not thread-safe. */
#ifndef GATEWAY_FILTER_INDEX_H
#define GATEWAY_FILTER_INDEX_H

#include <stddef.h>

#include "common/base/err.h"
#include "gateway/filter/filter.h"

struct index;
struct index_member; /* one filter's place; owned by the index */

typedef void index_hit(void *owner, const struct record *record, void *context);

struct index *index_new(void) MUST_USE;
void index_free(struct index *index); /* must be empty */

/* Files owner under the filter; the index holds a reference to it. NULL: no memory. */
struct index_member *index_add(struct index *index, struct filter *filter, void *owner) MUST_USE;
void index_remove(struct index *index, struct index_member *member);
size_t index_count(const struct index *index);

/* Calls hit for each owner whose filter matches the record, each once, in no promised order. hit must not add or remove. */
void index_match(struct index *index, const struct record *record, index_hit *hit, void *context);

#endif

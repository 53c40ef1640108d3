/* A conflation keeps, for a client that is behind, the newest record of each channel and agent, in the order of their
 * arrival. Bounded in bytes: beyond the limit the oldest go. Owned by its subscription, same thread. */
#ifndef GATEWAY_SESSION_CONFLATION_H
#define GATEWAY_SESSION_CONFLATION_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/protocol/record.h"

struct conflation;

struct conflation *conflation_new(size_t limit_bytes) MUST_USE; /* NULL: no memory */
void conflation_free(struct conflation *conflation);            /* NULL is fine */

/* Keeps the record (takes a reference) and gives the number of records that are gone for it: the older one of its key,
 * those that the limit pushed out, or the record itself when memory is out. */
size_t conflation_put(struct conflation *conflation, struct record *record);
/* The oldest of what is kept, its reference given to the caller; NULL: empty. */
struct record *conflation_take(struct conflation *conflation);
size_t conflation_count(const struct conflation *conflation);

#endif

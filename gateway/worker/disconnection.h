/* An operator's order on its way through the workers: each ends what it is about and says how many that were. Counted, since whoever
 * waits for the outcome may be gone before the last worker comes to it. */
#ifndef GATEWAY_WORKER_DISCONNECTION_H
#define GATEWAY_WORKER_DISCONNECTION_H

#include <stdatomic.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/refcount.h"
#include "gateway/http/disconnect.h"

struct disconnection {
	struct refcount refs;
	struct disconnect order;
	_Atomic size_t waiting; /* workers that have not come to it */
	_Atomic size_t ended;   /* sessions and calls */
};

struct disconnection *disconnection_new(const struct disconnect *order) MUST_USE; /* NULL: no memory */
struct disconnection *disconnection_ref(struct disconnection *disconnection);
void disconnection_unref(struct disconnection *disconnection); /* NULL is fine */

/* Says in the log who is to go, and why. */
void disconnection_log(const struct disconnect *order, const char *message);

#endif

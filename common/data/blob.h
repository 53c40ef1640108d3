/* A blob is immutable counted bytes: what fans out to many is copied once and shared from then on.
 * Any thread may hold a reference. */
#ifndef COMMON_DATA_BLOB_H
#define COMMON_DATA_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/refcount.h"

struct blob {
	struct refcount refs;
	size_t len;
	uint8_t bytes[];
};

struct blob *blob_new(const void *bytes, size_t len) MUST_USE; /* copies; the caller owns one reference; NULL: no memory */
struct blob *blob_ref(struct blob *blob);                      /* gives back its argument */
void blob_unref(struct blob *blob);                            /* NULL is fine */

#endif

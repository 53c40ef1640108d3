#include "gateway/worker/disconnection.h"

#include <stdlib.h>

struct disconnection *disconnection_new(const struct disconnect *order)
{
	struct disconnection *disconnection = calloc(1, sizeof *disconnection);
	if (!disconnection)
		return NULL;
	refcount_init(&disconnection->refs);
	disconnection->order = *order;
	return disconnection;
}

struct disconnection *disconnection_ref(struct disconnection *disconnection)
{
	refcount_take(&disconnection->refs);
	return disconnection;
}

void disconnection_unref(struct disconnection *disconnection)
{
	if (disconnection && refcount_drop(&disconnection->refs))
		free(disconnection);
}

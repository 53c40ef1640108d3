#include "gateway/worker/disconnection.h"

#include <stdlib.h>

#include "common/base/log.h"

#define ROOM "admin"

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

void disconnection_log(const struct disconnect *order, const char *message)
{
	const char *reason = *order->reason ? order->reason : "-";
	if (order->client)
		log_info(ROOM, message, log_int("client", order->client), log_text("node", order->node), log_text("reason", reason));
	else
		log_info(ROOM, message, log_text("identity", order->identity), log_text("reason", reason));
}

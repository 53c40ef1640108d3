/* What a connection is answered that is above a limit of connections.h. Pure. */
#ifndef GATEWAY_HTTP_ADMISSION_REFUSAL_H
#define GATEWAY_HTTP_ADMISSION_REFUSAL_H

#include "gateway/http/refusal.h"
#include "gateway/limiter/connections.h"

const struct refusal *admission_refusal(enum connections_verdict verdict); /* static; not of one that was admitted */
extern const struct refusal refusal_over_memory; /* new work, while the node is over limits.memory */

#endif

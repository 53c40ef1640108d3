#include "gateway/http/admission_refusal.h"

#define RETRY_AFTER_S 2

static const struct refusal refusals[] = {
	[CONNECTIONS_NODE_FULL] =
		{
			.status = 503,
			.code = "node_full",
			.message = "This node has as many connections as it may have; try another, or later.",
			.metric = METRIC_REFUSED_FULL,
			.retry_after_s = RETRY_AFTER_S,
		},
	[CONNECTIONS_ADDRESS_FULL] =
		{
			.status = 429,
			.code = "too_many_connections",
			.message = "This address has as many connections as it may have.",
			.metric = METRIC_REFUSED_ADDRESS,
			.retry_after_s = RETRY_AFTER_S,
		},
	[CONNECTIONS_IDENTITY_FULL] =
		{
			.status = 429,
			.code = "too_many_connections",
			.message = "This identity has as many connections as it may have.",
			.metric = METRIC_REFUSED_IDENTITY,
			.retry_after_s = RETRY_AFTER_S,
		},
	[CONNECTIONS_STRANGERS_FULL] =
		{
			.status = 503,
			.code = "too_many_unauthenticated",
			.message = "This node has as many connections without a credential as it may have; try another, or later.",
			.metric = METRIC_REFUSED_STRANGERS,
			.retry_after_s = RETRY_AFTER_S,
		},
};

const struct refusal refusal_over_memory = {
	.status = 503,
	.code = "over_memory",
	.message = "This node uses as much memory as it may; try another, or later.",
	.metric = METRIC_REFUSED_MEMORY,
	.retry_after_s = RETRY_AFTER_S,
};

const struct refusal *admission_refusal(enum connections_verdict verdict)
{
	return &refusals[verdict];
}

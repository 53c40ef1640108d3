#include "gateway/history/refusal.h"

#include <stddef.h>
#include <string.h>

/* By how the reply begins: Redis puts a code in front, https://redis.io/docs/latest/develop/reference/protocol-spec/ (errors);
 * the script's own begin with ERR too. */
static const struct {
	const char *start;
	enum err error;
	const char *words;
} refusals[] = {
    {"OOM ", ERR_AGAIN, "Redis is out of memory"},
    {"LOADING ", ERR_AGAIN, "Redis is still loading its data"},
    {"BUSY ", ERR_AGAIN, "Redis is busy with a script"},
    {"READONLY ", ERR_AGAIN, "this Redis is a replica, which takes no events"},
    {"MASTERDOWN ", ERR_AGAIN, "Redis has lost its primary"},
    {"MISCONF ", ERR_AGAIN, "Redis cannot write to its disk"},
    {"NOREPLICAS ", ERR_AGAIN, "Redis has too few replicas"},
    {"CLUSTERDOWN ", ERR_AGAIN, "the Redis cluster is down"},
    {"TRYAGAIN ", ERR_AGAIN, "the Redis cluster is being moved"},
    {"WRONGTYPE ", ERR_IO, "the stream's key in Redis holds something else than a stream"},
    {"NOPERM ", ERR_IO, "the gateway's user in Redis has no right to this"},
    {"NOAUTH ", ERR_IO, "the gateway is not logged in to Redis"},
    {"ERR channels that begin with ", ERR_IO, "channel: one of those that the gateway keeps for itself (redis.prefix)"},
};

enum err refusal_judge(const char *text, const char **ret_words)
{
	*ret_words = "Redis refused";
	for (size_t i = 0; text && i < sizeof refusals / sizeof refusals[0]; i++) {
		if (strncmp(text, refusals[i].start, strlen(refusals[i].start)) == 0) {
			*ret_words = refusals[i].words;
			return refusals[i].error;
		}
	}
	return ERR_IO;
}

#include "gateway/app/descriptors.h"

#include <sys/resource.h>

#include "common/base/log.h"

#define ROOM "app"
/* With no limit of connections; and more than this are never asked for. */
#define DESCRIPTORS_MAX ((uint64_t)1 << 20)
/* For all but the clients that are counted: Redis, the admin port, files, and the clients that are just being refused. */
#define DESCRIPTORS_BESIDE 1024
/* A connection; one behind the relay of TLS: its socket, and the pair between relay and reader. */
#define DESCRIPTORS_PLAIN 1
#define DESCRIPTORS_TLS 3

static uint64_t needed_by(const struct config *config)
{
	uint64_t each = *config->tls_certificate_file ? DESCRIPTORS_TLS : DESCRIPTORS_PLAIN;
	uint64_t needed = config->limits_connections * each + DESCRIPTORS_BESIDE;
	return config->limits_connections && needed < DESCRIPTORS_MAX ? needed : DESCRIPTORS_MAX;
}

void descriptors_provide(const struct config *config)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	uint64_t needed = needed_by(config);
	if (config->limits_connections && limit.rlim_max < needed)
		log_warn(ROOM, "the system grants fewer descriptors than limits.connections may need",
			 log_int("granted", (int64_t)limit.rlim_max), log_int("needed", (int64_t)needed));
	limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
	setrlimit(RLIMIT_NOFILE, &limit);
}

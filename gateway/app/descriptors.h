/* How many descriptors this process asks the system for: as many as limits.connections may need, at most what the system
 * grants (the hard limit). Not more, since libraries size tables by the limit, and libwebsockets walks its table whenever a
 * connection ends. */
#ifndef GATEWAY_APP_DESCRIPTORS_H
#define GATEWAY_APP_DESCRIPTORS_H

#include "gateway/config/config.h"

/* Sets the soft limit of RLIMIT_NOFILE; a hard one that is too low is said in the log. */
void descriptors_provide(const struct config *config);

#endif

/* What --check-config does: asks the rooms that would use the configuration whether they could, as far as that can be known without
 * opening a port or asking Redis. It says all that is wrong on standard error, and what a node could run with but hardly should. */
#ifndef GATEWAY_APP_INSPECTION_H
#define GATEWAY_APP_INSPECTION_H

#include <stdbool.h>

#include "gateway/config/config.h"

bool inspection_run(const struct config *config); /* true: a node would start */

#endif

/* A healthy client beside hostile ones: it must go on getting every event, promptly, whatever the others do. Used by
 * one thread. */
#ifndef TESTS_SUPPORT_BYSTANDER_H
#define TESTS_SUPPORT_BYSTANDER_H

#include <stdint.h>

#include "tests/support/raw.h"
#include "tests/support/redis_server.h"

struct bystander {
	struct raw raw;
	struct redis_server *redis;
	unsigned published;
};

void bystander_join(struct bystander *bystander, uint16_t port, struct redis_server *redis); /* subscribes to all */
void bystander_check(struct bystander *bystander); /* publishes a few events one by one; each must come */
void bystander_leave(struct bystander *bystander); /* checks once more and closes */

#endif

/* The keys of this node's clients, as the configuration names them, and their reloading. Main thread only. */
#ifndef GATEWAY_APP_KEYS_H
#define GATEWAY_APP_KEYS_H

#include <stdbool.h>

#include "common/base/err.h"
#include "gateway/auth/auth.h"
#include "gateway/config/config.h"

/* config is borrowed for the life of the auth. ERR_...: ret_why names the option and the file. */
enum err keys_open(const struct config *config, struct auth **ret_auth, char ret_why[256]) MUST_USE;
/* Reads what changed; says so, and what could not be read, in the log. True: keys may be gone, and with them who came by them. */
bool keys_refresh(struct auth *auth);

#endif

/* The keys of this node's clients, as the configuration names them, and their reloading; and those by which the node itself speaks
 * TLS. Main thread only. */
#ifndef GATEWAY_APP_KEYS_H
#define GATEWAY_APP_KEYS_H

#include <stdbool.h>

#include "common/base/err.h"
#include "gateway/auth/auth.h"
#include "gateway/config/config.h"
#include "gateway/wire/tls_keys.h"

/* config is borrowed for the life of the auth. ERR_...: ret_why names the option and the file. */
enum err keys_open(const struct config *config, struct auth **ret_auth, char ret_why[256]) MUST_USE;
/* Reads what changed; says so, and what could not be read, in the log. True: keys may be gone, and with them who came by them. */
bool keys_refresh(struct auth *auth);

/* Without TLS there are none (NULL). config is borrowed for their life. ERR_...: ret_why names the option and the file. */
enum err keys_open_tls(const struct config *config, struct tls_keys **ret_keys, char ret_why[TLS_KEYS_WHY_MAX]) MUST_USE;

#endif

/* The commands of tgcli. Each gives the exit status of the program. */
#ifndef GATEWAY_TOOLS_COMMANDS_H
#define GATEWAY_TOOLS_COMMANDS_H

#include <stdbool.h>

#include "common/client/tgclient.h"
#include "gateway/tools/arguments.h"
#include "gateway/tools/credential.h"

#define EXIT_REFUSED 1 /* the gateway refused or ended it for good, or cannot be reached */
#define EXIT_USAGE 2

int command_watch(const struct arguments *arguments);
int command_history(const struct arguments *arguments);
int command_state(const struct arguments *arguments);
int command_replay(const struct arguments *arguments);
int command_publish(const struct arguments *arguments);
int command_ping(const struct arguments *arguments);

/* A client with the urls and the credential of the arguments, opened. NULL: said why on standard error. The credential is opened either
 * way, and to be closed behind the client. */
struct tgc_client *commands_client(const struct arguments *arguments, struct credential *credential, const struct tgc_handlers *handlers);
bool commands_interrupted(void); /* by a signal that asks for the end */
/* Turns the client, looks after its credential, and writes out what was shown. False: the client is closed, or standard output is. */
bool commands_turn(struct tgc_client *client, struct credential *credential, int timeout_ms);
/* The same, but it returns also when the descriptor can be read (true in ret_is_readable). */
bool commands_turn_beside(struct tgc_client *client, struct credential *credential, int fd, bool *ret_is_readable);

#endif

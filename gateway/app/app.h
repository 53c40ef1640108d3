/* The app wires the rooms into one node and sees it through its life: start, run, drain, stop. It holds no logic of
 * theirs. Main thread only. */
#ifndef GATEWAY_APP_APP_H
#define GATEWAY_APP_APP_H

#include "gateway/config/config.h"

/* Runs a node until SIGTERM or SIGINT and drains it. Gives the exit status: 0 after a drain, 1 when it could not start
 * (the log says why). Signals must be blocked already (app_block_signals). */
int app_run(const struct config *config);

/* Blocks what app_run waits for and ignores what would only kill. Before any thread starts. */
void app_block_signals(void);

#endif

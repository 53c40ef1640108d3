/* How tgcli shows things: events on standard output in the format asked for, all else on standard error. What publishers
 * and nodes wrote must not reach a terminal as control characters. */
#ifndef GATEWAY_TOOLS_SHOW_H
#define GATEWAY_TOOLS_SHOW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/client/tgclient.h"
#include "gateway/tools/arguments.h"

struct show {
	enum format format;
	uint64_t shown; /* events */
};

void show_event(struct show *show, const struct tgc_event *event);
void show_end(struct show *show); /* ends what a format has opened */

void show_state(const struct tgc_status *status);       /* what went wrong, and what happens next */
void show_text(FILE *out, struct tgc_text text);        /* as it is but for control characters */
void show_gap(const struct tgc_gap *gap);
void show_notice(const struct tgc_notice *notice);
void show_error(const struct tgc_reply *reply);
/* That what was asked for is asked for again; once, as *has_told remembers. Of a lost connection show_state tells. */
void show_delay(bool *has_told, const struct tgc_reply *error);

#endif

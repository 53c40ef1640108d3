/* What a client told, a line each, so that a test can say what must stand there and in which order:
 * "state open", "event 1 <id> <channel> <data>", "cursor 1 <cursor>", "gap 1 <after> <before> <dropped> <reason>", "notice <code>",
 * "subscribed 1 ok", "subscribed 1 <code>", "chunk <events>", "reply <ok>", "error <code> <message>". */
#ifndef TESTS_SUPPORT_DIARY_H
#define TESTS_SUPPORT_DIARY_H

#include "common/client/tgclient.h"
#include "common/data/buf.h"

struct diary {
	struct buf text; /* NUL-terminated by the functions below */
	struct tgc_client *close, *free; /* closed, freed at the next event */
};

extern const struct tgc_handlers diary_handlers; /* context: the diary */
tgc_on_reply diary_on_reply;                     /* context: the diary */

void diary_fini(struct diary *diary);
/* Turns the client until the text stands there. */
void diary_wait(struct diary *diary, struct tgc_client *client, const char *text);
unsigned diary_count(struct diary *diary, const char *text);
void diary_expect(struct diary *diary, const char *text); /* it stands there already */
void diary_forget(struct diary *diary);

#endif

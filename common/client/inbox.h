/* An inbox turns the bytes that a gateway sends into messages and control frames, and refuses everything that RFC 6455
 * forbids a server to send. Owned by its client. Holds at most one message of the limit, compressed and not,
 * and what one read gave. */
#ifndef COMMON_CLIENT_INBOX_H
#define COMMON_CLIENT_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "common/codec/wsframe.h"
#include "common/data/buf.h"

struct inflater;

struct tgc_inbox {
	struct buf bytes;   /* received; those before at are consumed */
	size_t at;
	struct buf message; /* what came of a fragmented message */
	bool in_message;
	bool is_text, is_compressed; /* of the message at hand */
	bool takes_deflate; /* messages may be compressed */
	struct inflater *inflater; /* NULL until one was */
	struct buf plain;   /* what the last one was */
	size_t limit;       /* longest message, in bytes */
};

enum tgc_inbox_kind {
	TGC_INBOX_MORE,    /* nothing is whole */
	TGC_INBOX_MESSAGE, /* payload; is_text */
	TGC_INBOX_PING,    /* payload */
	TGC_INBOX_PONG,
	TGC_INBOX_CLOSE,   /* code (1005: none) and payload: the reason */
	TGC_INBOX_BAD,     /* code: what to close with; why; nothing more can be read */
};

struct tgc_inbox_item {
	enum tgc_inbox_kind kind;
	struct slice payload; /* valid until the inbox is touched again */
	bool is_text;
	uint16_t code;
	const char *why; /* static */
};

void tgc_inbox_init(struct tgc_inbox *inbox, size_t limit);
void tgc_inbox_fini(struct tgc_inbox *inbox);
void tgc_inbox_reset(struct tgc_inbox *inbox);                   /* for a new connection */
char *tgc_inbox_room(struct tgc_inbox *inbox, size_t bytes) MUST_USE; /* room for a read; NULL: no memory */
void tgc_inbox_received(struct tgc_inbox *inbox, size_t room, size_t got); /* got of the room's bytes were filled */
struct tgc_inbox_item tgc_inbox_next(struct tgc_inbox *inbox);

#endif

/* A mailbox carries messages from any thread to the one that owns it. Posting never blocks and takes no lock; messages of
 * one sender arrive in the order they were posted; the receiver is woken once for many messages.
 * A message embeds a struct mail and is heap memory that the receiver frees in its own way. */
#ifndef COMMON_THREAD_MAILBOX_H
#define COMMON_THREAD_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

struct mail {
	struct mail *next;
};

struct mailbox {
	_Atomic(struct mail *) newest;
	void (*wake)(void *receiver); /* called from the posting thread when the box was empty */
	void *receiver;
};

void mailbox_init(struct mailbox *box, void (*wake)(void *receiver), void *receiver);
void mailbox_post(struct mailbox *box, struct mail *mail); /* gives the message to the receiver */

/* Receiver only: takes all that waits, oldest first; NULL when nothing does. Walk it by ->next. */
struct mail *mailbox_take_all(struct mailbox *box);

#endif

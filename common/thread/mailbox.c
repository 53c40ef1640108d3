#include "common/thread/mailbox.h"

#include <stddef.h>

void mailbox_init(struct mailbox *box, void (*wake)(void *receiver), void *receiver)
{
	atomic_init(&box->newest, NULL);
	box->wake = wake;
	box->receiver = receiver;
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
	struct mail *newest = atomic_load_explicit(&box->newest, memory_order_relaxed);
	do
		mail->next = newest;
	while (!atomic_compare_exchange_weak_explicit(&box->newest, &newest, mail, memory_order_release,
						      memory_order_relaxed));
	if (!newest)
		box->wake(box->receiver);
}

struct mail *mailbox_take_all(struct mailbox *box)
{
	struct mail *at = atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire);
	struct mail *oldest = NULL;
	while (at) {
		struct mail *next = at->next;
		at->next = oldest;
		oldest = at;
		at = next;
	}
	return oldest;
}

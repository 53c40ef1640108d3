#include "gateway/session/outbox.h"

#include <stdlib.h>

void outbox_init(struct outbox *outbox)
{
	list_init(&outbox->parcels);
	outbox->event_bytes = outbox->control_bytes = 0;
}

void outbox_fini(struct outbox *outbox)
{
	struct parcel *parcel;
	while ((parcel = outbox_first(outbox)))
		outbox_drop(outbox, parcel);
}

bool outbox_is_empty(const struct outbox *outbox)
{
	return list_is_empty(&outbox->parcels);
}

static size_t *bytes_of(struct outbox *outbox, const struct parcel *parcel)
{
	return parcel->subscription ? &outbox->event_bytes : &outbox->control_bytes;
}

/* Puts a new parcel behind the link. */
static enum err insert(struct outbox *outbox, struct list *behind, struct blob *frame, struct subscription *subscription,
		       size_t events)
{
	struct parcel *parcel = malloc(sizeof *parcel);
	if (!parcel)
		return ERR_NOMEM;
	*parcel = (struct parcel){.frame = blob_ref(frame), .subscription = subscription, .events = events};
	list_append(behind->next, &parcel->link);
	*bytes_of(outbox, parcel) += frame->len;
	return OK;
}

enum err outbox_push(struct outbox *outbox, struct blob *frame, struct subscription *subscription, size_t events)
{
	return insert(outbox, outbox->parcels.prev, frame, subscription, events);
}

enum err outbox_push_first(struct outbox *outbox, struct blob *frame)
{
	return insert(outbox, &outbox->parcels, frame, NULL, 0);
}

struct parcel *outbox_first(const struct outbox *outbox)
{
	return outbox_is_empty(outbox) ? NULL : LIST_ENTRY(outbox->parcels.next, struct parcel, link);
}

void outbox_drop(struct outbox *outbox, struct parcel *parcel)
{
	*bytes_of(outbox, parcel) -= parcel->frame->len;
	list_remove(&parcel->link);
	blob_unref(parcel->frame);
	free(parcel);
}

struct parcel *outbox_last(const struct outbox *outbox)
{
	return outbox_is_empty(outbox) ? NULL : LIST_ENTRY(outbox->parcels.prev, struct parcel, link);
}

struct parcel *outbox_oldest(const struct outbox *outbox, const struct subscription *subscription)
{
	LIST_FOREACH(&outbox->parcels, at, following) {
		struct parcel *parcel = LIST_ENTRY(at, struct parcel, link);
		if (parcel->subscription == subscription)
			return parcel;
	}
	return NULL;
}

size_t outbox_drop_oldest(struct outbox *outbox, const struct subscription *subscription)
{
	struct parcel *parcel = outbox_oldest(outbox, subscription);
	size_t events = parcel ? parcel->events : 0;
	if (parcel)
		outbox_drop(outbox, parcel);
	return events;
}

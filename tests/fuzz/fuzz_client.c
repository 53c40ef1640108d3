/* What a node sends to a client, from behind the handshake, with a subscription that the node may take and a request that
 * it may answer: frames, messages, events. The client must read or refuse it, and whatever is shown must hold together. The
 * first byte says in how large pieces the rest comes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/client/tgclient_inside.h"
#include "common/codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void judge_event(const struct tgc_event *event)
{
	char *payload = malloc(event->data.len + 1);
	check(payload && json_is_valid(tgc_slice_of(event->data), NULL, NULL));
	check(tgc_payload(event, payload) <= event->data.len);
	check(json_is_utf8(tgc_slice_of(event->channel)));
	free(payload);
}

static void on_event(struct tgc_client *client, void *context, const struct tgc_event *event)
{
	(void)client;
	(void)context;
	check(event->sub == 1);
	judge_event(event);
}

static void on_reply(struct tgc_client *client, void *context, const struct tgc_reply *reply)
{
	struct tgc_text events = reply->events;
	struct tgc_event event;
	unsigned *ended = context;
	*ended += reply->kind != TGC_REPLY_CHUNK;
	while (tgc_next_event(client, &events, &event))
		judge_event(&event);
}

static void feed(struct tgc_client *client, const uint8_t *bytes, size_t len, size_t piece)
{
	uint64_t connection = client->connection;
	while (len && client->connection == connection) {
		size_t part = len < piece ? len : piece;
		char *room = tgc_inbox_room(&client->link.inbox, part);
		check(room != NULL);
		memcpy(room, bytes, part);
		tgc_inbox_received(&client->link.inbox, part, part);
		tgc_dispatch(client, 0);
		tgc_subscriptions_sweep(client, 0);
		bytes += part;
		len -= part;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *url = "ws://127.0.0.1:1";
	unsigned ended = 0;
	const struct tgc_options options = {
		.urls = &url, .url_count = 1, .handlers = {.context = &ended, .on_event = on_event}, .message_bytes_max = 4096};
	struct tgc_client *client = len ? tgc_new(&options, NULL) : NULL;
	if (!client)
		return 0;
	check(tgc_subscribe(client, &(struct tgc_subscription){.channel_count = 0}, NULL) == TGC_OK);
	client->state = TGC_OPEN;
	client->link.inbox.takes_deflate = true;
	tgc_enter(client);
	tgc_subscriptions_sweep(client, 0); /* request 1 */
	check(tgc_request(client, "{\"op\":\"history\"}", on_reply, &ended) == TGC_OK); /* request 2 */
	feed(client, bytes + 1, len - 1, (size_t)bytes[0] + 1);
	tgc_leave(client);
	tgc_free(client);
	check(ended == 1);
	return 0;
}

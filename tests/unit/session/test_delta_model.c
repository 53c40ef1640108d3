/* Deltas under random schedules: whatever clients miss, however slow they are, whatever texts the node forgets, each delta that
 * a client gets makes the published text from the text that this client had before it on that channel. */
#include "fake_peer.h"

#include "common/base/random.h"
#include "common/codec/codec.h"
#include "common/codec/fossil_delta.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"
#include "tests/support/suite.h"

#define CLIENTS 8
#define EVENTS_MAX 4096
#define CHANNELS_MAX 16
#define STEPS 700
#define ROUNDS 60

/* Two of them look alike to a client. */
static const char *const channels[] = {"trace:a", "trace:b", "agent:c", "trace:\xFF", "trace:\xEF\xBF\xBD", "swarm:d"};
#define CHANNELS (sizeof channels / sizeof channels[0])

struct known {
	char channel[32];
	struct buf text;
};

struct client {
	struct peer peer;
	const char *wish;
	int policy;
	char sub[64];
	size_t known_count, deltas, fulls;
	struct known known[CHANNELS_MAX];
};

static const char *const policies[] = {"catchup", "drop", "conflate", "disconnect"};
static const char *const wishes[] = {"\"delta\":\"fossil\"", "\"delta\":\"fossil\",\"filter\":{\"type\":[\"t0\"]}"};

static struct exchange *exchange;
static struct client clients[CLIENTS];
static struct random dice;
static unsigned seed;
static char payloads[EVENTS_MAX][512];
static unsigned event_count;

static unsigned throw(unsigned below)
{
	return (unsigned)random_below(&dice, below);
}

static void forget_all(struct client *client)
{
	for (size_t i = 0; i < client->known_count; i++)
		buf_fini(&client->known[i].text);
	client->known_count = 0;
}

static struct known *known_of(struct client *client, struct slice channel)
{
	for (size_t i = 0; i < client->known_count; i++)
		if (slice_is(channel, client->known[i].channel))
			return &client->known[i];
	ck_assert_uint_lt(client->known_count, CHANNELS_MAX);
	struct known *known = &client->known[client->known_count++];
	snprintf(known->channel, sizeof known->channel, "%.*s", (int)channel.len, channel.ptr);
	buf_init(&known->text);
	return known;
}

static void check_text(struct slice text)
{
	unsigned number = EVENTS_MAX;
	char copy[512];
	ck_assert_uint_lt(text.len, sizeof copy);
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	const char *at = strstr(copy, "\"n\":");
	ck_assert_msg(at && sscanf(at, "\"n\":%u", &number) == 1 && number < event_count, "seed %u: %s", seed, copy);
	ck_assert_msg(strcmp(copy, payloads[number]) == 0, "seed %u: %s is not %s", seed, copy, payloads[number]);
}

static void take_event(struct client *client, const struct value *event)
{
	const struct value *full = value_get(event, "full"), *delta = value_get(event, "delta");
	struct known *known = known_of(client, value_get(event, "channel")->text);
	struct buf text;
	if (value_get(event, "format")) {
		ck_assert(value_get(event, "data") && !full && !delta);
		return;
	}
	ck_assert(!value_get(event, "data") && (full != NULL) != (delta != NULL));
	buf_init(&text);
	if (full)
		buf_append_slice(&text, full->text);
	else
		ck_assert_msg(fossil_apply(buf_slice(&known->text), delta->text, 1 << 20, &text) == OK,
			      "seed %u: client %ld has another text of %s", seed, (long)(client - clients), known->channel);
	client->deltas += delta != NULL;
	client->fulls += full != NULL;
	check_text(buf_slice(&text));
	buf_fini(&known->text);
	known->text = text;
}

/* A reply is one to a subscribe or to a resync: nothing behind it refers to what was before. */
static void take_message(struct client *client, const struct value *message)
{
	const struct value *op = value_get(message, "op"), *ok = value_get(message, "ok");
	if (ok && value_get(message, "id")->uint != 2)
		forget_all(client);
	if (ok && value_get(ok, "sub"))
		snprintf(client->sub, sizeof client->sub, "%.*s", (int)value_get(ok, "sub")->text.len, value_get(ok, "sub")->text.ptr);
	if (!op || !slice_is(op->text, "events") || client->peer.close_code)
		return;
	const struct value *events = value_get(message, "events");
	for (const struct value *event = events->list.first; event; event = event->next)
		take_event(client, event);
}

static void listen_to(struct client *client)
{
	struct arena arena;
	const char *text;
	arena_init(&arena, 1 << 24);
	while ((text = peer_next(&client->peer))) {
		struct value *message;
		char why[128];
		if (strcmp(text, "<ping>") == 0)
			continue;
		ck_assert_int_eq(codec_json.decode(&arena, slice_of(text), &message, why), OK);
		take_message(client, message);
		arena_reset(&arena);
	}
	arena_fini(&arena);
	client->peer.received.len = client->peer.read = 0;
}

/* number 1: the client forgets what it has once that is answered; 2: it stays where it is. */
static void subscribe(struct client *client, int number)
{
	char request[256];
	snprintf(request, sizeof request, "{\"id\":%d,\"op\":\"subscribe\",\"slow\":\"%s\",%s}", number, policies[client->policy],
		 client->wish);
	peer_says(&client->peer, request);
}

static void say(struct client *client, const char *op)
{
	char request[128];
	snprintf(request, sizeof request, "{\"id\":3,\"op\":\"%s\",\"sub\":\"%s\"}", op, client->sub);
	peer_says(&client->peer, request);
}

static void come(struct client *client, unsigned number)
{
	client->wish = wishes[number / 4 % 2];
	client->policy = (int)number % 4;
	peer_connect(&client->peer, exchange);
	subscribe(client, 1);
	listen_to(client);
}

static void leave(struct client *client)
{
	peer_leave(&client->peer);
	forget_all(client);
}

static void publish_one(void)
{
	static const char *const words[] = {"thinking", "acting", "é", "完了", "\\u00e9", "waiting for somebody"};
	const char *channel = channels[throw(CHANNELS)];
	unsigned kind = throw(12);
	if (kind == 0) {
		deliver(exchange, channel, "no JSON");
		return;
	}
	ck_assert_uint_lt(event_count, EVENTS_MAX);
	char *payload = payloads[event_count];
	if (kind == 1)
		snprintf(payload, sizeof payloads[0], "{\"type\":\"t0\",\"n\":%u}", event_count);
	else
		snprintf(payload, sizeof payloads[0],
			 "{\"type\":\"t%u\",\"agent\":\"a%u\",\"state\":{\"status\":\"%s\",\"tokens\":%u,\"plan\":\"read, ask, write\"},\"n\":%u,"
			 "\"note\":\"résumé %s\",\"model\":\"large\",\"retries\":0,\"queue\":\"default\"}",
			 throw(2), throw(3), words[throw(6)], throw(3000), event_count, words[throw(6)]);
	event_count++;
	deliver(exchange, channel, payload);
}

static void act_as(struct client *client)
{
	switch (throw(10)) {
	case 0:
		say(client, "resync");
		break;
	case 1:
		say(client, "unsubscribe");
		listen_to(client);
		subscribe(client, 1);
		break;
	case 2: /* the same with another policy */
		client->policy = (int)throw(4);
		subscribe(client, 2);
		break;
	case 3:
		leave(client);
		come(client, throw(8));
		break;
	case 4:
	case 5:
		client->peer.is_stuck = true;
		break;
	case 6: /* takes one frame, and is stuck again */
		client->peer.is_buffering = false;
		session_writable(client->peer.session);
		break;
	default:
		peer_unstick(&client->peer);
	}
}

static void step(void)
{
	struct client *client = &clients[throw(CLIENTS)];
	unsigned what = throw(12);
	if (what < 5)
		publish_one();
	else if (what < 8)
		exchange_end_turn(exchange);
	else if (what == 8)
		clock_fake_advance_ms(throw(200));
	else if (throw(2))
		act_as(client);
	for (int i = 0; i < CLIENTS; i++)
		listen_to(&clients[i]);
	if (client->peer.close_code) {
		leave(client);
		come(client, throw(8));
	}
}

static void run(void)
{
	fake_start();
	struct exchange_settings settings = fake_settings();
	settings.delta_bytes_max = throw(3) ? 1 << 20 : 1500 + throw(3000);
	settings.batch_max_events = 2 + throw(20);
	settings.slow_threshold_bytes = 1000 + throw(8000);
	settings.heartbeat_ns = 1000000 * NS_PER_S;
	settings.batch_interval_ns = throw(2) * 100 * NS_PER_MS;
	settings.events_per_second = throw(3) ? 0 : 200 + throw(200);
	exchange = exchange_new(&settings);
	event_count = 0;
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.known_count = 0};
		come(&clients[i], i);
	}
	for (int i = 0; i < STEPS; i++)
		step();
	for (int i = 0; i < CLIENTS; i++)
		leave(&clients[i]);
	ck_assert_uint_eq(metric_read(METRIC_DELTA_TEXTS), 0);
	exchange_free(exchange);
	fake_end();
}

START_TEST(every_delta_makes_the_published_text_from_what_its_client_has)
{
	size_t deltas = 0, fulls = 0;
	for (seed = 1; seed <= ROUNDS; seed++) {
		dice.state = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
		run();
		for (int i = 0; i < CLIENTS; i++) {
			deltas += clients[i].deltas;
			fulls += clients[i].fulls;
		}
	}
	ck_assert_msg(deltas > fulls / 4, "%zu deltas, %zu in full: too few for a test", deltas, fulls);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("delta_model");
	TCase *tests = tcase_create("delta_model");
	suite_add_tcase(suite, tests);
	tcase_add_test(tests, every_delta_makes_the_published_text_from_what_its_client_has);
	return suite_run(suite);
}

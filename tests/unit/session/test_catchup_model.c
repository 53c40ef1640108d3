/* Random schedules: events with and without ids, slow ports, rates, pages that come late or fail, a log that is trimmed, clients that
 * come back. Whatever happens, what a client got and what it was told to miss are together the log for its filter, each
 * event once and in order. */
#include "fake_past.h"

#include "common/base/random.h"
#include "common/codec/codec.h"
#include "common/codec/fossil_delta.h"
#include "tests/support/suite.h"

#define CLIENTS 6
#define SCHEDULES 200
#define STEPS 300

struct client {
	struct peer peer;
	const char *filter;
	int session, type;        /* what it wants; -1: all. session 9: s0 and s1 */
	struct record_id start;   /* the log behind it is what it should get */
	struct record_id last;    /* id it got last */
	struct record_id cursor;
	unsigned char *got;       /* by place in the log */
	unsigned char *seen;      /* by number: came without an id */
	struct record_id gap_after[4096], gap_before[4096];
	const char *gap_reason[4096];
	size_t gap_count;
	bool is_refused;
	struct buf texts[FAKE_SESSIONS]; /* by session: what came last, of a client with deltas */
	uint64_t unrecorded_wanted, unrecorded_got, unrecorded_told;
};

static struct client clients[CLIENTS];
static struct exchange *exchange;
static struct random dice;
static unsigned seed;
static bool is_recorded;
static unsigned last_number;
static size_t owed; /* the first event of the log that was not delivered yet */
static struct fake_event unnamed[4096]; /* delivered without ids, to be recorded later */
static size_t unnamed_count;

static const struct {
	const char *text;
	int session, type;
} filters[CLIENTS] = {
	{",\"delta\":\"fossil\"", -1, -1},
	{",\"delta\":\"fossil\",\"filter\":{\"session\":[\"s1\"]}", 1, -1},
	{",\"filter\":{\"type\":[\"t0\"]}", -1, 0},
	{",\"filter\":{\"session\":[\"s0\",\"s1\"]}", 9, -1},
	{",\"filter\":{\"session\":[\"s2\"],\"type\":[\"t1\"]}", 2, 1},
	{"", -1, -1},
};

static bool wants(const struct client *client, const struct fake_event *event)
{
	bool session = client->session < 0 || client->session == event->session || (client->session == 9 && event->session < 2);
	return session && (client->type < 0 || client->type == event->type);
}

static uint64_t throw(uint64_t below)
{
	return random_below(&dice, below);
}

static struct record_id id_of(const struct value *value)
{
	struct record_id id = {0};
	if (value && value->kind == VALUE_STRING) {
		struct cursor cursor;
		ck_assert_int_eq(cursor_parse(value->text, &cursor), OK);
		id = cursor.id;
	}
	return id;
}

static size_t place_of(struct record_id id)
{
	size_t low = 0, high = past.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (record_id_compare(past.events[middle].id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	ck_assert_msg(low < past.count && record_id_compare(past.events[low].id, id) == 0, "seed %u: an id that is not in the log", seed);
	return low;
}

/* What a client with deltas makes of an event; gives the number in it. */
static uint64_t take_change(struct client *client, const struct value *event)
{
	const struct value *full = value_get(event, "full"), *delta = value_get(event, "delta");
	struct buf *known = &client->texts[value_get(event, "channel")->text.ptr[7] - '0'], text;
	unsigned number = 0;
	buf_init(&text);
	ck_assert_msg(full || delta, "seed %u: neither in full nor a delta", seed);
	if (full)
		buf_append_slice(&text, full->text);
	else
		ck_assert_msg(fossil_apply(buf_slice(known), delta->text, 1 << 20, &text) == OK, "seed %u: another text", seed);
	buf_fini(known);
	*known = text;
	buf_append_char(known, '\0');
	ck_assert(!buf_has_failed(known));
	ck_assert_int_eq(sscanf(known->bytes, "{\"n\":%u,", &number), 1);
	known->len--;
	return number;
}

static void take_event(struct client *client, const struct value *event)
{
	const struct value *id = value_get(event, "id"), *data = value_get(event, "data");
	uint64_t number = data ? value_get(data, "n")->uint : take_change(client, event);
	if (!id) {
		client->unrecorded_got++;
		client->seen[number] = 1;
		return;
	}
	ck_assert_uint_eq(past.events[place_of(id_of(id))].number, number);
	struct record_id got = id_of(id);
	ck_assert_msg(fake_is_after(got, client->last), "seed %u: %llu comes behind %llu", seed, (unsigned long long)got.ms,
		      (unsigned long long)client->last.ms);
	ck_assert_msg(wants(client, &past.events[place_of(got)]), "seed %u: not wanted", seed);
	client->last = got;
	client->got[place_of(got)] = 1;
}

static void note_gap(struct client *client, struct record_id after, struct record_id before, const char *reason)
{
	ck_assert_uint_lt(client->gap_count, 4096);
	client->gap_after[client->gap_count] = after;
	client->gap_before[client->gap_count] = before;
	client->gap_reason[client->gap_count++] = reason;
}

static void take_message(struct client *client, const struct value *message)
{
	const struct value *op = value_get(message, "op");
	if (!op) {
		const struct value *ok = value_get(message, "ok");
		client->is_refused = !ok;
		return;
	}
	if (slice_is(op->text, "events")) {
		const struct value *events = value_get(message, "events");
		for (const struct value *event = events->list.first; event; event = event->next)
			take_event(client, event);
		struct record_id cursor = id_of(value_get(message, "cursor"));
		ck_assert_msg(!fake_is_after(client->cursor, cursor) && !fake_is_after(client->last, cursor),
			      "seed %u: the cursor went back", seed);
		client->cursor = cursor;
	} else if (slice_is(op->text, "gap")) {
		const struct value *dropped = value_get(message, "dropped");
		bool is_trimmed = slice_is(value_get(message, "reason")->text, "trimmed");
		note_gap(client, id_of(value_get(message, "after")), id_of(value_get(message, "before")),
			 is_trimmed ? "trimmed" : dropped->kind == VALUE_UINT ? "lost" : "unrecorded");
		if (!is_trimmed && dropped->kind == VALUE_UINT)
			client->unrecorded_told += dropped->uint;
	}
}

static void subscribe(struct client *client, const char *since)
{
	char request[256];
	snprintf(request, sizeof request, "{\"id\":1,\"op\":\"subscribe\"%s%s}", client->filter, since);
	peer_says(&client->peer, request);
}

/* With its cursor. What it was not given of events without ids nobody owes it. */
static void resume(struct client *client)
{
	char since[96], cursor[CURSOR_TEXT];
	cursor_write(cursor, client->cursor, past.epoch);
	snprintf(since, sizeof since, ",\"since\":\"%s\"", cursor);
	subscribe(client, since);
	client->last = client->cursor;
	client->is_refused = false;
	client->unrecorded_wanted = client->unrecorded_got = client->unrecorded_told = 0;
}

static void listen_to(struct client *client)
{
	struct arena arena;
	arena_init(&arena, 1 << 24);
	const char *text;
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
	if (client->is_refused)
		resume(client);
}

static void forget_texts(struct client *client)
{
	for (int i = 0; i < FAKE_SESSIONS; i++)
		buf_fini(&client->texts[i]);
}

static void come(struct client *client, int number)
{
	forget_texts(client);
	free(client->got);
	free(client->seen);
	*client = (struct client){.filter = filters[number].text, .session = filters[number].session, .type = filters[number].type};
	client->got = calloc(1 << 14, 1);
	client->seen = calloc(1 << 14, 1);
	client->start = client->last = client->cursor = owed ? past.events[owed - 1].id : fake_id(0, 0);
	peer_connect(&client->peer, exchange);
	peer_next(&client->peer);
	subscribe(client, "");
}

static void come_back(struct client *client)
{
	struct peer *peer = &client->peer;
	exchange_end_turn(exchange);
	listen_to(client);
	peer_leave(peer);
	forget_texts(client);
	peer_connect(peer, exchange);
	peer_next(peer);
	resume(client);
}

static struct fake_event new_event(void)
{
	ck_assert_uint_lt(last_number, (1 << 14) - 1);
	return (struct fake_event){.session = (int)throw(FAKE_SESSIONS), .type = (int)throw(2), .number = ++last_number};
}

static void append(struct fake_event event)
{
	event.id = fake_last();
	if (!past.count)
		event.id.ms = 1000;
	event.id = throw(3) ? fake_id(event.id.ms + 1 + throw(3), 0) : record_id_next(event.id);
	fake_append(event);
}

/* The log takes what was told without ids, then new ones. */
static void record_some(void)
{
	for (size_t i = 0; i < unnamed_count; i++) {
		unnamed[i].is_repeat = true;
		append(unnamed[i]);
	}
	unnamed_count = 0;
	for (uint64_t i = throw(6); i > 0; i--)
		append(new_event());
}

static void deliver_recorded(void)
{
	if (owed == past.count)
		return;
	deliver_since(exchange, owed ? past.events[owed - 1].id : fake_id(0, 0), owed);
	owed = past.count;
}

static void deliver_unnamed(void)
{
	size_t count = throw(4) + 1;
	struct record_batch *batch = record_batch_new(count);
	for (size_t i = 0; i < count; i++) {
		struct fake_event event = new_event();
		record_batch_add(batch, fake_record(&event));
		unnamed[unnamed_count++] = event;
		for (int j = 0; j < CLIENTS; j++)
			clients[j].unrecorded_wanted += wants(&clients[j], &event);
	}
	exchange_deliver(exchange, batch);
	record_batch_unref(batch);
}

static void change_phase(void)
{
	is_recorded = !is_recorded;
	struct feed_state state = {.log = {past.epoch, past.base, owed ? past.events[owed - 1].id : past.base}, .is_recorded = is_recorded};
	exchange_feed_state(exchange, &state);
}

static void trim(void)
{
	if (!owed)
		return;
	struct record_id to = past.events[throw(owed)].id;
	if (fake_is_after(to, past.trimmed))
		past.trimmed = to;
	int session = (int)throw(FAKE_SESSIONS);
	to = past.events[throw(owed)].id;
	if (fake_is_after(to, past.session_trimmed[session]))
		past.session_trimmed[session] = to;
}

static void step(bool may_trim)
{
	struct client *client = &clients[throw(CLIENTS)];
	switch (throw(16)) {
	case 0:
	case 1:
	case 2:
	case 3:
		if (is_recorded && throw(2)) {
			record_some();
		} else if (is_recorded) {
			deliver_recorded();
		} else if (unnamed_count < 1000) {
			deliver_unnamed();
		}
		break;
	case 4:
		client->peer.is_stuck = true;
		break;
	case 5:
	case 6:
		peer_unstick(&client->peer);
		break;
	case 7: /* takes one frame, and is stuck again */
		client->peer.is_buffering = false;
		session_writable(client->peer.session);
		break;
	case 8:
		if (past.waiting_count)
			fake_answer(exchange, throw(past.waiting_count), throw(4) ? OK : ERR_TIMEOUT);
		break;
	case 9:
	case 10:
		if (past.waiting_count)
			fake_answer(exchange, 0, OK);
		break;
	case 11:
		if (throw(6) == 0)
			change_phase();
		break;
	case 12:
		if (may_trim && throw(8) == 0)
			trim();
		break;
	case 13:
		if (throw(4) == 0)
			come_back(client);
		break;
	case 14:
		clock_fake_advance_ms(throw(300));
		break;
	default:
		exchange_end_turn(exchange);
	}
	listen_to(client);
}

static bool is_told(const struct client *client, const struct fake_event *event)
{
	for (size_t i = 0; i < client->gap_count; i++) {
		bool is_inside = fake_is_after(event->id, client->gap_after[i]) &&
				 (record_id_is_zero(client->gap_before[i]) || fake_is_after(client->gap_before[i], event->id));
		if (!is_inside)
			continue;
		if (strcmp(client->gap_reason[i], "lost") == 0 && event->is_repeat)
			return true;
		bool is_gone = !fake_is_after(event->id, past.trimmed) ||
			       !fake_is_after(event->id, past.session_trimmed[event->session]);
		if (strcmp(client->gap_reason[i], "trimmed") == 0 && is_gone)
			return true;
	}
	return false;
}

static void check(const struct client *client)
{
	ck_assert_msg(client->unrecorded_got + client->unrecorded_told == client->unrecorded_wanted,
		      "seed %u, client %ld: %llu without ids, got %llu and was told of %llu", seed, (long)(client - clients),
		      (unsigned long long)client->unrecorded_wanted, (unsigned long long)client->unrecorded_got,
		      (unsigned long long)client->unrecorded_told);
	for (size_t i = 0; i < owed; i++) {
		const struct fake_event *event = &past.events[i];
		if (!fake_is_after(event->id, client->start) || !wants(client, event) || client->got[i] ||
		    (event->is_repeat && client->seen[event->number]))
			continue;
		ck_assert_msg(is_told(client, event), "seed %u, client %ld: event %u (%llu-%llu%s) is missing and no gap says so", seed,
			      (long)(client - clients), event->number, (unsigned long long)event->id.ms,
			      (unsigned long long)event->id.seq, event->is_repeat ? ", a repeat" : "");
	}
}

static void run(bool may_trim)
{
	fake_start();
	fake_past_start();
	past.page_entries = 3 + throw(10);
	past.pad_bytes = throw(200);
	struct exchange_settings settings = past_settings();
	settings.ring_records_max = 4 + throw(20);
	settings.batch_max_events = 2 + throw(20);
	settings.slow_threshold_bytes = 256 + throw(1000);
	settings.heartbeat_ns = 1000000 * NS_PER_S;
	settings.batch_interval_ns = throw(2) * 100 * NS_PER_MS;
	settings.batch_max_delay_ns = NS_PER_S;
	settings.events_per_second = throw(3) ? 0 : 200 + throw(200);
	exchange = exchange_new(&settings);
	is_recorded = false;
	owed = unnamed_count = last_number = 0;
	change_phase();
	for (int i = 0; i < CLIENTS; i++)
		come(&clients[i], i);
	for (int i = 0; i < STEPS; i++)
		step(may_trim);
	if (!is_recorded)
		change_phase();
	record_some();
	deliver_recorded();
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < CLIENTS; i++) {
			peer_unstick(&clients[i].peer);
			listen_to(&clients[i]);
		}
		settle(exchange);
		clock_fake_advance_ms(2500);
		settle(exchange);
	}
	ck_assert_msg(metric_read(METRIC_CATCHING_UP) == 0 && metric_read(METRIC_LAGGING) == 0, "seed %u: somebody is still behind", seed);
	for (int i = 0; i < CLIENTS; i++) {
		listen_to(&clients[i]);
		check(&clients[i]);
	}
	for (int i = 0; i < CLIENTS; i++)
		peer_leave(&clients[i].peer);
	exchange_free(exchange);
	ck_assert_uint_eq(metric_read(METRIC_RING_EVENTS), 0);
	fake_past_end();
	fake_end();
}

static void run_schedules(bool may_trim)
{
	for (seed = 1; seed <= SCHEDULES; seed++) {
		dice = (struct random){.state = seed * UINT64_C(0x9e3779b97f4a7c15)};
		run(may_trim);
	}
	for (int i = 0; i < CLIENTS; i++) {
		forget_texts(&clients[i]);
		free(clients[i].got);
		free(clients[i].seen);
		clients[i].got = clients[i].seen = NULL;
	}
}

START_TEST(every_client_gets_the_log_for_its_filter_each_event_once_and_in_order)
{
	run_schedules(false);
}
END_TEST

START_TEST(what_was_trimmed_before_a_client_came_to_it_is_told_by_a_gap)
{
	run_schedules(true);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("catchup_model");
	TCase *tests = tcase_create("catchup_model");
	suite_add_tcase(suite, tests);
	tcase_add_test(tests, every_client_gets_the_log_for_its_filter_each_event_once_and_in_order);
	tcase_add_test(tests, what_was_trimmed_before_a_client_came_to_it_is_told_by_a_gap);
	return suite_run(suite);
}

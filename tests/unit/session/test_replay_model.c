/* Random schedules: controls at any moment, a client that does not read, pages that come late or fail, events that are
 * recorded meanwhile. Whatever happens, what a client is given is the log for its filter from its position on, in
 * order, each event once between two controls; and every reply says the position that the client knows of. */
#include "fake_replay.h"

#include "common/base/random.h"
#include "common/codec/codec.h"
#include "common/protocol/value.h"
#include "tests/support/suite.h"

#define SCHEDULES 120
#define STEPS 250
#define CONTROLS 4096

enum deed { DEED_NONE, DEED_PAUSE, DEED_PLAY, DEED_SEEK, DEED_STEP, DEED_BACK, DEED_SPEED };

static struct {
	enum deed deed;
	size_t count, done;
	struct record_id to;
} controls_sent[CONTROLS]; /* by the id of the request */

static struct random dice;
static unsigned seed;
static int wanted;            /* session; -1: all, 9: s0 and s1 */
static size_t sent, answered; /* controls; the replies come in order */
static struct record_id at;   /* the position as the client knows it */
static bool is_on_event;
static size_t floor_count; /* events that the last page was read from */
static size_t given;

static uint64_t throw(uint64_t below)
{
	return random_below(&dice, below);
}

static bool wants(const struct fake_event *event)
{
	return wanted < 0 || wanted == event->session || (wanted == 9 && event->session < 2);
}

static struct record_id id_of(const struct value *value)
{
	struct cursor cursor;
	ck_assert(value && value->kind == VALUE_STRING);
	ck_assert_int_eq(cursor_parse(value->text, &cursor), OK);
	return cursor.id;
}

/* The place of the wanted event behind the position; past.count: there is none. */
static size_t next_place(void)
{
	size_t place = 0;
	while (place < past.count && (!wants(&past.events[place]) || !fake_is_after(past.events[place].id, at)))
		place++;
	return place;
}

/* Where so many steps back from the position lead; past.count: nowhere. */
static size_t place_back(size_t count)
{
	size_t found = past.count;
	for (size_t place = past.count; place-- > 0 && count > 0;) {
		struct record_id id = past.events[place].id;
		bool is_before = is_on_event ? fake_is_after(at, id) : !fake_is_after(id, at);
		if (!wants(&past.events[place]) || !is_before)
			continue;
		found = place;
		count--;
	}
	return found;
}

/* The oldest step that is not answered; 0: there is none. Steps end before anything else is answered. */
static size_t first_step(void)
{
	size_t step = answered + 1;
	return step <= sent && (controls_sent[step].deed == DEED_STEP || controls_sent[step].deed == DEED_BACK) ? step
	                                                                                                        : 0;
}

static void take_event(struct record_id id, bool is_alone)
{
	size_t next = next_place(), step = first_step();
	if (next < past.count && record_id_compare(past.events[next].id, id) == 0) {
		if (step && controls_sent[step].deed == DEED_STEP)
			controls_sent[step].done++;
	} else {
		ck_assert_msg(step && controls_sent[step].deed == DEED_BACK && is_alone,
		              "seed %u: %llu is not what comes next", seed, (unsigned long long)id.ms);
		size_t back = place_back(controls_sent[step].count);
		ck_assert_msg(back < past.count && record_id_compare(past.events[back].id, id) == 0,
		              "seed %u: %llu is not the way back", seed, (unsigned long long)id.ms);
		controls_sent[step].done = 1;
	}
	at = id;
	is_on_event = true;
	given++;
}

static void take_reply(const struct value *message)
{
	uint64_t id = value_get(message, "id")->uint;
	const struct value *ok = value_get(message, "ok");
	if (id == 0)
		return;
	ck_assert_msg(id == ++answered, "seed %u: reply %llu comes out of order", seed, (unsigned long long)id);
	if (!ok) {
		const struct value *error = value_get(message, "error");
		ck_assert(controls_sent[id].deed == DEED_STEP || controls_sent[id].deed == DEED_BACK);
		ck_assert(value_get(error, "temporary")->boolean);
		return;
	}
	if (controls_sent[id].deed == DEED_SEEK) {
		at = controls_sent[id].to;
		is_on_event = false;
	}
	ck_assert_msg(record_id_compare(id_of(value_get(ok, "at")), at) == 0,
	              "seed %u: control %llu is at another place", seed, (unsigned long long)id);
	const struct value *events = value_get(ok, "events"), *state = value_get(ok, "state");
	bool is_step = controls_sent[id].deed == DEED_STEP || controls_sent[id].deed == DEED_BACK;
	ck_assert_int_eq(events != NULL, is_step);
	ck_assert(!is_step || !slice_is(state->text, "playing"));
	ck_assert(controls_sent[id].deed != DEED_PLAY || slice_is(state->text, "playing"));
	if (controls_sent[id].deed == DEED_STEP)
		ck_assert_uint_eq(events->uint, controls_sent[id].done);
	if (controls_sent[id].deed == DEED_BACK)
		ck_assert_int_eq(events->uint > 0, controls_sent[id].done > 0);
}

static void take_message(const struct value *message)
{
	const struct value *op = value_get(message, "op");
	if (!op) {
		take_reply(message);
	} else if (slice_is(op->text, "events")) {
		const struct value *events = value_get(message, "events");
		for (const struct value *event = events->list.first; event; event = event->next)
			take_event(id_of(value_get(event, "id")), events->list.count == 1);
		ck_assert_int_eq(record_id_compare(id_of(value_get(message, "cursor")), at), 0);
	} else if (slice_is(op->text, "replayEnd")) {
		ck_assert_int_eq(record_id_compare(id_of(value_get(message, "at")), at), 0);
		ck_assert_msg(next_place() >= floor_count, "seed %u: it ends too soon", seed);
	} else {
		ck_assert_msg(slice_is(op->text, "notice"), "seed %u: an unexpected push", seed);
	}
}

static void read_all(void)
{
	for (const char *text; (text = peer_next(&peer));) {
		struct arena arena;
		struct value *message;
		char why[128];
		arena_init(&arena, 16 << 20);
		ck_assert_int_eq(codec_json.decode(&arena, slice_of(text), &message, why), OK);
		take_message(message);
		arena_fini(&arena);
	}
}

static void send_control(enum deed deed, size_t count, struct record_id to, const char *members)
{
	char request[256];
	ck_assert_uint_lt(sent + 1, CONTROLS);
	controls_sent[++sent].deed = deed;
	controls_sent[sent].count = count;
	controls_sent[sent].done = 0;
	controls_sent[sent].to = to;
	snprintf(request, sizeof request, "{\"id\":%zu,\"op\":\"control\",\"replay\":\"r1\",\"do\":%s}", sent, members);
	peer_says(&peer, request);
}

static void seek(void)
{
	char members[128], text[RECORD_ID_TEXT];
	struct record_id to = past.events[throw(past.count)].id;
	if (throw(3) == 0)
		to.ms++;
	record_id_write(text, to);
	snprintf(members, sizeof members, "\"seek\",\"to\":\"%s\"", text);
	send_control(DEED_SEEK, 0, record_id_previous(to), members);
}

static void step(bool is_back)
{
	char members[64];
	size_t count = 1 + throw(throw(4) ? 3 : 40);
	snprintf(members, sizeof members, "\"step\",\"count\":%s%zu", is_back ? "-" : "", count);
	send_control(is_back ? DEED_BACK : DEED_STEP, count, (struct record_id){0}, members);
}

static void change_speed(void)
{
	static const char *const speeds[] = {"0.1", "1", "33.3", "1000", "\"max\""};
	char members[64];
	snprintf(members, sizeof members, "\"speed\",\"speed\":%s", speeds[throw(5)]);
	send_control(DEED_SPEED, 0, (struct record_id){0}, members);
}

static void answer_one(void)
{
	if (!past.waiting_count)
		return;
	size_t which = throw(past.waiting_count);
	bool is_ok = throw(8) != 0;
	if (is_ok && !past.waiting[which]->page.is_reverse)
		floor_count = past.count;
	fake_answer(exchange, which, is_ok ? OK : throw(2) ? ERR_CLOSED : ERR_TIMEOUT);
}

static void act(void)
{
	static const struct record_id none;
	switch (throw(16)) {
	case 0:
		send_control(DEED_PAUSE, 0, none, "\"pause\"");
		break;
	case 1:
	case 2:
		send_control(DEED_PLAY, 0, none, "\"play\"");
		break;
	case 3:
		seek();
		break;
	case 4:
		step(false);
		break;
	case 5:
		step(true);
		break;
	case 6:
		change_speed();
		break;
	case 7:
		record_at(fake_last().ms + throw(2000), fake_last().seq + 1, (int) throw(3));
		break;
	case 8:
		peer.is_stuck = true;
		break;
	case 9:
		peer_unstick(&peer);
		break;
	case 10:
	case 11:
		clock_fake_advance_ms(throw(3000));
		break;
	default:
		answer_one();
	}
	exchange_end_turn(exchange);
	read_all();
}

static void begin_schedule(void)
{
	static const struct {
		const char *members;
		int wanted;
	} ranges[] = {{"", -1}, {",\"session\":\"s1\"", 1}, {",\"filter\":{\"session\":[\"s0\",\"s1\"]}", 9}};
	char request[256];
	struct exchange_settings settings = past_settings();
	settings.past_requests_max = 0;
	settings.ring_records_max = 1 + throw(64);
	replay_test_begin(settings);
	past.page_entries = 1 + throw(20);
	for (size_t i = 0, count = 20 + throw(100); i < count; i++)
		record_at(fake_last().ms + throw(2000), fake_last().seq + 1, (int) throw(3));
	size_t range = throw(3);
	wanted = ranges[range].wanted;
	sent = answered = given = floor_count = 0;
	at = (struct record_id){0};
	is_on_event = false;
	snprintf(request, sizeof request, "{\"id\":0,\"op\":\"replay\",\"speed\":%d%s}", 1 + (int) throw(1000),
	         ranges[range].members);
	peer_says(&peer, request);
}

/* What is left is given at the end. */
static void end_schedule(void)
{
	peer_unstick(&peer);
	settle(exchange);
	floor_count = past.count;
	clock_fake_advance_ms(5000);
	settle(exchange);
	read_all();
	send_control(DEED_SPEED, 0, (struct record_id){0}, "\"speed\",\"speed\":\"max\"");
	send_control(DEED_PLAY, 0, (struct record_id){0}, "\"play\"");
	settle(exchange);
	clock_fake_advance_ms(5000); /* what failed while it was paused is tried again */
	settle(exchange);
	read_all();
	ck_assert_msg(next_place() == past.count, "seed %u: something was not given", seed);
	ck_assert_uint_eq(answered, sent);
	replay_test_end();
}

START_TEST(whatever_a_client_does_it_is_given_the_log_from_its_position_on)
{
	size_t all = 0;
	for (seed = 1; seed <= SCHEDULES; seed++) {
		dice = (struct random){seed * UINT64_C(0x9e3779b97f4a7c15)};
		begin_schedule();
		for (int i = 0; i < STEPS; i++)
			act();
		end_schedule();
		all += given;
	}
	ck_assert_uint_gt(all, (size_t)SCHEDULES * 20);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("replay_model");
	tcase_add_test(tests, whatever_a_client_does_it_is_given_the_log_from_its_position_on);
	Suite *suite = suite_create("replay_model");
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

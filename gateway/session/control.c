/* The request "control": what a client does with a replay of its own. */
#include <stdio.h>

#include "common/base/clock.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/replay.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/step.h"

static void reply(const struct request *request, const struct replay *replay)
{
	request_succeed(request, step_ok(replay, NULL));
}

static void on_pause(const struct request *request, struct replay *replay)
{
	steps_end(replay);
	replay_pause(replay);
	reply(request, replay);
}

static void on_play(const struct request *request, struct replay *replay)
{
	steps_end(replay);
	replay_play(replay);
	reply(request, replay);
}

static void on_seek(const struct request *request, struct replay *replay)
{
	const struct value *to = value_get(request->body, "to");
	struct moment moment;
	char why[128], message[160];
	if (!to || moment_parse(to, clock_wall_ms(), &moment, why) != OK) {
		snprintf(message, sizeof message, "to: %s", to ? why : "missing, a cursor or a time is needed");
		request_fail(request, "bad_request", message);
		return;
	}
	steps_end(replay);
	replay_seek(replay, record_id_previous(moment_first(&moment, request->session->exchange->log_head)));
	reply(request, replay);
}

static void on_step(const struct request *request, struct replay *replay)
{
	const struct value *count = value_get(request->body, "count");
	uint64_t events = 1;
	bool is_back = count && count->kind == VALUE_INT;
	if (count)
		events = is_back ? (uint64_t)0 - (uint64_t)count->sint : count->kind == VALUE_UINT ? count->uint : 0;
	if (events >= 1 && events <= STEP_EVENTS_MAX)
		step_begin(request, replay, is_back, events);
	else
		request_fail(request, "bad_request",
		             "count: a whole number from 1 to 10000 is needed, or from -10000 to -1 to step back");
}

static void on_speed(const struct request *request, struct replay *replay)
{
	double speed = replay->clock.speed;
	if (!value_get(request->body, "speed")) {
		request_fail(request, "bad_request",
		             "speed: missing, a number from 0.1 to 1000, or \"max\", is needed");
	} else if (request_speed(request, &speed)) {
		steps_end(replay);
		replay_set_speed(replay, speed);
		reply(request, replay);
	}
}

static void on_stop(const struct request *request, struct replay *replay)
{
	steps_end(replay);
	request_succeed(request, step_ok(replay, "stopped"));
	replay_close(replay);
}

void request_control(const struct request *request)
{
	static const struct {
		const char *name;
		void (*handle)(const struct request *request, struct replay *replay);
	} deeds[] = {{"pause", on_pause}, {"play", on_play},   {"seek", on_seek},
	             {"step", on_step},   {"speed", on_speed}, {"stop", on_stop}};
	struct slice key, deed;
	if (!request_required_string(request, "replay", &key) || !request_required_string(request, "do", &deed))
		return;
	struct replay *replay = replay_find(request->session, key);
	if (!replay) {
		request_fail(request, "no_such_replay", "replay: this connection has no replay of that key");
		return;
	}
	for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
		if (slice_is(deed, deeds[i].name)) {
			deeds[i].handle(request, replay);
			return;
		}
	}
	request_fail(request, "bad_request",
	             "do: one of \"pause\", \"play\", \"seek\", \"step\", \"speed\", \"stop\" is needed");
}

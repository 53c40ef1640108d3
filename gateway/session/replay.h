/* A replay gives a range of the past again: at the pace at which it was recorded times a speed, or as fast as its client
 * reads. It has a position, which its client moves (control.c, step.h): everything up to it lies behind. It is a reader
 * and one event ahead of the position; nothing queues for it, so a client that does not read costs no memory and lets the
 * clock fall behind. At its end it stays where it is until it is stopped, or becomes a subscription that goes on right behind it.
 * Owned by its session, which frees it when it is closed; same thread. */
#ifndef GATEWAY_SESSION_REPLAY_H
#define GATEWAY_SESSION_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/protocol/log.h"
#include "common/protocol/value.h"
#include "gateway/filter/filter.h"
#include "gateway/history/replay_clock.h"
#include "gateway/session/alarms.h"
#include "gateway/session/reader.h"
#include "gateway/session/writers.h"

struct exchange;
struct session;

/* ENDED: it played up to the end of its range. It waits there, as PAUSED does. */
enum replay_state { REPLAY_PLAYING, REPLAY_PAUSED, REPLAY_ENDED };

struct replay {
	struct list in_session, in_exchange;
	struct session *session;
	char key[24];
	enum replay_state state;
	bool goes_live;
	struct filter *filter;
	struct record_id to;    /* inclusive; as a reader takes it */
	struct record_id at;    /* the position: the event that was given last, or where it was moved to */
	bool is_on_event;       /* at is an event that was given */
	struct reader *reader;  /* NULL: to be opened, behind place */
	struct record_id place;
	struct record *next;    /* read and not given yet; a reference */
	struct replay_clock clock;
	uint64_t rest_until_ns; /* no batch before */
	struct writer writer;
	struct alarm wake;      /* the next event is due, or what failed is tried again */
	uint64_t backoff_ms;
	uint64_t failing_since_ns; /* 0: the past can be read */
	bool is_told;           /* the client knows that it cannot */
	struct list steps;      /* struct step, in_replay: under way, in the order in which they are done */
	struct reader *back;    /* at the position, on the way back; NULL: nobody steps back */
};

struct replay_wish {
	struct filter *filter;
	struct reader_range range;
	double speed;
	uint64_t max_gap_ms;
	bool goes_live;
};

/* Takes a reference to the filter. Plays once replay_play() was called. NULL: no memory. */
struct replay *replay_open(struct session *session, const struct replay_wish *wish) MUST_USE;
void replay_close(struct replay *replay); /* its steps must have ended; frees */
void replays_close(struct session *session);
struct replay *replay_find(const struct session *session, struct slice key); /* NULL: none */

void replay_play(struct replay *replay);
void replay_pause(struct replay *replay);
void replay_set_speed(struct replay *replay, double speed);
/* What comes next is what lies behind place, within the range. It goes on playing if it did. */
void replay_seek(struct replay *replay, struct record_id place);
/* The same, onto an event that the client is given on its own. */
void replay_seek_event(struct replay *replay, const struct record *record);
/* The replay came to the end of its range, playing or by steps. */
void replay_end(struct replay *replay);
/* Says that it played to the end. One that goes live is then a subscription, and is no more. */
void replay_tell_end(struct replay *replay);

/* Another log took the place of the one that is replayed; up to base they are the same. */
void replays_log_replaced(struct exchange *exchange, struct record_id base);

/* --- For the files of a replay --------------------------------------------------------------------------------------- */

/* Looks at the event that comes next: READER_RECORD, it is replay->next. Else what the reader says; READER_WAIT also where
 * the session was closed for want of memory. */
enum reader_step replay_pull(struct replay *replay);
/* A batch: begin, give for each event (it is then the position), send. False: the session was closed. */
bool replay_begin(struct replay *replay);
void replay_give(struct replay *replay, const struct record *record, size_t count); /* count: those in the batch before it */
bool replay_send(struct replay *replay, size_t count);
/* Whether the batch has room and the client's rate allows an event, which it then counts. */
bool replay_takes(struct replay *replay, size_t count);
void replay_tell_gap(const struct replay *replay, struct record_id after, struct record_id before, const char *reason);

#endif

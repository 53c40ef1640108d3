/* What the files of this room share about an exchange; nobody outside includes it. */
#ifndef GATEWAY_SESSION_EXCHANGE_INSIDE_H
#define GATEWAY_SESSION_EXCHANGE_INSIDE_H

#include "common/base/arena.h"
#include "common/base/list.h"
#include "common/base/random.h"
#include "common/data/buf.h"
#include "common/data/table.h"
#include "gateway/filter/index.h"
#include "gateway/session/alarms.h"
#include "gateway/session/delta.h"
#include "gateway/session/exchange.h"
#include "gateway/session/heartbeat.h"

#define EXCHANGE_SPARE_BUFFERS 8

struct exchange {
	struct exchange_settings settings;
	struct list sessions; /* struct session, in_exchange */
	size_t session_count;
	struct table cohorts; /* by table_key */
	struct index *index;
	struct list dirty;    /* cohorts with pending events, oldest first */
	uint64_t flush_ns;    /* none of these is due before */
	struct heartbeats heartbeats;
	struct list draining; /* sessions by drain_ns */
	bool is_draining;
	struct arena arena; /* the request that is handled, and the message that is made: tellings and replies give it back when they are sent */
	struct buf message; /* the message that is being framed */
	struct buf head;    /* the head of a batch */
	struct deflater *deflater; /* NULL until a message is to be compressed */
	struct buf packed;         /* what it made last */
	struct buf spare[EXCHANGE_SPARE_BUFFERS]; /* emptied batch buffers, for the next cohort that has events */
	size_t spare_count;
	struct random random; /* jitter */
	struct feed_state feed;     /* as the feed said last; epoch 0: no log is known, and log_head is zero */
	struct record_id log_head;  /* everything up to it was decided over here, of feed.log.epoch */
	uint64_t unrecorded_phase;  /* how often the feed stopped to give ids */
	uint64_t unrecorded_count;  /* events that came without ids, ever, and how many of them came again with them: in the same order */
	uint64_t repeat_count;
	uint64_t newest_live;       /* the unrecorded_count that who went live last has not seen */
	bool is_redis_down;
	bool is_over_memory;        /* relief.h */
	struct ring *ring;
	size_t ring_count;          /* as the metric has it */
	struct list catchups;       /* struct catchup, all */
	struct list ahead;          /* those whose place is behind log_head: in_ahead */
	struct list replays;        /* struct replay, all */
	struct delta_store deltas;
	struct buf full;            /* the frame of a batch with deltas, for those who need it in full */
	struct buf piece;           /* the frame of one that catches up, or of a replay */
	struct table askers;  /* struct asker by ticket */
	uint64_t last_ticket;
	struct list publishes; /* struct publish, in_exchange: what clients publish and is not answered yet */
	struct list writing;  /* sessions with writers, in_writing; those whose port is not clear come back by session_writable() */
	struct alarms alarms;
	struct list bearers;  /* struct bearer, in_exchange */
};

#endif

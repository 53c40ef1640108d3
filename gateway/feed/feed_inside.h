/* The inside of the feed, for the files of this room: feed.c holds the life of a link, hearing.c what is said on the
 * live channel, heal.c reads the log, recorder.c and calls.c record, precedence.c says who may, delivery.c makes the
 * batches. Owned by the hub's thread. */
#ifndef GATEWAY_FEED_FEED_INSIDE_H
#define GATEWAY_FEED_FEED_INSIDE_H

#include "common/base/random.h"
#include "gateway/feed/early.h"
#include "gateway/feed/feed.h"
#include "gateway/feed/pending.h"
#include "gateway/feed/stamps.h"

#define FEED_NEVER UINT64_MAX

enum feed_phase {
	FEED_DOWN,       /* no link */
	FEED_OPENING,    /* asks where the log stands; nothing is subscribed yet */
	FEED_SUBSCRIBED, /* not proved yet */
	FEED_UP,
};

/* What was said on the live channel by this link: the stamps of all entries behind after up to last came. */
struct heard {
	uint64_t epoch; /* 0: nothing was said */
	struct record_id after, last;
	/* Entries that are not, or no longer, pending, since their publishers stored them: for when they are read.
	 * Outlives the link. */
	struct early published;
	uint64_t published_epoch;
};

struct heal {
	bool is_active;
	bool to_end; /* until a page ends the log: for who wants to know what became of its calls */
	struct record_id upto;
	uint64_t ticket; /* 0: no page was asked for; the rest is as it was when one was */
	struct record_id asked_upto;
	bool asked_to_end;
	uint64_t asked_after_answers; /* recorder.answers */
	uint64_t retry_ns, retry_wait_ns;
	uint64_t progress_ns; /* of the begin, and of every page */
};

enum recorder_state { RECORDER_NONE, RECORDER_CLAIMING, RECORDER_FENCING, RECORDER_RECORDING, RECORDER_STATES };

#define TOKEN_MAX 128
struct recorder {
	enum recorder_state state;
	bool is_retired, by_force;
	bool is_called;        /* a node that lacks events which this one holds would take the lease */
	char token[TOKEN_MAX]; /* of the last claim */
	uint64_t claim_ticket, renew_ticket;
	uint64_t claim_ns, renew_ns, fence_by_ns; /* due times */
	bool is_fence_heard;
	struct record_id fence_last;
	uint64_t forced_wait_ns; /* how long a record waits before the lease is taken by force */
	uint64_t quiet_ns;       /* since then nothing became of the oldest pending record */
	struct list calls;       /* struct record_call, as sent */
	struct record_call *spare_calls;
	size_t in_flight;
	uint64_t answers; /* number of the last answer */
	size_t failures;  /* in a row */
	uint64_t retry_ns;
	struct feed_entry *entries; /* for one call */
};

/* Of this link. */
struct precedence {
	uint64_t up_ns;
	bool is_complete;        /* what it did not bring is in the log, as far as anybody knows of it */
	bool is_asking;          /* and the lease did not change hands since */
	uint64_t first_asked_ns; /* since the lease last changed hands; 0: not since then */
	uint64_t asked_ns;       /* last */
	uint64_t take_ns; /* then it takes the lease, if nobody who goes first asks meanwhile; 0: it asks before */
	uint64_t held_ns; /* since then the same other node was seen to hold the lease; 0: none was */
	char question[QUESTION_MAX];
	uint64_t wait_until_ns; /* one that holds older events asked: it goes first */
};

struct feed {
	struct feed_settings settings;
	struct feed_ops ops;
	void *context;
	struct random random;
	uint64_t last_ticket;
	enum feed_phase phase;
	bool is_placed; /* the log's place is known on this link: stamps may be used */
	uint64_t link;  /* its number */
	uint64_t open_ticket, open_ns;
	bool open_again;
	struct record_id link_began; /* the log's last id before this link subscribed */
	struct record_id unseen; /* stamps up to here are of entries that no page and no earlier stamp brought: the head
	                            was put behind them */
	struct record_id silent; /* the log up to here precedes this node: it is read for what earlier links brought,
	                            and not delivered */
	struct feed_state state, told;
	bool was_told;
	struct record_id head;      /* everything up to it was delivered, or precedes this node, or is gone */
	uint64_t awake_ns, turn_ns; /* runs without a long pause since then; last ran then */
	struct pending pending;
	struct early early;
	struct heard heard;
	struct pending_record
	    *last_heard;   /* the event that came directly before what is said now; NULL: none, or taken */
	bool is_announced; /* the next event was stored by its publisher */
	struct heal heal;
	struct recorder recorder;
	struct precedence precedence;
	struct record_batch *batch; /* in the making */
};

uint64_t feed_new_ticket(struct feed *feed);
bool feed_is_ready(const struct feed *feed); /* stamps are used as they come */
void feed_ask_open(struct feed *feed);       /* where the log stands: something says that it is not where we think */
struct record *feed_take_pending(struct feed *feed, struct pending_record *at);
uint64_t feed_jitter(struct feed *feed, uint64_t about_ns); /* 3/4 to 5/4 of it */

/* delivery.c */
struct record_id delivery_end(const struct feed *feed); /* up to where clients have what they are to have */
void delivery_tell(struct feed *feed); /* ops.changed, where something did, behind what was delivered before */
/* Takes the record over. It is stamped, or copied if it was delivered before; the log's entry before it is `before`. */
void delivery_recorded(struct feed *feed, struct record *record, bool was_delivered, struct record_id id,
                       struct record_id before);
void delivery_unrecorded(struct feed *feed, struct record *record); /* takes a reference */
void delivery_flush(struct feed *feed);
void delivery_stop_waiting(
    struct feed *feed);                 /* all that is undelivered goes out without ids, and so does what follows */
void delivery_heard(struct feed *feed); /* at the end of a read: what need not wait */
uint64_t delivery_grace_ends(struct feed *feed); /* FEED_NEVER: nothing waits */

/* hearing.c */
void hearing_reset(struct feed *feed); /* the link is gone, or new */
void hearing_forget_announced(struct feed *feed);

/* heal.c */
void heal_begin(struct feed *feed, struct record_id upto); /* or goes on up to there */
void heal_to_end(struct feed *feed);
void heal_stop(struct feed *feed);
uint64_t heal_tick(struct feed *feed, uint64_t now_ns);

/* recorder.c */
enum err recorder_init(struct feed *feed) MUST_USE;
void recorder_fini(struct feed *feed);
void recorder_stop(struct feed *feed, bool is_released); /* no lease any more, nothing in flight counts */
void recorder_on_fence(struct feed *feed, const struct stamps *fence);
void recorder_on_call(struct feed *feed); /* a node asked that lacks events which this one holds, or may */
void recorder_on_progress(struct feed *feed, bool was_oldest); /* a stamp or an entry freed a pending record */
void recorder_try_begin(struct feed *feed);                    /* the head moved, or the fence came */
uint64_t recorder_tick(struct feed *feed, uint64_t now_ns);

/* precedence.c */
void precedence_reset(struct feed *feed); /* the link is gone, or new */
void precedence_complete(struct feed *feed);
struct slice precedence_question(struct feed *feed,
                                 uint64_t now_ns); /* to be asked before the lease is taken; NULL: it may be taken */
bool precedence_waits(const struct feed *feed, uint64_t now_ns);  /* another goes first */
uint64_t precedence_on_asked(struct feed *feed, uint64_t now_ns); /* when to claim next */
void precedence_on_change(struct feed *feed);                     /* the lease changed hands, or may have */
void precedence_on_held(struct feed *feed, uint64_t now_ns);      /* by another */
void precedence_on_question(struct feed *feed, const struct stamps *question);

/* calls.c */
/* Records on their way into the log. Settled, and gone, when its answer is known and its entries were delivered. */
struct record_call {
	struct list link;
	uint64_t ticket;
	size_t count, marked;  /* records; pending ones that are marked with it */
	uint64_t digest;       /* of the hashes */
	struct record_id last; /* of its entries; zero: not known */
	bool is_failed;        /* done or not: only the log tells */
	uint64_t answer;       /* its number; 0: none yet */
	uint64_t answered_ns;
	bool is_read;               /* the log was read to its end since the answer came */
	struct record_id read_upto; /* that end: when the stamps up to there came, all is known */
};
void calls_send(struct feed *feed, uint64_t now_ns);
void calls_forget(struct feed *feed);                   /* all: their answers do not count */
void calls_settle(struct feed *feed, uint64_t answers); /* those answered by then: the log was read since */
void calls_reached(struct feed *feed);                  /* the head moved: those whose entries it passed */
struct record_call *calls_recognise(struct feed *feed,
                                    struct stamps stamps);             /* whose stamps these are; NULL: of none */
void call_is_stamped(struct record_call *call, struct record_id last); /* its entries end there */
void call_pass_on(
    struct feed *feed,
    struct pending_record *from); /* a foreign stamp takes it: another one like it is in the call instead */
uint64_t calls_tick(struct feed *feed, uint64_t now_ns);

#endif

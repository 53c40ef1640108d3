/* A logscript on a link in the test's own thread, with a loop that the test turns by hand. The verbs below call it and turn
 * until the answer came; the test may call rig->script itself, with logrig_on_... and the rig, and turn. Whatever comes
 * twice, or for nothing, fails the test. */
#ifndef TESTS_SUPPORT_REDIS_LOGRIG_H
#define TESTS_SUPPORT_REDIS_LOGRIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/data/buf.h"
#include "gateway/redis/logscript.h"
#include "gateway/redis/url.h"
#include "tests/support/deadline.h"

#define LOGRIG_TICKETS_MAX 100000

struct logrig {
	struct event_base *base;
	struct event *beat;
	struct url url;
	struct link *link;
	bool is_up, is_down;
	struct logscript_settings settings;
	struct logscript *script;
	uint64_t tickets; /* given so far: the next is one more */
	unsigned answered;
	signed char results[LOGRIG_TICKETS_MAX]; /* by ticket; -1: not answered yet */
	struct buf order;        /* "<ticket> " of each answer */
	/* Of the last answer. */
	char why[256];
	struct log_position position;
	struct record_id id;
	struct stream_facts facts;
	uint64_t cursor;
	struct buf entries;    /* struct log_entry; their texts are not to be looked at */
	struct buf text;       /* "channel payload\n" of each entry, "session length\n" of each session */
};

void logrig_init(struct logrig *rig, const char *url); /* connects; prefix "tg:" and the bounds of the preset test */
void logrig_fini(struct logrig *rig);
void logrig_connect(struct logrig *rig); /* anew, after the link ended or was closed */
void logrig_turn(struct logrig *rig);
uint64_t logrig_ticket(struct logrig *rig);
void logrig_until_answered(struct logrig *rig, unsigned answered); /* so many in all */

void logrig_on_done(void *rig, uint64_t ticket, enum logscript_result result, const char *why);
void logrig_on_read(void *rig, uint64_t ticket, enum logscript_result result, const struct log_entry *entries, size_t count, const char *why);

enum logscript_result logrig_open(struct logrig *rig, struct log_position known);
enum logscript_result logrig_claim(struct logrig *rig, const char *token, bool by_force);
enum logscript_result logrig_ask(struct logrig *rig, const char *token, bool by_force, struct slice question); /* and claims */
enum logscript_result logrig_renew(struct logrig *rig, const char *token);
enum logscript_result logrig_record(struct logrig *rig, const char *token, uint64_t epoch, const struct logscript_event *events, size_t count);
enum logscript_result logrig_publish(struct logrig *rig, const struct logscript_event *event);
enum logscript_result logrig_read(struct logrig *rig, const char *session, struct record_id from, struct record_id to, bool is_reverse, size_t count);
enum logscript_result logrig_inspect(struct logrig *rig, const char *session);
enum logscript_result logrig_list(struct logrig *rig, uint64_t cursor, size_t limit);

#define LOGRIG_UNTIL(rig, condition)                                                                        \
	do {                                                                                                \
		struct deadline logrig_deadline = deadline_in(DEADLINE_MS);                                 \
		while (!(condition)) {                                                                      \
			ck_assert_msg(!deadline_has_passed(logrig_deadline), "not in time: %s", #condition); \
			logrig_turn(rig);                                                                   \
		}                                                                                           \
	} while (0)

#endif

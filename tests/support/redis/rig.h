/* An upstream in the test's own process and thread, with a loop that the test turns by hand: what it says, passes up and
 * logs is kept to be looked at. Deadlines are those of the tests' support (DEADLINE_MS). */
#ifndef TESTS_SUPPORT_REDIS_RIG_H
#define TESTS_SUPPORT_REDIS_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/data/buf.h"
#include "gateway/redis/upstream.h"
#include "tests/support/deadline.h"

struct rig {
	struct event_base *base;
	struct event *beat; /* turns the loop every few ms, so that conditions are looked at */
	struct url url;
	struct slice patterns[8];
	struct upstream_settings settings;
	struct upstream *upstream;
	unsigned ups, downs;
	bool holds_back;     /* has on_linked: the test calls upstream_subscribe() */
	unsigned links;      /* on_linked */
	const struct link *commands_at_link;
	void (*on_state)(struct rig *rig, bool is_up); /* may be NULL */
	unsigned messages, lives, reads;
	struct buf received; /* "channel payload\n" of each message, "live payload\n" */
	struct buf logged;   /* the log, line by line */
};

/* Makes the loop and the settings of the preset test with short times; a test may change rig->settings before rig_start. */
void rig_init(struct rig *rig, const char *url);
void rig_set_patterns(struct rig *rig, const char *const *patterns); /* NULL at their end; at most 8 */
void rig_start(struct rig *rig);
void rig_fini(struct rig *rig);

void rig_turn(struct rig *rig);                        /* one turn of the loop; at most a few ms */
void rig_run_ms(struct rig *rig, uint64_t ms);         /* turns for that long: to see that nothing happens */
void rig_run_until_up(struct rig *rig, unsigned ups);   /* it was up that often, and is */
void rig_run_until_down(struct rig *rig, unsigned downs);
void rig_run_until_messages(struct rig *rig, unsigned messages);
void rig_run_until_logged(struct rig *rig, const char *text);
bool rig_has_logged(const struct rig *rig, const char *text);
unsigned rig_count(const struct buf *text, const char *what); /* how often it stands there */

/* Turns while the condition does not hold; fails the test at the deadline. */
#define RIG_UNTIL(rig, condition)                                                                        \
	do {                                                                                             \
		struct deadline rig_deadline = deadline_in(DEADLINE_MS);                                 \
		while (!(condition)) {                                                                   \
			ck_assert_msg(!deadline_has_passed(rig_deadline), "not in time: %s", #condition); \
			rig_turn(rig);                                                                   \
		}                                                                                        \
	} while (0)

#endif

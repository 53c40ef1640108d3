/* Deadlines for tests: a moment on the monotonic clock, in ms. Whatever waits takes one, so that a test that hangs fails
 * by itself and says where. Nothing here sleeps: waiting is poll(2) on a descriptor. */
#ifndef TESTS_SUPPORT_DEADLINE_H
#define TESTS_SUPPORT_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#define DEADLINE_MS 15000 /* long enough for a sanitizer build on a busy machine */

struct deadline {
	uint64_t at_ms;
};

struct deadline deadline_in(uint64_t ms);
bool deadline_has_passed(struct deadline deadline);
int deadline_left_ms(struct deadline deadline); /* for poll(2): never negative */

/* Waits until the descriptor has one of the poll(2) events (or an error). False: the deadline passed. */
bool deadline_wait_fd(int fd, short events, struct deadline deadline);
/* For conditions that no descriptor announces: waits for one beat of a timer (a few ms) between two looks at it.
 * False: the deadline passed. */
bool deadline_next_look(struct deadline deadline);

#endif

#include "tests/support/deadline.h"

#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/base/clock.h"

#define BEAT_MS 3

struct deadline deadline_in(uint64_t ms)
{
	return (struct deadline){clock_mono_ms() + ms};
}

bool deadline_has_passed(struct deadline deadline)
{
	return clock_mono_ms() >= deadline.at_ms;
}

int deadline_left_ms(struct deadline deadline)
{
	uint64_t now_ms = clock_mono_ms();
	return now_ms >= deadline.at_ms ? 0 : (int)(deadline.at_ms - now_ms);
}

bool deadline_wait_fd(int fd, short events, struct deadline deadline)
{
	struct pollfd wanted = {.fd = fd, .events = events};
	int ready;
	do
		ready = poll(&wanted, 1, deadline_left_ms(deadline));
	while (ready < 0 && errno == EINTR);
	return ready > 0;
}

bool deadline_next_look(struct deadline deadline)
{
	if (deadline_has_passed(deadline))
		return false;
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct itimerspec beat = {.it_value = {.tv_nsec = BEAT_MS * 1000000L}};
	timerfd_settime(timer, 0, &beat, NULL);
	deadline_wait_fd(timer, POLLIN, deadline);
	close(timer);
	return true;
}

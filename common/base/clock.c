#include "common/base/clock.h"

#include <stdbool.h>
#include <time.h>

static struct {
	bool on;
	uint64_t mono_ns, wall_ms;
} fake;

static uint64_t read_ns(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return fake.on ? fake.mono_ns : read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / NS_PER_MS;
}

uint64_t clock_wall_ms(void)
{
	return fake.on ? fake.wall_ms : read_ns(CLOCK_REALTIME) / NS_PER_MS;
}

void clock_fake(uint64_t mono_ns, uint64_t wall_ms)
{
	fake.on = true;
	fake.mono_ns = mono_ns;
	fake.wall_ms = wall_ms;
}

void clock_fake_advance_ms(uint64_t ms)
{
	fake.mono_ns += ms * NS_PER_MS;
	fake.wall_ms += ms;
}

void clock_real(void)
{
	fake.on = false;
}

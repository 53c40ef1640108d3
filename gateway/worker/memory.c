#define _GNU_SOURCE
#include "gateway/worker/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "gateway/metrics/metrics.h"

#define ROOM "memory"
#define TRIM_EVERY_MS 2000 /* it takes the locks of all arenas */

/* proc(5): size, resident and shared, in pages. 0: cannot tell. */
static uint64_t used_bytes(void)
{
	char text[128];
	uint64_t resident = 0, shared = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	text[len > 0 ? len : 0] = '\0';
	if (sscanf(text, "%*u %" SCNu64 " %" SCNu64, &resident, &shared) != 2 || shared > resident)
		return 0;
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What was freed is the allocator's still, and counts, until it is given back (malloc_trim(3)). */
static void give_back(struct memory *memory, uint64_t now_ms)
{
	if (memory->trimmed_ms && now_ms - memory->trimmed_ms < TRIM_EVERY_MS)
		return;
	memory->trimmed_ms = now_ms;
	malloc_trim(0);
}

void memory_init(struct memory *memory, struct node *node, uint64_t limit_bytes)
{
	*memory = (struct memory){.node = node};
	budget_init(&memory->budget, limit_bytes);
}

static void publish(struct memory *memory, uint64_t used)
{
	atomic_store(&memory->node->over_memory_since_ms, memory->budget.is_over ? memory->budget.over_since_ms : 0);
	metric_gauge_set(METRIC_MEMORY_USED, (int64_t)used);
	metric_gauge_set(METRIC_MEMORY_LIMIT, (int64_t)memory->budget.limit);
	metric_gauge_set(METRIC_MEMORY_OVER, memory->budget.is_over);
}

enum memory_news memory_look(struct memory *memory)
{
	uint64_t now_ms = clock_mono_ms(), used = used_bytes();
	bool was_over = memory->budget.is_over;
	bool is_over = budget_look(&memory->budget, used, now_ms);
	publish(memory, used);
	if (is_over)
		give_back(memory, now_ms);
	if (is_over && !was_over)
		log_warn(ROOM, "over limits.memory: new work is refused", log_int("used", used), log_int("limit", memory->budget.limit));
	else if (was_over && !is_over)
		log_info(ROOM, "below limits.memory again", log_int("used", used), log_int("limit", memory->budget.limit));
	return is_over ? MEMORY_OVER : was_over ? MEMORY_BACK : MEMORY_FINE;
}

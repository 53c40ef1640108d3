#include "common/base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log_line.h"

#define ROOMS_MAX 32
#define ROOM_BYTES 16
#define NODE_BYTES 128

struct levels {
	enum log_level all;
	size_t count;
	struct {
		char name[ROOM_BYTES];
		enum log_level level;
	} rooms[ROOMS_MAX];
};

/* Written by log_setup before any thread starts, read by all. */
static struct {
	struct levels levels;
	bool as_json;
	char node[NODE_BYTES];
} setup = {.levels = {.all = LOG_LEVEL_INFO}};

static struct {
	void (*write)(const char *line, size_t len, void *context);
	void *context;
} sink;

static _Atomic uint64_t suppressed_total;

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

static bool read_level(struct slice text, enum log_level *ret_level)
{
	for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
		if (slice_is(text, level_names[i])) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* "level" or "room=level". */
static bool read_entry(struct slice entry, struct levels *levels)
{
	const char *equals = entry.len ? memchr(entry.ptr, '=', entry.len) : NULL;
	if (!equals)
		return read_level(entry, &levels->all);
	struct slice room = slice_trim((struct slice){entry.ptr, (size_t)(equals - entry.ptr)});
	struct slice level = slice_trim((struct slice){equals + 1, entry.len - (size_t)(equals - entry.ptr) - 1});
	if (room.len == 0 || room.len >= ROOM_BYTES || levels->count == ROOMS_MAX)
		return false;
	memcpy(levels->rooms[levels->count].name, room.ptr, room.len);
	return read_level(level, &levels->rooms[levels->count++].level);
}

static bool read_levels(const char *text, struct levels *levels)
{
	*levels = (struct levels){.all = LOG_LEVEL_INFO};
	const char *at = text;
	for (;;) {
		size_t len = strcspn(at, ",");
		if (!read_entry(slice_trim((struct slice){at, len}), levels))
			return false;
		if (at[len] == '\0')
			return true;
		at += len + 1;
	}
}

enum err log_setup(const char *levels, bool as_json, const char *node)
{
	struct levels read;
	if (!read_levels(levels, &read))
		return ERR_INVALID;
	setup.levels = read;
	setup.as_json = as_json;
	snprintf(setup.node, sizeof setup.node, "%s", node ? node : "");
	return OK;
}

bool log_is_valid_levels(const char *levels)
{
	struct levels read;
	return read_levels(levels, &read);
}

bool log_levels_name(const char *levels, bool (*is_room)(struct slice name), struct slice *ret_room)
{
	for (const char *at = levels; *at; at += strspn(at, ",")) {
		size_t len = strcspn(at, ","), room_len = strcspn(at, ",=");
		struct slice room = slice_trim((struct slice){at, room_len});
		if (room_len < len && !is_room(room)) {
			*ret_room = room;
			return false;
		}
		at += len;
	}
	return true;
}

/* Of several entries for one room the last wins. */
bool log_is_on(enum log_level level, const char *room)
{
	enum log_level least = setup.levels.all;
	for (size_t i = 0; i < setup.levels.count; i++) {
		if (strcmp(setup.levels.rooms[i].name, room) == 0)
			least = setup.levels.rooms[i].level;
	}
	return level >= least && level < LOG_LEVEL_OFF;
}

/* Opens a new window when the last one is over. Two threads that do so at once may let a few lines more through; no
 * line is lost uncounted. */
static bool may_write(struct log_site *site)
{
	uint64_t now_ms = clock_mono_ms() + 1; /* so that 0 stands for "never" */
	uint64_t window_ms = atomic_load_explicit(&site->window_ms, memory_order_relaxed);
	if ((window_ms == 0 || now_ms - window_ms >= LOG_WINDOW_MS) &&
	    atomic_compare_exchange_strong_explicit(&site->window_ms, &window_ms, now_ms, memory_order_relaxed,
	                                            memory_order_relaxed))
		atomic_store_explicit(&site->count, 0, memory_order_relaxed);
	if (atomic_load_explicit(&site->count, memory_order_relaxed) < LOG_BURST &&
	    atomic_fetch_add_explicit(&site->count, 1, memory_order_relaxed) < LOG_BURST)
		return true;
	atomic_fetch_add_explicit(&site->suppressed, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&suppressed_total, 1, memory_order_relaxed);
	return false;
}

static void write_line(const struct log_line *line)
{
	if (sink.write) {
		sink.write(line->bytes, line->len, sink.context);
		return;
	}
	size_t done = 0;
	while (done < line->len) {
		ssize_t wrote = write(STDERR_FILENO, line->bytes + done, line->len - done);
		if (wrote < 0 && errno != EINTR)
			return; /* there is nowhere left to complain to */
		done += wrote > 0 ? (size_t)wrote : 0;
	}
}

void log_write(struct log_site *site, enum log_level level, const char *room, const char *message,
               const struct log_field *fields)
{
	int saved_errno = errno;
	if (!may_write(site))
		return;
	struct log_line line;
	struct log_head head = {clock_wall_ms(), level_names[level], room, message, setup.node};
	log_line_begin(&line, setup.as_json, &head);
	uint32_t suppressed = atomic_exchange_explicit(&site->suppressed, 0, memory_order_relaxed);
	if (suppressed)
		log_line_field(&line, &log_int("suppressed", suppressed));
	for (; fields->key; fields++)
		log_line_field(&line, fields);
	log_line_end(&line);
	write_line(&line);
	errno = saved_errno;
}

uint64_t log_suppressed(void)
{
	return atomic_load_explicit(&suppressed_total, memory_order_relaxed);
}

void log_capture(void (*write_sink)(const char *line, size_t len, void *context), void *context)
{
	sink.write = write_sink;
	sink.context = context;
}

/* Reads the configuration file. inih splits lines into sections, names and values; what it does not tell is done by the
 * reader that feeds it: line numbers, lines that are no assignment, and lines longer than its buffer (200 bytes in
 * Debian's build), which are handed over in pieces as the continuation lines that inih understands. */
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "gateway/config/load.h"

#define ORIGIN_BYTES 512
#define VALUE_BYTES 16384
#define COMMENT_CHARS ";#"
#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

struct feed {
	struct load *load;
	const char *path;
	struct slice rest;  /* of the file */
	struct slice piece; /* of the line that is being handed over */
	unsigned line;      /* number of that line */
	bool awaits_value;  /* that line must give an assignment or a continuation */
	char name[2 * OPTION_NAME_MAX];
	char value[VALUE_BYTES]; /* of the assignment that may still go on */
	unsigned value_line;     /* 0: none */
	bool is_too_long;
};

static void write_origin(const struct feed *feed, unsigned line, char ret_origin[ORIGIN_BYTES])
{
	snprintf(ret_origin, ORIGIN_BYTES, "%s:%u", feed->path, line);
}

static void report(struct feed *feed, const char *what)
{
	char origin[ORIGIN_BYTES];
	write_origin(feed, feed->line, origin);
	load_mistake(feed->load, "configuration file", origin, "%s", what);
}

/* Sets what was collected: no further line belongs to it. */
static void finish_value(struct feed *feed)
{
	char origin[ORIGIN_BYTES];
	struct assignment assignment = {
	    .source = SOURCE_FILE, .name = feed->name, .value = feed->value, .origin = origin};
	if (feed->value_line == 0)
		return;
	write_origin(feed, feed->value_line, origin);
	feed->value_line = 0;
	if (!option_find(slice_of(feed->name), &assignment.id, &assignment.is_file))
		load_unknown(feed->load, "", slice_of(feed->name), false, origin);
	else if (feed->is_too_long)
		load_mistake(feed->load, feed->name, origin, "is too long");
	else
		load_set(feed->load, &assignment);
}

static int on_assignment(void *context, const char *section, const char *name, const char *value)
{
	struct feed *feed = context;
	bool goes_on = !feed->awaits_value || feed->value_line == feed->line;
	feed->awaits_value = false;
	if (!goes_on || feed->value_line == 0) {
		finish_value(feed);
		snprintf(feed->name, sizeof feed->name, "%s%s%s", section, *section ? "." : "", name);
		feed->value[0] = '\0';
		feed->value_line = feed->line;
		feed->is_too_long = false;
	}
	size_t len = strlen(feed->value);
	size_t more = strlen(value);
	if (more >= VALUE_BYTES - len) {
		feed->is_too_long = true;
		return 1;
	}
	memcpy(feed->value + len, value, more + 1);
	return 1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes the next line off the file, without its end and without an inline comment, and judges it. */
static struct slice take_line(struct feed *feed)
{
	const char *end = memchr(feed->rest.ptr, '\n', feed->rest.len);
	size_t len = end ? (size_t)(end - feed->rest.ptr) : feed->rest.len;
	struct slice line = {feed->rest.ptr, len};
	size_t used = len + (end != NULL);
	feed->rest.ptr += used;
	feed->rest.len -= used;
	feed->line++;
	for (size_t i = 1; i < line.len; i++) {
		if (line.ptr[i] == ';' && is_space(line.ptr[i - 1]))
			line.len = i;
	}
	while (line.len && is_space(line.ptr[line.len - 1]))
		line.len--;
	return line;
}

/* The length of the next piece: it must not end in white space nor the next begin like a comment, or inih would take
 * them away. */
static size_t cut_piece(struct slice line, size_t room)
{
	if (line.len <= room)
		return line.len;
	size_t len = room;
	while (len > 1 &&
	       (is_space(line.ptr[len - 1]) || is_space(line.ptr[len]) || strchr(COMMENT_CHARS, line.ptr[len])))
		len--;
	return len;
}

static void judge_line(struct feed *feed, struct slice line)
{
	size_t indent = 0;
	while (indent < line.len && is_space(line.ptr[indent]))
		indent++;
	if (indent == line.len || strchr(COMMENT_CHARS, line.ptr[indent])) {
		feed->piece = SLICE_LITERAL("");
		return;
	}
	feed->piece = line;
	if (line.ptr[indent] == '[') {
		if (!memchr(line.ptr, ']', line.len))
			report(feed, "a section without \"]\"");
		return;
	}
	feed->awaits_value = indent == 0 || feed->value_line == 0;
}

/* inih's reader: one line, or piece of a line, per call. */
static char *read_line(char *bytes, int size, void *stream)
{
	struct feed *feed = stream;
	bool is_continuation = feed->piece.len > 0;
	if (!is_continuation) {
		if (feed->awaits_value)
			report(feed, "a line that is neither \"[section]\" nor \"name = value\"");
		feed->awaits_value = false;
		if (feed->rest.len == 0)
			return NULL;
		judge_line(feed, take_line(feed));
	}
	size_t room = (size_t)size - sizeof " \n";
	size_t len = cut_piece(feed->piece, room);
	snprintf(bytes, (size_t)size, "%s%.*s\n", is_continuation ? " " : "", (int)len, feed->piece.ptr);
	feed->piece.ptr += len;
	feed->piece.len -= len;
	return bytes;
}

void source_file(struct load *load, const char *path)
{
	char why[128];
	struct feed feed = {.load = load, .path = path};
	if (load_read_file(load, path, &feed.rest, why, sizeof why) != OK) {
		load_mistake(load, path, "configuration file", "%s", why);
		return;
	}
	if (feed.rest.len >= sizeof BYTE_ORDER_MARK - 1 &&
	    memcmp(feed.rest.ptr, BYTE_ORDER_MARK, sizeof BYTE_ORDER_MARK - 1) == 0) {
		feed.rest.ptr += sizeof BYTE_ORDER_MARK - 1;
		feed.rest.len -= sizeof BYTE_ORDER_MARK - 1;
	}
	ini_parse_stream(read_line, &feed, on_assignment, &feed);
	finish_value(&feed);
}

/* The first line is a state as a snapshot holds it, each other line an event's channel and payload. What is taken for a state is
 * written back and read again to the same bytes, before and after the events. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/history/fold.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define LIMIT ((size_t)16 << 20)

static void expect_round_trip(struct fold_rules *rules, struct fold *fold)
{
	struct buf once, twice;
	struct fold *copy = NULL;
	buf_init(&once);
	buf_init(&twice);
	fold_write(fold, &once);
	if (fold_read(rules, LIMIT, SLICE_LITERAL("s"), buf_slice(&once), fold->at, 0, &copy) != OK)
		abort();
	fold_write(copy, &twice);
	if (!slice_equal(buf_slice(&once), buf_slice(&twice)) || copy->events != fold->events)
		abort();
	buf_clear(&twice);
	if (fold_diff(rules, buf_slice(&once), buf_slice(&once), &twice) != OK || !slice_is(buf_slice(&twice), "{}"))
		abort();
	fold_free(copy);
	buf_fini(&once);
	buf_fini(&twice);
}

static struct slice take_line(struct slice *text)
{
	const char *end = text->len ? memchr(text->ptr, '\n', text->len) : NULL;
	struct slice line = {text->ptr, end ? (size_t)(end - text->ptr) : text->len};
	size_t taken = line.len + (end != NULL);
	*text = (struct slice){text->ptr + taken, text->len - taken};
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fold_rules *rules = fold_rules_new(&intake_fields_default, 1);
	struct slice text = {(const char *)(len ? bytes : (const uint8_t *)""), len}, state = take_line(&text);
	struct fold *fold = NULL;
	enum err error = fold_read(rules, LIMIT, SLICE_LITERAL("s"), state, (struct record_id){1, 0}, 0, &fold);
	if (error)
		fold = fold_new(rules, LIMIT, SLICE_LITERAL("s"), (struct record_id){0}, 0);
	else
		expect_round_trip(rules, fold);
	while (text.len) {
		struct slice line = take_line(&text);
		const char *space = line.len ? memchr(line.ptr, ' ', line.len) : NULL;
		struct slice channel = {line.ptr, space ? (size_t)(space - line.ptr) : line.len};
		struct slice payload = {line.ptr + channel.len, line.len - channel.len};
		if (fold_add(fold, (struct record_id){2, 0}, channel, payload) != OK)
			break;
	}
	if (!fold->document.pool.was_full)
		expect_round_trip(rules, fold);
	fold_free(fold);
	fold_rules_free(rules);
	return 0;
}

/* The first line is a channel, the rest a payload: the record's element must be valid whatever they are, before and
 * after it got its id, and must hold a payload that is JSON byte for byte. */
#define _GNU_SOURCE /* memmem */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/json.h"
#include "gateway/feed/intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void judge(const struct record *record, struct slice payload)
{
	struct slice data;
	enum json_kind kind;
	/* A payload as deep as is allowed makes an element that is one level too deep for a reader of ours. */
	struct json_error problem = {0, NULL};
	if (!json_is_valid(record->element, NULL, &problem)) {
		if (strcmp(problem.message, "nested too deeply") != 0)
			abort();
		return;
	}
	if (!json_find(record->element, SLICE_LITERAL("/data"), &data, &kind))
		abort();
	if (record->format == RECORD_JSON && !memmem(payload.ptr, payload.len, data.ptr, data.len))
		abort();
	if (!slice_equal(record->payload, payload) || (record->format != RECORD_JSON && kind != JSON_STRING))
		abort();
	if (!json_is_utf8(record->session) || !json_is_utf8(record->agent) || !json_is_utf8(record->type))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint8_t *line_end = len ? memchr(bytes, '\n', len) : NULL;
	if (!line_end)
		return 0;
	struct slice channel = {(const char *)bytes, (size_t)(line_end - bytes)};
	struct slice payload = {(const char *)line_end + 1, len - channel.len - 1};
	struct record *record = intake_record(&intake_fields_default, channel, payload, len, 0);
	if (!record)
		return 0;
	judge(record, payload);
	record_stamp(record, (struct record_id){UINT64_MAX - len, len});
	judge(record, payload);
	record_unref(record);
	return 0;
}

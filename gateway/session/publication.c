#include "gateway/session/publication.h"

#include <stdio.h>

#include "common/protocol/record.h"
#include "gateway/auth/access.h"
#include "gateway/feed/intake.h"
#include "gateway/filter/glob.h"
#include "gateway/history/question.h"
#include "gateway/session/exchange_inside.h"

static enum err refuse(struct publication_error *ret_error, enum err error, const char *code, const char *message)
{
	ret_error->code = code;
	snprintf(ret_error->message, sizeof ret_error->message, "%s", message);
	return error;
}

static bool is_served(const struct exchange *exchange, struct slice channel)
{
	const struct filter_patterns *served = &exchange->settings.served;
	for (size_t i = 0; i < served->count; i++) {
		if (glob_match(served->patterns[i], channel))
			return true;
	}
	return served->count == 0;
}

enum err publication_question(const struct exchange *exchange, const struct grants *grants, struct slice channel, struct slice payload,
			      struct question **ret_question, struct publication_error *ret_error)
{
	if (channel.len == 0 || channel.len > PUBLICATION_CHANNEL_MAX)
		return refuse(ret_error, ERR_INVALID, "bad_request", "channel: a string of 1 to 1024 bytes is needed");
	if (record_kind_of(channel) == RECORD_SYSTEM)
		return refuse(ret_error, ERR_DENIED, "not_allowed", "channel: system:* is for the gateway's own events");
	if (!is_served(exchange, channel))
		return refuse(ret_error, ERR_INVALID, "channel_not_served",
			      "channel: none of the channels that this gateway serves (redis.patterns)");
	const struct intake_fields *fields = exchange->settings.fields ? exchange->settings.fields : &intake_fields_default;
	struct record *record = intake_record(fields, channel, payload, 0, 0);
	bool is_covered = record && access_covers(grants, record);
	struct question *question = is_covered ? question_new_publish(0, channel, payload, record->session) : NULL;
	record_unref(record);
	if (record && !is_covered)
		return refuse(ret_error, ERR_DENIED, "not_allowed",
			      "your credential does not grant an event of this channel, session and agent");
	if (!question)
		return refuse(ret_error, ERR_NOMEM, "internal", "the gateway is out of memory");
	*ret_question = question;
	return OK;
}

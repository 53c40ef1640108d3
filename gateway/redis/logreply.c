#include "gateway/redis/logreply.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#include "common/base/decimal.h"

#define ODD_ANSWER "an answer that the script does not give"

static void refuse(struct logreply *outcome, const char *why)
{
	outcome->result = LOGSCRIPT_REFUSED;
	snprintf(outcome->why, sizeof outcome->why, "%s", why);
}

static struct slice text_of(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS
	           ? (struct slice){reply->str, reply->len}
	           : SLICE_NONE;
}

/* False for what is the same in every way of failing: no answer, an error. */
static bool is_answered(const redisReply *reply, struct logreply *outcome)
{
	*outcome = (struct logreply){.result = LOGSCRIPT_OK};
	if (!reply) {
		outcome->result = LOGSCRIPT_LOST;
		snprintf(outcome->why, sizeof outcome->why, "the connection to Redis ended");
		return false;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		refuse(outcome, reply->str);
		return false;
	}
	return true;
}

void logreply_read(const redisReply *reply, struct logreply *ret_outcome)
{
	if (!is_answered(reply, ret_outcome))
		return;
	struct slice word = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 ? text_of(reply->element[0])
	                                                                             : SLICE_NONE;
	if (slice_is(word, "LEASE"))
		ret_outcome->result = LOGSCRIPT_NOT_OURS;
	else if (slice_is(word, "EPOCH"))
		ret_outcome->result = LOGSCRIPT_OTHER_EPOCH;
	else if (slice_is(word, "ASKED"))
		ret_outcome->result = LOGSCRIPT_ASKED;
	else if (!slice_is(word, "OK"))
		refuse(ret_outcome, ODD_ANSWER);
}

bool logreply_is_noscript(const redisReply *reply)
{
	return reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0;
}

static bool read_id(const redisReply *reply, struct record_id *ret_id)
{
	return record_id_parse(text_of(reply), ret_id) == OK;
}

static bool read_u64(const redisReply *reply, uint64_t *ret_number)
{
	if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0) {
		*ret_number = (uint64_t)reply->integer;
		return true;
	}
	return decimal_read(text_of(reply), UINT64_MAX, ret_number);
}

static bool read_epoch(const redisReply *reply, uint64_t *ret_epoch)
{
	return epoch_parse(text_of(reply), ret_epoch) == OK;
}

/* Epoch, base, last: three elements. An epoch of no text: there is none. */
static bool read_position(redisReply *const *elements, struct log_position *ret_position)
{
	struct log_position position = {0};
	bool has_epoch = text_of(elements[0]).len > 0;
	if (has_epoch && (!read_epoch(elements[0], &position.epoch) || !read_id(elements[1], &position.base)))
		return false;
	if (!read_id(elements[2], &position.last))
		return false;
	*ret_position = position;
	return true;
}

void logreply_position(const redisReply *reply, struct logreply *ret_outcome, struct log_position *ret_position)
{
	logreply_read(reply, ret_outcome);
	if (ret_outcome->result == LOGSCRIPT_OK &&
	    (reply->elements < 4 || !read_position(reply->element + 1, ret_position)))
		refuse(ret_outcome, ODD_ANSWER);
}

void logreply_id(const redisReply *reply, struct logreply *ret_outcome, struct record_id *ret_id)
{
	if (is_answered(reply, ret_outcome) && !read_id(reply, ret_id))
		refuse(ret_outcome, ODD_ANSWER);
}

static bool read_facts(redisReply *const *elements, struct stream_facts *ret_facts)
{
	struct stream_facts facts = {.exists = true};
	if (!read_u64(elements[0], &facts.length) || !read_u64(elements[1], &facts.entries_added) ||
	    !read_id(elements[2], &facts.first) || !read_id(elements[3], &facts.last) ||
	    !read_id(elements[4], &facts.max_deleted))
		return false;
	*ret_facts = facts;
	return true;
}

void logreply_facts(const redisReply *reply, struct logreply *ret_outcome, struct stream_facts *ret_stream,
                    struct log_position *ret_log)
{
	struct log_position log = {0};
	struct stream_facts stream = {.exists = false};
	logreply_read(reply, ret_outcome);
	if (ret_outcome->result != LOGSCRIPT_OK)
		return;
	bool is_good = (reply->elements == 4 || reply->elements == 9) && read_position(reply->element + 1, &log);
	if (is_good && reply->elements == 9)
		is_good = read_facts(reply->element + 4, &stream);
	if (!is_good) {
		refuse(ret_outcome, ODD_ANSWER);
		return;
	}
	*ret_stream = stream;
	*ret_log = log;
}

void logreply_sessions(const redisReply *reply, struct logreply *ret_outcome, uint64_t *ret_cursor, struct buf *out)
{
	logreply_read(reply, ret_outcome);
	if (ret_outcome->result != LOGSCRIPT_OK)
		return;
	if (reply->elements < 2 || reply->elements % 4 != 2 || !read_u64(reply->element[1], ret_cursor)) {
		refuse(ret_outcome, ODD_ANSWER);
		return;
	}
	for (size_t i = 2; i + 3 < reply->elements; i += 4) {
		struct session_summary summary = {.session = text_of(reply->element[i])};
		if (read_u64(reply->element[i + 1], &summary.length) && read_id(reply->element[i + 2], &summary.first) &&
		    read_id(reply->element[i + 3], &summary.last))
			buf_append(out, &summary, sizeof summary);
	}
	if (buf_has_failed(out))
		refuse(ret_outcome, err_name(ERR_NOMEM));
}

static void read_fields(const redisReply *fields, struct log_entry *entry)
{
	for (size_t i = 0; i + 1 < fields->elements; i += 2) {
		struct slice name = text_of(fields->element[i]);
		struct slice text = text_of(fields->element[i + 1]);
		if (slice_is(name, "c"))
			entry->channel = text;
		else if (slice_is(name, "p"))
			entry->payload = text;
		else if (slice_is(name, "b"))
			(void)!record_id_parse(text, &entry->before);
	}
}

void logreply_entries(const redisReply *reply, struct logreply *ret_outcome, struct buf *out)
{
	if (!is_answered(reply, ret_outcome))
		return;
	if (reply->type != REDIS_REPLY_ARRAY) {
		refuse(ret_outcome, "an answer that XRANGE does not give");
		return;
	}
	char *room = reply->elements ? buf_extend(out, reply->elements * sizeof(struct log_entry)) : NULL;
	if (reply->elements && !room) {
		refuse(ret_outcome, err_name(ERR_NOMEM));
		return;
	}
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *pair = reply->element[i];
		struct log_entry entry = {.channel = SLICE_NONE};
		if (pair->type != REDIS_REPLY_ARRAY || pair->elements != 2 || !read_id(pair->element[0], &entry.id)) {
			refuse(ret_outcome, "an answer that XRANGE does not give");
			return;
		}
		if (pair->element[1]->type == REDIS_REPLY_ARRAY)
			read_fields(pair->element[1], &entry);
		memcpy(room + i * sizeof entry, &entry, sizeof entry);
	}
}

static void read_snapshot(const redisReply *fields, struct snapshot *snapshot)
{
	for (size_t i = 0; i + 1 < fields->elements; i += 2) {
		struct slice name = text_of(fields->element[i]);
		const redisReply *value = fields->element[i + 1];
		if (slice_is(name, "v"))
			(void)!read_u64(value, &snapshot->version);
		else if (slice_is(name, "e"))
			(void)!read_epoch(value, &snapshot->epoch);
		else if (slice_is(name, "n"))
			(void)!read_u64(value, &snapshot->skipped);
		else if (slice_is(name, "x"))
			(void)!read_epoch(value, &snapshot->sum);
		else if (slice_is(name, "s"))
			snapshot->state = text_of(value);
	}
}

bool logreply_snapshot(const redisReply *reply, struct logreply *ret_outcome, struct snapshot *ret_snapshot)
{
	if (!is_answered(reply, ret_outcome) || reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
		return false;
	const redisReply *pair = reply->element[0];
	struct snapshot snapshot = {.version = 0};
	if (pair->type != REDIS_REPLY_ARRAY || pair->elements != 2 || !read_id(pair->element[0], &snapshot.at) ||
	    pair->element[1]->type != REDIS_REPLY_ARRAY) {
		refuse(ret_outcome, "an answer that XREVRANGE does not give");
		return false;
	}
	read_snapshot(pair->element[1], &snapshot);
	*ret_snapshot = snapshot;
	return true;
}

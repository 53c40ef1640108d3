#include "common/client/inbox.h"

#include "common/codec/deflate.h"
#include "common/codec/json.h"

#define KEEP_BYTES (256u * 1024)

void tgc_inbox_init(struct tgc_inbox *inbox, size_t limit)
{
	*inbox = (struct tgc_inbox){.limit = limit};
	buf_init(&inbox->bytes);
	buf_init(&inbox->message);
	buf_init(&inbox->plain);
}

void tgc_inbox_fini(struct tgc_inbox *inbox)
{
	buf_fini(&inbox->bytes);
	buf_fini(&inbox->message);
	buf_fini(&inbox->plain);
	inflater_free(inbox->inflater);
}

void tgc_inbox_reset(struct tgc_inbox *inbox)
{
	buf_shrink(&inbox->bytes, KEEP_BYTES);
	buf_shrink(&inbox->message, KEEP_BYTES);
	inbox->at = 0;
	inbox->in_message = inbox->takes_deflate = false;
}

char *tgc_inbox_room(struct tgc_inbox *inbox, size_t bytes)
{
	if (inbox->at == inbox->bytes.len) {
		buf_shrink(&inbox->bytes, KEEP_BYTES);
		inbox->at = 0;
	} else if (inbox->at >= KEEP_BYTES) {
		buf_drop_front(&inbox->bytes, inbox->at);
		inbox->at = 0;
	}
	return buf_extend(&inbox->bytes, bytes);
}

void tgc_inbox_received(struct tgc_inbox *inbox, size_t room, size_t got)
{
	inbox->bytes.len -= room - got;
}

static struct tgc_inbox_item bad(uint16_t code, const char *why)
{
	return (struct tgc_inbox_item){.kind = TGC_INBOX_BAD, .code = code, .why = why};
}

/* What a header alone gives away; NULL: nothing. */
static const char *judge_header(const struct tgc_inbox *inbox, const struct wsframe *frame)
{
	bool is_control = frame->op >= WSFRAME_CLOSE;
	if (frame->masked)
		return "a frame of the server is masked";
	bool may_compress = inbox->takes_deflate && !is_control && frame->op != WSFRAME_CONTINUATION;
	if (frame->rsv & ~(may_compress ? WSFRAME_RSV1 >> 4 : 0))
		return "a reserved bit is set";
	if (!is_control && inbox->in_message != (frame->op == WSFRAME_CONTINUATION))
		return inbox->in_message ? "a new message inside a fragmented one" : "a continuation of nothing";
	return NULL;
}

static struct tgc_inbox_item take_close(struct slice payload)
{
	struct tgc_inbox_item item = {.kind = TGC_INBOX_CLOSE, .code = 1005};
	if (payload.len == 0)
		return item;
	if (payload.len == 1)
		return bad(1002, "a close frame of one byte");
	item.code = (uint16_t)((uint8_t)payload.ptr[0] << 8 | (uint8_t)payload.ptr[1]);
	item.payload = (struct slice){payload.ptr + 2, payload.len - 2};
	if (!wsframe_is_close_code(item.code))
		return bad(1002, "a close code that must not be sent");
	return json_is_utf8(item.payload) ? item : bad(1007, "a close reason that is not UTF-8");
}

static struct tgc_inbox_item message_of(struct tgc_inbox *inbox, struct slice payload)
{
	if (inbox->is_compressed) {
		if (!inbox->inflater)
			inbox->inflater = inflater_new();
		buf_shrink(&inbox->plain, KEEP_BYTES);
		enum err error = inbox->inflater ? inflater_run(inbox->inflater, payload, inbox->limit, &inbox->plain) : ERR_NOMEM;
		if (error != OK)
			return error == ERR_INVALID ? bad(1007, "a compressed message that cannot be read")
						    : bad(1009, "a message longer than the limit, or no memory for it");
		payload = buf_slice(&inbox->plain);
	}
	if (inbox->is_text && !json_is_utf8(payload))
		return bad(1007, "a text message that is not UTF-8");
	return (struct tgc_inbox_item){.kind = TGC_INBOX_MESSAGE, .payload = payload, .is_text = inbox->is_text};
}

static struct tgc_inbox_item take_data(struct tgc_inbox *inbox, const struct wsframe *frame, struct slice payload)
{
	if (frame->op != WSFRAME_CONTINUATION) {
		inbox->is_text = frame->op == WSFRAME_TEXT;
		inbox->is_compressed = frame->rsv;
	}
	bool is_first = !inbox->in_message;
	inbox->in_message = !frame->final;
	if (is_first && frame->final)
		return message_of(inbox, payload);
	if (is_first)
		buf_shrink(&inbox->message, KEEP_BYTES);
	buf_append_slice(&inbox->message, payload);
	if (buf_has_failed(&inbox->message))
		return bad(1009, "no memory for the message");
	if (!frame->final)
		return (struct tgc_inbox_item){.kind = TGC_INBOX_MORE};
	return message_of(inbox, buf_slice(&inbox->message));
}

static struct tgc_inbox_item take(struct tgc_inbox *inbox, const struct wsframe *frame, struct slice payload)
{
	switch (frame->op) {
	case WSFRAME_PING:
		return (struct tgc_inbox_item){.kind = TGC_INBOX_PING, .payload = payload};
	case WSFRAME_PONG:
		return (struct tgc_inbox_item){.kind = TGC_INBOX_PONG, .payload = payload};
	case WSFRAME_CLOSE:
		return take_close(payload);
	case WSFRAME_CONTINUATION:
	case WSFRAME_TEXT:
	case WSFRAME_BINARY:
		break;
	}
	return take_data(inbox, frame, payload);
}

/* One frame; TGC_INBOX_MORE with *ret_again true: a fragment was taken, go on. */
static struct tgc_inbox_item next_frame(struct tgc_inbox *inbox, bool *ret_again)
{
	struct slice rest = {inbox->bytes.len ? inbox->bytes.bytes + inbox->at : NULL, inbox->bytes.len - inbox->at};
	struct wsframe frame;
	enum err error = wsframe_read(rest, &frame);
	*ret_again = false;
	if (error == ERR_AGAIN)
		return (struct tgc_inbox_item){.kind = TGC_INBOX_MORE};
	if (error)
		return bad(1002, "a malformed frame header");
	const char *why = judge_header(inbox, &frame);
	if (why)
		return bad(1002, why);
	size_t before = inbox->in_message && frame.op < WSFRAME_CLOSE ? inbox->message.len : 0;
	if (frame.payload_len > inbox->limit - before)
		return bad(1009, "a message longer than the limit");
	if (rest.len - frame.header_len < frame.payload_len)
		return (struct tgc_inbox_item){.kind = TGC_INBOX_MORE};
	inbox->at += frame.header_len + (size_t)frame.payload_len;
	*ret_again = true;
	return take(inbox, &frame, (struct slice){rest.ptr + frame.header_len, (size_t)frame.payload_len});
}

struct tgc_inbox_item tgc_inbox_next(struct tgc_inbox *inbox)
{
	struct tgc_inbox_item item;
	bool again;
	do
		item = next_frame(inbox, &again);
	while (item.kind == TGC_INBOX_MORE && again);
	return item;
}

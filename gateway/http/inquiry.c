#include "gateway/http/inquiry.h"

#include <stdlib.h>

#include "common/base/list.h"
#include "gateway/http/handlers.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/past_error.h"
#include "gateway/http/response.h"
#include "gateway/session/past.h"

struct inquiry {
	struct call call;
	struct asker asker;
	inquiry_write *write;
	unsigned retry_after_s;
};

static void free_call(struct call *call)
{
	struct inquiry *inquiry = (struct inquiry *)call;
	bearer_close(&call->bearer);
	asker_cancel(&inquiry->asker);
	free(inquiry);
}

/* Everything that is written comes with the answer. */
static void go_on(struct call *call)
{
	(void)call;
}

static const struct call_ops inquiry_ops = {.go_on = go_on, .free = free_call};

static void on_answer(struct asker *asker, struct answer *answer)
{
	struct inquiry *inquiry = LIST_ENTRY(asker, struct inquiry, asker);
	struct responder *responder = inquiry->call.responder;
	struct buf body;
	enum err error = answer->error;
	buf_init(&body);
	if (error == OK && (!inquiry->write(&body, answer, inquiry->call.bearer.grants) || buf_has_failed(&body)))
		error = ERR_NOMEM;
	struct response response = {.status = 200, .content_type = RESPONSE_JSON, .length = body.len};
	struct refusal refusal = past_refusal(error, answer->why, inquiry->retry_after_s);
	if (error == OK)
		responder_send(responder, &response, buf_slice(&body));
	else
		responder_refuse(responder, &refusal);
	buf_fini(&body);
}

bool inquiry_is_acceptable(const struct api_request *request)
{
	static const char *const offers[] = {RESPONSE_JSON};
	if (negotiate_accept(request->head, offers, 1) >= 0)
		return true;
	api_refuse(request, 406, "not_acceptable", "this path gives application/json");
	return false;
}

struct call *inquiry_refuse(const struct api_request *request, enum err error)
{
	struct refusal refusal = past_refusal(error, NULL, request->api->retry_after_s);
	responder_refuse(request->responder, &refusal);
	return NULL;
}

struct call *inquiry_open(const struct api_request *request, struct question *question, inquiry_write *write)
{
	struct inquiry *inquiry = calloc(1, sizeof *inquiry);
	if (!inquiry) {
		question_free(question);
		return inquiry_refuse(request, ERR_NOMEM);
	}
	inquiry->call = (struct call){.ops = &inquiry_ops, .responder = request->responder};
	inquiry->write = write;
	inquiry->retry_after_s = request->api->retry_after_s;
	asker_init(&inquiry->asker, request->api->exchange, on_answer);
	enum err error = asker_ask(&inquiry->asker, question);
	if (error != OK) {
		free(inquiry);
		return inquiry_refuse(request, error);
	}
	return &inquiry->call;
}

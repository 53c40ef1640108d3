/* The historian thread: it answers what the workers ask about the past, on a Redis link of its own, so that a long read of
 * history never delays live delivery. The archive (gateway/history) decides, this thread carries out. */
#ifndef GATEWAY_WORKER_HISTORIAN_H
#define GATEWAY_WORKER_HISTORIAN_H

#include "common/base/err.h"
#include "common/protocol/log.h"
#include "gateway/config/config.h"
#include "gateway/history/question.h"
#include "gateway/metrics/node.h"

struct historian;

/* On the historian's thread; owns the answer, whose asker is the question's. */
typedef void historian_answered(struct answer *answer);

/* Starts the thread. config and node are borrowed for its life. ERR_...: ret_why says what is wrong. */
enum err historian_start(const struct config *config, struct node *node, historian_answered *on_answer,
			 struct historian **ret_historian, char ret_why[256]) MUST_USE;

/* From any thread, until historian_free(): */
void historian_ask(struct historian *historian, struct question *question); /* owns it */
/* Where the log stands, as the feed says when it changes; to be told before those who may ask about it are. */
void historian_tell(struct historian *historian, const struct log_position *position);

/* The node is over limits.memory: what is kept only for those who may ask goes. */
void historian_relieve(struct historian *historian);

void historian_stop(struct historian *historian); /* joins the thread; questions are taken and not answered from then on; NULL is fine */
void historian_free(struct historian *historian); /* after historian_stop(), when nobody asks any more; NULL is fine */

#endif

/* A Redis that answers what the test wants, on the test's own loop: for what a real one does only when it is loading,
 * misconfigured or broken. Listens on a free port of 127.0.0.1. */
#ifndef TESTS_SUPPORT_REDIS_FAKE_H
#define TESTS_SUPPORT_REDIS_FAKE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"

struct event_base;
struct fake;

#define FAKE_SILENCE ((const char *)0) /* no answer to this command */
#define FAKE_CLOSE "close"             /* end the connection, without an answer */
#define FAKE_ORDINARY "ordinary"       /* answer as a Redis in good order would */

/* What to answer, in RESP, to a command. connection counts from 1. */
typedef const char *fake_answer_fn(void *context, unsigned connection, size_t count, const struct slice *words);

struct fake *fake_start(struct event_base *base, fake_answer_fn *answer, void *context);
void fake_free(struct fake *fake);
uint16_t fake_port(const struct fake *fake);
unsigned fake_accepted(const struct fake *fake); /* connections since the start */

#endif

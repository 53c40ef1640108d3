/* Publishes numbered, stamped events of one size to Redis through a pipelined connection that answers nothing (CLIENT
 * REPLY OFF). Event k goes to session k modulo the number of sessions, so each session's events are numbered without a
 * hole. Every event has the same length, and so has everything that a gateway makes of it. */
#ifndef TESTS_BENCH_PUBLISHER_H
#define TESTS_BENCH_PUBLISHER_H

#include <stddef.h>
#include <stdint.h>

/* In the payload, at the same place in each: PUBLISHER_MARK, the monotonic time in 19 digits, PUBLISHER_NUMBER, the
 * number in 10 digits. */
#define PUBLISHER_MARK "\"sentNs\":\""
#define PUBLISHER_NUMBER "\",\"n\":\""
#define PUBLISHER_STAMP_DIGITS 19
#define PUBLISHER_NUMBER_DIGITS 10

struct publisher {
	int fd;
	char *command; /* PUBLISH of one event */
	size_t command_len, channel_at, session_at, stamp_at, number_at;
	uint32_t sessions;
	uint64_t published;
	char *out;
	size_t out_len, out_capacity;
};

/* Sessions are named by the letter and four digits: 's' gives s0000 to s0499 for 500 of them. */
void publisher_init(struct publisher *publisher, uint16_t redis_port, size_t payload_bytes, char letter,
                    uint32_t sessions);
void publisher_add(struct publisher *publisher, uint64_t now_ns); /* the next event; leaves with publisher_flush() */
void publisher_flush(struct publisher *publisher);
uint64_t publisher_count(const struct publisher *publisher, uint32_t session); /* events published to it */

#endif

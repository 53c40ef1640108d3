/* Sockets on the loopback interface and WebSocket frame headers, for the bench programs. They are short-lived tools on
 * one machine: what fails here ends the program with a message on standard error. */
#ifndef TESTS_BENCH_NET_H
#define TESTS_BENCH_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define NET_HEADER_MAX 14 /* of a frame, with a mask */
#define NET_OP_TEXT 1
#define NET_OP_CLOSE 8
#define NET_OP_PING 9
#define NET_OP_PONG 10

_Noreturn void die(const char *format, ...) PRINTF_LIKE(1, 2); /* adds errno's text when errno is set */
void *must(void *memory);                                      /* dies of NULL */

int net_listen(uint16_t port);                         /* non-blocking */
int net_connect(uint16_t port);                        /* blocking, TCP_NODELAY */
int net_connect_start(uint16_t port, uint32_t source); /* non-blocking; from 127.0.0.1 + source */
void net_set_nonblocking(int fd);
void net_set_nodelay(int fd);
void net_send_all(int fd, const void *bytes, size_t len); /* on a blocking socket */

struct net_frame {
	uint8_t op;
	bool masked;
	uint8_t mask[4];
	size_t header_len;
	uint64_t payload_len;
};

/* Reads a frame's header; false: more bytes are needed. Judges nothing. */
bool net_frame_read(const char *bytes, size_t len, struct net_frame *ret_frame);
/* Writes a final frame's header and gives its size. A mask, where there is one, is zero, so that the payload stays as
 * it is. */
size_t net_frame_header(char ret_header[NET_HEADER_MAX], uint8_t op, bool masked, uint64_t payload_len);

#endif

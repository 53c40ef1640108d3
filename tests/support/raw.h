/* A TCP client that sends exactly the bytes a test wants, wrong ones too, and reads with deadlines (DEADLINE_MS). It does
 * nothing by itself: no pong, no close. What it cannot do fails the test, except where a result says otherwise. Used by one
 * thread. */
#ifndef TESTS_SUPPORT_RAW_H
#define TESTS_SUPPORT_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "common/codec/wsframe.h"
#include "common/data/buf.h"
#include "tests/support/deadline.h"

struct raw {
	int fd;
	struct buf in;   /* received and not consumed */
	struct buf last; /* the payload of the last frame */
	unsigned recording;
};

/* One frame as received. payload is valid until the next read. */
struct raw_frame {
	uint8_t first;  /* FIN, RSV and opcode as they came */
	bool masked;
	struct slice payload;
};

void raw_connect(struct raw *raw, uint16_t port);                              /* to 127.0.0.1 */
void raw_connect_small(struct raw *raw, uint16_t port, int receive_buffer_bytes); /* SO_RCVBUF set first: reads little ahead */
void raw_close(struct raw *raw);                                               /* FIN; frees the buffer */
void raw_reset(struct raw *raw);                                               /* RST; frees the buffer */

void raw_send(struct raw *raw, struct slice bytes);       /* all of them, within the deadline */
void raw_send_text(struct raw *raw, const char *text);
bool raw_try_send(struct raw *raw, struct slice bytes);   /* false: the peer is gone (or takes nothing within the deadline) */

/* The response head to a request, up to and with its empty line, NUL-terminated, owned by the caller; NULL: closed or
 * silent. What follows it stays to be read. */
char *raw_read_head(struct raw *raw);
int raw_head_status(const char *head); /* 0 for NULL */
/* A whole WebSocket handshake for that target ("/v1/stream") with more header lines ("" or "Origin: x\r\n"): the status. */
int raw_handshake(struct raw *raw, const char *target, const char *headers);
/* raw_connect, a handshake that must succeed, and the welcome message that must come first (skipped). */
void raw_open(struct raw *raw, uint16_t port);

/* One masked frame in the minimal length form. first: FIN, RSV and opcode, 0x81 for a whole text. */
void raw_send_frame(struct raw *raw, uint8_t first, struct slice payload);
void raw_frame_append(struct buf *out, uint8_t first, struct slice payload); /* the same bytes, not sent */
void raw_send_close(struct raw *raw, uint16_t code);

enum raw_read { RAW_FRAME, RAW_END, RAW_LATE };
/* The next frame. RAW_END: closed or reset by the peer; RAW_LATE: the deadline passed. */
enum raw_read raw_try_frame(struct raw *raw, struct raw_frame *ret_frame, struct deadline deadline);
void raw_read_frame(struct raw *raw, struct raw_frame *ret_frame);      /* there must be one */
/* Reads until a text frame that holds the text; others are skipped. */
void raw_expect_text(struct raw *raw, const char *text, struct raw_frame *ret_frame);
/* Reads until a close frame with that code (others are skipped), and the TCP close after it. */
void raw_expect_close(struct raw *raw, uint16_t code);
void raw_expect_end(struct raw *raw);                                   /* TCP close or reset; frames before it are skipped */
/* Nothing comes and the peer keeps the connection open for this long. */
void raw_expect_silence(struct raw *raw, uint64_t ms);

/* A GET with HTTP/1.1 and Connection: close. The status, 0 when nobody answers; the body is appended (may be NULL). */
int raw_http_get(uint16_t port, const char *path, struct buf *ret_body);

#endif

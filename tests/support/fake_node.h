/* A gateway of which a test speaks every word. It has no thread: whatever waits turns the client meanwhile, so that both run
 * in the test's own; NULL: the client is in a process of its own. One connection at a time. What does not come within the
 * deadline fails the test. */
#ifndef TESTS_SUPPORT_FAKE_NODE_H
#define TESTS_SUPPORT_FAKE_NODE_H

#include <stdint.h>

#include "common/base/slice.h"
#include "common/client/tgclient.h"
#include "common/data/buf.h"

struct fake_node {
	int listener, fd; /* fd: -1 when there is no connection */
	uint16_t port;
	char url[40];
	struct buf head;    /* of the request, NUL-terminated */
	struct buf in;      /* received and not consumed */
	struct buf message; /* the last one read, NUL-terminated */
};

void fake_node_open(struct fake_node *node);  /* on a free port of 127.0.0.1 */
void fake_node_deafen(struct fake_node *node); /* refuses connections from now on; the port stays its own */
void fake_node_close(struct fake_node *node);

void fake_node_accept(struct fake_node *node, struct tgc_client *client);  /* a connection, and its request head */
void fake_node_upgrade(struct fake_node *node);                            /* answers 101 */
void fake_node_welcome(struct fake_node *node, struct tgc_client *client, unsigned heartbeat_ms); /* the three, until the client is open */
void fake_node_cut(struct fake_node *node);                                /* resets the connection */
/* The client hangs up: end of file or reset. */
void fake_node_expect_end(struct fake_node *node, struct tgc_client *client);

void fake_node_write(struct fake_node *node, struct slice bytes);
void fake_node_send(struct fake_node *node, const char *json);             /* as a text frame */
void fake_node_send_close(struct fake_node *node, uint16_t code, const char *reason);
/* The next text message of the client. */
const char *fake_node_read(struct fake_node *node, struct tgc_client *client);
/* The next frame must be of that opcode; its payload. */
struct slice fake_node_read_frame(struct fake_node *node, struct tgc_client *client, unsigned op);

#endif

/* A TCP proxy on loopback in a thread of the test's own, between a gateway and its Redis or between a client and a gateway,
 * for what networks do: cut, swallow, delay. The verbs may be called from the test's thread at any time and hold for
 * connections of now and later until changed. */
#ifndef TESTS_SUPPORT_PROXY_H
#define TESTS_SUPPORT_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct proxy;

struct proxy *proxy_start(uint16_t target_port); /* of 127.0.0.1; listens on a free port there */
void proxy_free(struct proxy *proxy);            /* closes all; NULL is fine */
uint16_t proxy_port(const struct proxy *proxy);

void proxy_cut(struct proxy *proxy);                        /* resets every connection of now */
void proxy_freeze(struct proxy *proxy, bool frozen);        /* carries nothing, both ways; sockets stay open; new ones are accepted */
void proxy_refuse(struct proxy *proxy, bool refuses);       /* resets every new connection at once */
void proxy_delay_ms(struct proxy *proxy, uint64_t delay_ms); /* holds back what the target sends by this long */
unsigned proxy_accepted(struct proxy *proxy);               /* connections since the start */
unsigned proxy_open(struct proxy *proxy);                   /* connections of now */

#endif

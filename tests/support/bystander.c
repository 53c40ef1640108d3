#include "tests/support/bystander.h"

#include <stdio.h>

#define EVENTS 3

void bystander_join(struct bystander *bystander, uint16_t port, struct redis_server *redis)
{
	bystander->redis = redis;
	bystander->published = 0;
	raw_open(&bystander->raw, port);
	raw_send_frame(&bystander->raw, 0x81, SLICE_LITERAL("{\"id\":1,\"op\":\"subscribe\"}"));
	raw_expect_text(&bystander->raw, "\"ok\"", NULL);
}

void bystander_check(struct bystander *bystander)
{
	for (unsigned i = 0; i < EVENTS; i++) {
		char payload[64];
		snprintf(payload, sizeof payload, "{\"bystander\":%u}", ++bystander->published);
		redis_server_publish(bystander->redis, SLICE_LITERAL("trace:bystander"), slice_of(payload));
		raw_expect_text(&bystander->raw, payload, NULL);
	}
}

void bystander_leave(struct bystander *bystander)
{
	bystander_check(bystander);
	raw_close(&bystander->raw);
}

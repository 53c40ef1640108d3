#include "common/codec/deflate.h"
#include "gateway/http/gzip_stage.h"
#include "tests/support/suite.h"
#include "tests/unit/http/fake_client.h"

#define HEADER_BYTES 10
#define TRAILER_BYTES 8
#define FLUSH_BYTES 4

static struct client client;
static struct responder *out;

static void set_up(void)
{
	client = (struct client){.responder = {.ops = &fake_responder_ops, .coding = RESPONDER_CODING_GZIP}};
	out = NULL;
}

static void tear_down(void)
{
	if (out)
		gzip_stage_close(out);
	buf_fini(&client.body);
}

/* What came, unpacked; without: what of it is no message of its own. */
static void expect_unpacked(size_t without, struct slice wanted)
{
	struct inflater *inflater = inflater_new();
	struct buf plain;
	buf_init(&plain);
	ck_assert_uint_gt(client.body.len, HEADER_BYTES + without);
	struct slice packed = {client.body.bytes + HEADER_BYTES, client.body.len - HEADER_BYTES - without};
	ck_assert_int_eq(inflater_run(inflater, packed, 1 << 20, &plain), OK);
	ck_assert(slice_equal(buf_slice(&plain), wanted));
	buf_fini(&plain);
	inflater_free(inflater);
}

static void begin(unsigned status)
{
	const struct response response = {.status = status, .content_type = RESPONSE_NDJSON, .length = 12};
	out = gzip_stage_open(&client.responder);
	out->ops->begin(out, &response);
}

START_TEST(each_piece_can_be_read_when_it_was_written)
{
	begin(200);
	ck_assert(client.response.is_gzip && client.response.varies_by_coding);
	ck_assert_uint_eq(client.response.length, RESPONSE_STREAMED);
	ck_assert_int_eq(out->ops->write(out, SLICE_LITERAL("one\n")), RESPONDER_SENT);
	expect_unpacked(FLUSH_BYTES, SLICE_LITERAL("one\n"));
	ck_assert_int_eq(out->ops->write(out, SLICE_LITERAL("two\n")), RESPONDER_SENT);
	expect_unpacked(FLUSH_BYTES, SLICE_LITERAL("one\ntwo\n"));
	out->ops->finish(out);
	ck_assert(client.is_finished);
	expect_unpacked(TRAILER_BYTES, SLICE_LITERAL("one\ntwo\n"));
}
END_TEST

START_TEST(errors_and_clients_that_did_not_ask_get_plain_text)
{
	begin(404);
	ck_assert(!client.response.is_gzip && client.response.length == 12);
	out->ops->write(out, SLICE_LITERAL("no such page"));
	out->ops->finish(out);
	ck_assert(slice_is(buf_slice(&client.body), "no such page"));
	tear_down();
	set_up();
	client.responder.coding = RESPONDER_CODING_IDENTITY;
	begin(200);
	ck_assert(!client.response.is_gzip && client.response.varies_by_coding);
	out->ops->write(out, SLICE_LITERAL("hello, world"));
	out->ops->finish(out);
	ck_assert(slice_is(buf_slice(&client.body), "hello, world"));
}
END_TEST

START_TEST(stands_in_nobodys_way_where_nothing_is_compressed)
{
	client.responder.coding = RESPONDER_CODING_NONE;
	ck_assert_ptr_eq(gzip_stage_open(&client.responder), &client.responder);
	gzip_stage_close(&client.responder);
}
END_TEST

START_TEST(passes_on_what_is_no_piece)
{
	begin(200);
	client.is_blocked = true;
	ck_assert(!out->ops->is_clear(out));
	out->ops->again(out);
	ck_assert(client.is_due);
	out->ops->cut(out, "a test");
	ck_assert(client.is_cut);
}
END_TEST

static void send_whole(size_t len)
{
	static char body[4096];
	memset(body, 'x', sizeof body);
	const struct response response = {.status = 200, .content_type = RESPONSE_JSON, .length = len};
	responder_send(&client.responder, &response, (struct slice){body, len});
	ck_assert(client.is_finished && client.response.varies_by_coding);
}

START_TEST(whole_bodies_are_compressed_when_they_are_long)
{
	send_whole(100);
	ck_assert(!client.response.is_gzip && client.body.len == 100);
	tear_down();
	set_up();
	send_whole(4096);
	ck_assert(client.response.is_gzip);
	ck_assert_uint_lt(client.response.length, 200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gzip_stage");
	TCase *tests = tcase_create("gzip_stage");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, each_piece_can_be_read_when_it_was_written);
	tcase_add_test(tests, errors_and_clients_that_did_not_ask_get_plain_text);
	tcase_add_test(tests, stands_in_nobodys_way_where_nothing_is_compressed);
	tcase_add_test(tests, passes_on_what_is_no_piece);
	tcase_add_test(tests, whole_bodies_are_compressed_when_they_are_long);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

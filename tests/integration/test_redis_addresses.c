/* From a name to a connection: addresses that refuse, swallow or hang, names that do not resolve, and lookups given up.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "gateway/redis/resolve.h"
#include "tests/support/redis/rig.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

static struct redis_server *redis;
static struct rig rig;

/* What the name cache.test resolves to, for the whole process: getaddrinfo below takes the place of the C library's. */
static struct {
	pthread_mutex_t lock;
	const char *addresses[3];
	bool hangs; /* like name servers that do not answer */
	unsigned asked, hanging;
} names = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct addrinfo *make_address(const char *text, const char *port, struct addrinfo *next)
{
	struct {
		struct addrinfo info;
		struct sockaddr_in address;
	} *made = calloc(1, sizeof *made);
	made->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	made->info = (struct addrinfo){.ai_family = AF_INET,
	                               .ai_socktype = SOCK_STREAM,
	                               .ai_addrlen = sizeof made->address,
	                               .ai_addr = (struct sockaddr *)&made->address,
	                               .ai_next = next};
	if (inet_pton(AF_INET, text, &made->address.sin_addr) == 1)
		return &made->info;
	free(made);
	return NULL;
}

static void wait_while_hanging(void)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	names.hanging++;
	while (names.hangs) {
		pthread_mutex_unlock(&names.lock);
		deadline_next_look(deadline);
		pthread_mutex_lock(&names.lock);
	}
	names.hanging--;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	*found = make_address(name, service, NULL);
	if (*found || (hints->ai_flags & AI_NUMERICHOST) || strcmp(name, "cache.test") != 0)
		return *found ? 0 : EAI_NONAME;
	pthread_mutex_lock(&names.lock);
	names.asked++;
	wait_while_hanging();
	for (size_t i = 3; i-- > 0;) {
		if (names.addresses[i])
			*found = make_address(names.addresses[i], service, *found);
	}
	pthread_mutex_unlock(&names.lock);
	return *found ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *found)
{
	while (found) {
		struct addrinfo *next = found->ai_next;
		free(found);
		found = next;
	}
}

static void set_names(bool hangs, const char *first, const char *second, const char *third)
{
	pthread_mutex_lock(&names.lock);
	names.hangs = hangs;
	names.addresses[0] = first;
	names.addresses[1] = second;
	names.addresses[2] = third;
	pthread_mutex_unlock(&names.lock);
}

static unsigned count_hanging(void)
{
	pthread_mutex_lock(&names.lock);
	unsigned hanging = names.hanging;
	pthread_mutex_unlock(&names.lock);
	return hanging;
}

#define HOLE "127.0.0.3"

/* A listening socket whose backlog is full: connections to it hang as if every packet were lost. */
struct black_hole {
	int listener, fillers[4];
};

static void open_black_hole(struct black_hole *hole, uint16_t port, int backlog)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	inet_pton(AF_INET, HOLE, &address.sin_addr);
	hole->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(hole->listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(hole->listener, backlog), 0);
	for (size_t i = 0; i < 4; i++) {
		hole->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (backlog == 0)
			(void)!connect(hole->fillers[i], (struct sockaddr *)&address, sizeof address);
	}
}

static void close_black_hole(struct black_hole *hole)
{
	for (size_t i = 0; i < 4; i++)
		close(hole->fillers[i]);
	close(hole->listener);
}

static void start_by_name(const char *name)
{
	static const char *const extra[] = {"--bind", "127.0.0.1", "127.0.0.2", NULL};
	char url[96];
	redis = redis_server_start(extra);
	snprintf(url, sizeof url, "redis://%s:%u", name, (unsigned)redis_server_port(redis));
	rig_init(&rig, url);
	rig.settings.connect_timeout_ns = 3 * NS_PER_S; /* as the presets for production have it */
}

static void end_all(void)
{
	rig_fini(&rig);
	redis_server_free(redis);
}

static bool is_connected_to(const char *address)
{
	char text[64];
	redisReply *reply = redis_server_command(redis, "CLIENT LIST TYPE pubsub");
	snprintf(text, sizeof text, " laddr=%s:%u ", address, (unsigned)redis_server_port(redis));
	bool is = strstr(reply->str, text) != NULL;
	freeReplyObject(reply);
	return is;
}

START_TEST(uses_the_second_address_when_the_first_refuses)
{
	set_names(false, HOLE, "127.0.0.1", NULL);
	start_by_name("cache.test");
	rig_start(&rig);
	struct deadline soon = deadline_in(1000);
	rig_run_until_up(&rig, 1);
	ck_assert(!deadline_has_passed(soon));
	end_all();
}
END_TEST

START_TEST(uses_the_second_address_when_the_first_is_silent)
{
	struct black_hole hole;
	set_names(false, HOLE, "127.0.0.1", NULL);
	start_by_name("cache.test");
	open_black_hole(&hole, redis_server_port(redis), 0);
	struct deadline late = deadline_in(3000);
	struct deadline early = deadline_in(1000);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	ck_assert_msg(deadline_has_passed(early), "the first address was not silent");
	ck_assert_msg(!deadline_has_passed(late), "the second address was used too late");
	close_black_hole(&hole);
	end_all();
}
END_TEST

START_TEST(uses_another_address_when_the_first_takes_connections_but_is_no_redis)
{
	struct black_hole deaf;
	set_names(false, HOLE, "127.0.0.1", NULL);
	start_by_name("cache.test");
	open_black_hole(&deaf, redis_server_port(redis), 16);
	rig.settings.connect_timeout_ns = 300 * NS_PER_MS;
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	ck_assert(rig_has_logged(&rig, "no answer to the login in time"));
	close_black_hole(&deaf);
	end_all();
}
END_TEST

START_TEST(ends_an_attempt_at_silent_addresses_in_time)
{
	struct black_hole hole;
	set_names(false, HOLE, HOLE, NULL);
	start_by_name("cache.test");
	open_black_hole(&hole, redis_server_port(redis), 0);
	rig.settings.connect_timeout_ns = 300 * NS_PER_MS;
	rig_start(&rig);
	struct deadline soon = deadline_in(2000);
	rig_run_until_logged(&rig, "no answer in time");
	ck_assert(rig_has_logged(&rig, HOLE));
	ck_assert(!deadline_has_passed(soon));
	close_black_hole(&hole);
	end_all();
}
END_TEST

START_TEST(follows_a_name_that_moves)
{
	set_names(false, "127.0.0.1", NULL, NULL);
	start_by_name("cache.test");
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	ck_assert(is_connected_to("127.0.0.1"));
	set_names(false, "127.0.0.2", NULL, NULL);
	redis_server_do(redis, "CLIENT KILL TYPE pubsub");
	rig_run_until_up(&rig, 2);
	ck_assert(is_connected_to("127.0.0.2"));
	end_all();
}
END_TEST

START_TEST(turns_its_loop_while_no_name_server_answers)
{
	set_names(false, "127.0.0.1", NULL, NULL);
	start_by_name("cache.test");
	rig.settings.connect_timeout_ns = 200 * NS_PER_MS;
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	set_names(true, "127.0.0.1", NULL, NULL);
	redis_server_do(redis, "CLIENT KILL TYPE pubsub");
	rig_run_until_logged(&rig, "the name was not resolved in time");
	/* For a long outage: more attempts than lookups may hang at once, and no turn of the loop waits for one. */
	struct deadline outage = deadline_in(4000);
	while (!deadline_has_passed(outage)) {
		uint64_t before_ms = clock_mono_ms();
		rig_turn(&rig);
		ck_assert_uint_lt(clock_mono_ms() - before_ms, 500);
		ck_assert_uint_le(count_hanging(), RESOLVE_THREADS_MAX);
	}
	ck_assert_uint_ge(count_hanging(), 4);
	set_names(false, "127.0.0.1", NULL, NULL);
	rig_run_until_up(&rig, 2);
	RIG_UNTIL(&rig, count_hanging() == 0); /* what they found is dropped */
	rig_run_ms(&rig, 300);
	ck_assert_uint_eq(rig.downs, 1);
	end_all();
}
END_TEST

START_TEST(says_which_name_does_not_resolve)
{
	start_by_name("no-such-host.invalid");
	rig_start(&rig);
	rig_run_until_logged(&rig, "resolve no-such-host.invalid");
	ck_assert_uint_eq(rig.ups, 0);
	end_all();
}
END_TEST

struct answer {
	unsigned count;
	bool has_addresses;
};

static void on_resolved(void *context, const struct addrinfo *addresses, const char *why)
{
	struct answer *answer = context;
	(void)why;
	answer->count++;
	answer->has_addresses = addresses != NULL;
}

START_TEST(a_lookup_that_was_given_up_is_not_heard_of)
{
	struct answer answers[8] = {0};
	set_names(false, "127.0.0.1", NULL, NULL);
	rig_init(&rig, "redis://127.0.0.1");
	for (unsigned round = 0; round < 50; round++) {
		for (size_t i = 0; i < 8; i++) {
			const char *name = i % 2 ? "cache.test" : "127.0.0.1";
			struct resolve *resolve = NULL;
			enum err error = resolve_start(rig.base, name, 1, on_resolved, &answers[i], &resolve);
			ck_assert(error == OK || error == ERR_LIMIT);
			resolve_free(error ? NULL : resolve);
		}
		rig_turn(&rig);
	}
	RIG_UNTIL(&rig, count_hanging() == 0);
	rig_run_ms(&rig, 20);
	for (size_t i = 0; i < 8; i++)
		ck_assert_uint_eq(answers[i].count, 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(a_lookup_answers_once_on_the_loop)
{
	struct answer by_name = {0}, by_number = {0};
	struct resolve *first = NULL, *second = NULL;
	set_names(false, "127.0.0.1", NULL, NULL);
	rig_init(&rig, "redis://127.0.0.1");
	ck_assert_int_eq(resolve_start(rig.base, "cache.test", 1, on_resolved, &by_name, &first), OK);
	ck_assert_int_eq(resolve_start(rig.base, "127.0.0.9", 1, on_resolved, &by_number, &second), OK);
	ck_assert_uint_eq(by_name.count + by_number.count, 0); /* never from within resolve_start */
	RIG_UNTIL(&rig, by_name.count > 0 && by_number.count > 0);
	rig_run_ms(&rig, 20);
	ck_assert_uint_eq(by_name.count, 1);
	ck_assert_uint_eq(by_number.count, 1);
	ck_assert(by_name.has_addresses && by_number.has_addresses);
	resolve_free(first);
	resolve_free(second);
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis addresses");
	TCase *tests = tcase_create("redis addresses");
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, uses_the_second_address_when_the_first_refuses);
	tcase_add_test(tests, uses_the_second_address_when_the_first_is_silent);
	tcase_add_test(tests, uses_another_address_when_the_first_takes_connections_but_is_no_redis);
	tcase_add_test(tests, ends_an_attempt_at_silent_addresses_in_time);
	tcase_add_test(tests, says_which_name_does_not_resolve);
	tcase_add_test(tests, follows_a_name_that_moves);
	tcase_add_test(tests, turns_its_loop_while_no_name_server_answers);
	tcase_add_test(tests, a_lookup_that_was_given_up_is_not_heard_of);
	tcase_add_test(tests, a_lookup_answers_once_on_the_loop);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}

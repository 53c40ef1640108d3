/* The yardsticks of the log: what bare loops over hiredis reach on the same Redis.
 *
 *   redis_loops record PORT EVENTS < script   the record script as fast as it goes, batches of 100, four calls under way: events/s
 *   redis_loops read PORT                     the whole of tg:log by XRANGE in pages of 1,000: entries/s
 *
 * The script is the gateway's own (tracegate --print-script). */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"

#define BATCH 100
#define UNDER_WAY 4
#define WORDS_BEFORE 16 /* EVALSHA ... and what the verb takes before the events */
#define WORDS_OF_EVENT 4
#define PAYLOAD_BYTES 300

static redisReply *must(redisContext *redis, void *answer)
{
	redisReply *reply = answer;
	if (!reply || reply->type == REDIS_REPLY_ERROR) {
		fprintf(stderr, "redis_loops: %s\n", reply ? reply->str : redis->errstr);
		exit(1);
	}
	return reply;
}

static void load_script(redisContext *redis, char sha[64])
{
	static char script[1 << 18];
	size_t len = fread(script, 1, sizeof script, stdin);
	redisReply *reply = must(redis, redisCommand(redis, "SCRIPT LOAD %b", script, len));
	snprintf(sha, 64, "%s", reply->str);
	freeReplyObject(reply);
}

static size_t put(const char **words, size_t *lens, size_t count, const char *word, size_t len)
{
	words[count] = word;
	lens[count] = len;
	return count + 1;
}

static size_t put_text(const char **words, size_t *lens, size_t count, const char *word)
{
	return put(words, lens, count, word, strlen(word));
}

/* What the recorder sends for a batch; see gateway/redis/log.lua. */
static size_t make_call(const char **words, size_t *lens, const char *sha, const char *epoch)
{
	static char payload[PAYLOAD_BYTES], hash[16];
	memset(payload, 'x', sizeof payload);
	memcpy(payload, "{\"text\":\"", 9);
	memcpy(payload + sizeof payload - 2, "\"}", 2);
	static const char *const bounds[] = {"0", "0", "86400000"};
	size_t count = 0;
	count = put_text(words, lens, count, "EVALSHA");
	count = put_text(words, lens, count, sha);
	count = put_text(words, lens, count, "1");
	count = put_text(words, lens, count, "tg:log");
	count = put_text(words, lens, count, "record");
	count = put_text(words, lens, count, "bench");
	count = put_text(words, lens, count, epoch);
	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
		count = put_text(words, lens, count, bounds[i]);
	for (size_t i = 0; i < BATCH; i++) {
		count = put_text(words, lens, count, "trace:bench");
		count = put(words, lens, count, payload, sizeof payload);
		count = put_text(words, lens, count, "bench");
		count = put(words, lens, count, hash, sizeof hash);
	}
	return count;
}

static void await(redisContext *redis)
{
	void *reply = NULL;
	if (redisGetReply(redis, &reply) != REDIS_OK)
		reply = NULL;
	freeReplyObject(must(redis, reply));
}

static void record(redisContext *redis, size_t events)
{
	char sha[64], epoch[32];
	load_script(redis, sha);
	freeReplyObject(must(redis, redisCommand(redis, "EVALSHA %s 1 tg:log open 00000000000000b1 0 0-0", sha)));
	redisReply *reply = must(redis, redisCommand(redis, "GETRANGE tg:epoch 0 15"));
	snprintf(epoch, sizeof epoch, "%s", reply->str);
	freeReplyObject(reply);
	freeReplyObject(must(redis, redisCommand(redis, "SET tg:recorder bench")));
	static const char *words[WORDS_BEFORE + BATCH * WORDS_OF_EVENT];
	static size_t lens[WORDS_BEFORE + BATCH * WORDS_OF_EVENT];
	int count = (int)make_call(words, lens, sha, epoch);
	uint64_t start_ns = clock_mono_ns();
	size_t sent = 0, done = 0;
	while (done < events) {
		for (; sent < events && sent - done < UNDER_WAY * BATCH; sent += BATCH)
			redisAppendCommandArgv(redis, count, words, lens);
		await(redis);
		done += BATCH;
	}
	printf("%.0f\n", (double)done * 1e9 / (double)(clock_mono_ns() - start_ns));
	freeReplyObject(must(redis, redisCommand(redis, "DEL tg:recorder")));
}

static void read_all(redisContext *redis)
{
	char from[64] = "-";
	size_t entries = 0, page;
	uint64_t start_ns = clock_mono_ns();
	do {
		redisReply *reply = must(redis, redisCommand(redis, "XRANGE tg:log %s + COUNT 1000", from));
		page = reply->elements;
		if (page)
			snprintf(from, sizeof from, "(%s", reply->element[page - 1]->element[0]->str);
		entries += page;
		freeReplyObject(reply);
	} while (page == 1000);
	printf("%.0f\n", (double)entries * 1e9 / (double)(clock_mono_ns() - start_ns));
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "redis_loops record PORT EVENTS | read PORT\n");
		return 1;
	}
	redisContext *redis = redisConnect("127.0.0.1", atoi(argv[2]));
	if (!redis || redis->err) {
		fprintf(stderr, "redis_loops: cannot connect\n");
		return 1;
	}
	if (strcmp(argv[1], "record") == 0 && argc > 3)
		record(redis, strtoul(argv[3], NULL, 10));
	else
		read_all(redis);
	redisFree(redis);
	return 0;
}

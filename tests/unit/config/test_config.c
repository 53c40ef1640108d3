#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config/config.h"
#include "tests/support/suite.h"

#define WORDS_MAX 24
#define PATH_BYTES 64

static struct config *config;
static enum config_action action;
static struct buf mistakes;
static char path[PATH_BYTES];

static void set_up(void)
{
	config = NULL;
	buf_init(&mistakes);
	path[0] = '\0';
}

static void tear_down(void)
{
	config_free(config);
	buf_fini(&mistakes);
	if (path[0])
		unlink(path);
}

static void write_file(const char *text)
{
	snprintf(path, sizeof path, "config_test_XXXXXX");
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Words are separated by a bar. */
static int split(const char *line, char *copy, char **words)
{
	int count = 0;
	memcpy(copy, line, strlen(line) + 1);
	for (char *at = copy; *line && at; count++) {
		words[count] = at;
		at = strchr(at, '|');
		if (at)
			*at++ = '\0';
	}
	words[count] = NULL;
	return count;
}

static enum err load(const char *flags, const char *environment)
{
	char flag_copy[1024], environment_copy[1024], line[1024];
	char *argv[WORDS_MAX], *variables[WORDS_MAX];
	snprintf(line, sizeof line, "tracegate%s%s", *flags ? "|" : "", flags);
	int argc = split(line, flag_copy, argv);
	split(environment, environment_copy, variables);
	buf_clear(&mistakes);
	enum err error = config_load(argc, argv, variables, &config, &action, &mistakes);
	buf_append_char(&mistakes, '\0');
	return error;
}

static enum err load_file(const char *text)
{
	char flags[PATH_BYTES + 16];
	write_file(text);
	snprintf(flags, sizeof flags, "--config|%s", path);
	return load(flags, "");
}

START_TEST(starts_with_the_defaults_of_development)
{
	ck_assert_int_eq(load("", ""), OK);
	ck_assert_int_eq(action, CONFIG_RUN);
	ck_assert_int_eq(config->preset, PRESET_DEVELOPMENT);
	ck_assert_str_eq(config->redis_url, "redis://127.0.0.1:6379");
	ck_assert_uint_eq(config->redis_patterns.count, 4);
	ck_assert_str_eq(config->redis_patterns.items[3].ptr, "performance:*");
	ck_assert_uint_eq(config->batch_max_delay, 50000000);
	ck_assert_uint_eq(config->batch_max_bytes, 256 * 1024);
}
END_TEST

static const char *const preset_flags[] = {"--preset=development", "--preset=test", "--preset=production",
                                           "--preset=high-performance"};

START_TEST(takes_the_preset_from_every_source)
{
	write_file("preset = test\n");
	char flags[PATH_BYTES + 64];
	snprintf(flags, sizeof flags, "--config=%s", path);
	ck_assert_int_eq(load(flags, ""), OK);
	ck_assert_int_eq(config->preset, PRESET_TEST);
	ck_assert_uint_eq(config->workers, 1);
	config_free(config);
	ck_assert_int_eq(load(flags, "TRACEGATE_PRESET=production|TRACEGATE_AUTH_REQUIRED=no"), OK);
	ck_assert_int_eq(config->preset, PRESET_PRODUCTION);
	config_free(config);
	snprintf(flags, sizeof flags, "--config=%s|--preset|high-performance", path);
	ck_assert_int_eq(load(flags, "TRACEGATE_PRESET=production|TRACEGATE_AUTH_REQUIRED=no"), OK);
	ck_assert_int_eq(config->preset, PRESET_HIGH_PERFORMANCE);
}
END_TEST

START_TEST(a_node_that_is_to_know_its_clients_needs_keys_before_it_runs)
{
	static const char *const presets[] = {"--preset=production", "--preset=high-performance", "--auth.required=yes"};
	static const char wanted[] = "auth.required: \"yes\" needs keys: auth.jwt_secret_file";
	char flags[128];
	for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
		ck_assert_int_eq(load(presets[i], ""), ERR_INVALID);
		ck_assert_msg(strstr(mistakes.bytes, wanted) == mistakes.bytes, "%s", mistakes.bytes);
		snprintf(flags, sizeof flags, "%s|--check-config", presets[i]);
		ck_assert_int_eq(load(flags, ""), ERR_INVALID);
		snprintf(flags, sizeof flags, "%s|--print-config", presets[i]); /* looking is free */
		ck_assert_int_eq(load(flags, ""), OK);
		config_free(config);
		snprintf(flags, sizeof flags, "%s|--auth.api_keys_file|keys.json", presets[i]);
		ck_assert_int_eq(load(flags, ""), OK);
		config_free(config);
		config = NULL;
	}
}
END_TEST

START_TEST(a_later_source_wins)
{
	write_file("workers = 1\n[limits]\nconnections = 1\nsubscriptions = 1\n");
	char flags[PATH_BYTES + 64];
	snprintf(flags, sizeof flags, "--workers|3");
	char variables[PATH_BYTES + 128];
	snprintf(variables, sizeof variables, "TRACEGATE_CONFIG=%s|TRACEGATE_WORKERS=2|TRACEGATE_LIMITS_CONNECTIONS=2",
	         path);
	ck_assert_int_eq(load(flags, variables), OK);
	ck_assert_uint_eq(config->workers, 3);
	ck_assert_uint_eq(config->limits_connections, 2);
	ck_assert_uint_eq(config->limits_subscriptions, 1);
}
END_TEST

START_TEST(of_two_equal_flags_the_last_wins)
{
	ck_assert_int_eq(load("--workers=2|--workers|5", ""), OK);
	ck_assert_uint_eq(config->workers, 5);
}
END_TEST

static const struct {
	const char *flag;
	uint64_t ns;
} durations[] = {
    {"--close.timeout=10ms", 10000000},       {"--close.timeout=25s", 25000000000},
    {"--close.timeout=1m", 60000000000},      {"--close.timeout=20000us", 20000000},
    {"--close.timeout=10000000ns", 10000000},
};

START_TEST(reads_durations)
{
	ck_assert_int_eq(load(durations[_i].flag, ""), OK);
	ck_assert_uint_eq(config->close_timeout, durations[_i].ns);
}
END_TEST

START_TEST(reads_hours_sizes_and_bare_zeros)
{
	ck_assert_int_eq(load("--drain.time=0|--slow.threshold=1G|--limits.event_bytes=4096|--batch.max_bytes=64k", ""),
	                 OK);
	ck_assert_uint_eq(config->drain_time, 0);
	ck_assert_uint_eq(config->slow_threshold, UINT64_C(1) << 30);
	ck_assert_uint_eq(config->limits_event_bytes, 4096);
	ck_assert_uint_eq(config->batch_max_bytes, 65536);
}
END_TEST

START_TEST(reads_lists_and_empty_lists)
{
	ck_assert_int_eq(load("--listen=127.0.0.1:1 , [::1]:0|--cors.origins=|--fields.type=a", ""), OK);
	ck_assert_uint_eq(config->listen.count, 2);
	ck_assert_str_eq(config->listen.items[1].ptr, "[::1]:0");
	ck_assert_uint_eq(config->listen.items[0].len, 11);
	ck_assert_uint_eq(config->cors_origins.count, 0);
}
END_TEST

/* Each with a piece of the one line that must come. */
static const struct {
	const char *flags, *environment, *line;
} wrong[] = {
    {"--workers=x", "", "--workers: \"x\" is not a number from 0 to 256 (command line)\n"},
    {"--workers=257", "", "--workers: \"257\" is not a number from 0 to 256 (command line)\n"},
    {"--workers=-1", "", "--workers: \"-1\" is not a number"},
    {"--workers=", "", "--workers: \"\" is not a number"},
    {"--workers=1 ", "", "--workers: \"1 \" starts or ends with a space"},
    {"--workers=99999999999999999999999", "", "is not a number from 0 to 256"},
    {"--workers", "", "--workers: needs a value (command line)\n"},
    {"--workers|--redis.prefix=x", "", "--workers: needs a value (command line)\n"},
    {"--config", "", "--config: needs a value"},
    {"--help=yes", "", ""},
    {"--check-config=yes", "", "--check-config: takes no value"},
    {"--close.timeout=5", "",
     "--close.timeout: \"5\" is not a duration from 10ms to 60s (like 250ms, 10s or 2m) (command line)\n"},
    {"--close.timeout=61s", "", "\"61s\" is not a duration from 10ms to 60s"},
    {"--close.timeout=9ms", "", "\"9ms\" is not a duration"},
    {"--close.timeout=18446744073709551615h", "", "is not a duration"},
    {"--limits.message_bytes=127", "", "is not a size from 128 to 16m (like 4096, 64k or 1m)"},
    {"--limits.message_bytes=17m", "", "is not a size from 128 to 16m"},
    {"--limits.message_bytes=64kb", "", "is not a size"},
    {"--log.format=xml", "", "--log.format: \"xml\" is not one of text|json"},
    {"--preset=prod", "", "--preset: \"prod\" is not one of development|test|production|high-performance"},
    {"--auth.required|maybe", "", "--auth.required: \"maybe\" is not yes or no (or true, false, on, off) (command line)\n"},
    {"--http.gzip|-x", "", "\"-x\": is no option"},
    {"--log.level=info,redist=debug, wire=off", "",
     "log.level: there is no room \"redist\"; there are admin, app, auth, historian, hub, memory, redis, wire, worker (command line)\n"},
    {"--log.level=loud", "", "log.level: \"loud\" is not a level (debug, info, warn, error, off)"},
    {"--wrokers=1", "", "--wrokers: no such option; did you mean --workers? (command line)\n"},
    {"--redis.ur=x", "", "did you mean --redis.url?"},
    {"--zzzzzzzzzzzz=1", "", "--zzzzzzzzzzzz: no such option (command line)\n"},
    {"workers=1", "", "\"workers=1\": is no option; options begin with -- (command line)\n"},
    {"--redis.url|redis://h|stray", "", "\"stray\": is no option"},
    {"", "TRACEGATE_WORKERS=x", "workers: \"x\" is not a number from 0 to 256 (TRACEGATE_WORKERS)\n"},
    {"", "TRACEGATE_WROKERS=1", "TRACEGATE_WROKERS: no such option; did you mean TRACEGATE_WORKERS? (environment)\n"},
    {"", "TRACEGATE_REDIS_BACKOF_MIN=1s", "did you mean TRACEGATE_REDIS_BACKOFF_MIN?"},
    {"--redis.patterns=", "", "redis.patterns: needs at least one pattern, such as trace:* (command line)\n"},
    {"--redis.patterns=a*,b*,a*", "", "redis.patterns: \"a*\" is there twice (command line)\n"},
    {"--redis.patterns=a*,,b*", "", "\"a*,,b*\" is not a list of words with one comma between two"},
    {"--batch.interval=60ms|--batch.max_delay=50ms", "",
     "batch.max_delay: \"50ms\" is below batch.interval, which is \"60ms\" (command line) (command line)\n"},
    {"--batch.interval=60ms", "",
     "batch.max_delay: \"50ms\" is below batch.interval, which is \"60ms\" (command line) (preset development)\n"},
    {"--redis.backoff_min=3s", "", "redis.backoff_max: \"2s\" is below redis.backoff_min"},
    {"--listen=", "", "listen: needs at least one address"},
    {"--listen=8080", "", "listen: \"8080\" is not an address of the form host:port or [v6]:port (command line)\n"},
    {"--listen=h:65536", "", "is not an address"},
    {"--listen=h:", "", "is not an address"},
    {"--listen=:80", "", "is not an address"},
    {"--listen=::1:80", "", "is not an address"},
    {"--listen=[::1]", "", "is not an address"},
    {"--listen=[xyz]:80", "", "is not an address"},
    {"--listen=h:80,h:80", "", "listen: \"h:80\" is there twice"},
    {"--listen=127.0.0.1:8081", "",
     "admin.listen: \"127.0.0.1:8081\" collides with listen, where \"127.0.0.1:8081\" is (command line) (preset development)\n"},
    {"--listen=[::]:80|--admin.listen=127.0.0.1:80", "", "admin.listen: \"127.0.0.1:80\" collides with listen, where \"[::]:80\" is"},
    {"--listen=h:80|--tls.listen=h:81,0.0.0.0:80|--tls.certificate_file=c", "",
     "tls.listen: \"0.0.0.0:80\" collides with listen, where \"h:80\" is (command line) (command line)\n"},
    {"--listen=h:80|--tls.listen=h:81|--tls.certificate_file=c|--admin.listen=h:81", "",
     "admin.listen: \"h:81\" collides with tls.listen, where \"h:81\" is"},
    {"--tls.client_ca_file=c", "", "tls.client_ca_file: needs tls.certificate_file (command line)\n"},
    {"--tls.client_ca_file=c|--tls.certificate_file=c", "", "tls.client_ca_file: needs tls.client_auth = optional or required"},
    {"--tls.key_file=a\tb|--tls.certificate_file=c", "", "--tls.key_file: \"a?b\" holds a control character"},
    {"--admin.listen=h:80x", "", "admin.listen: \"h:80x\" is not an address"},
    {"--cors.origins=https://a/", "", "cors.origins: \"https://a/\" is not an origin"},
    {"--cors.origins=example.com", "", "is not an origin"},
    {"--cors.origins=https://a:0", "", "is not an origin"},
    {"--cors.origins=https://", "", "is not an origin"},
    {"--cors.origins=https://a:b:1", "", "is not an origin"},
    {"--redis.url=http://user:hunter2@h", "", "redis.url: the value does not begin with redis://, rediss://"},
    {"--redis.url=***", "",
     "--redis.url: the value is what --print-config writes for a secret; give the secret itself or redis.url_file"},
    {"--redis.url_file=no/such/file", "", "--redis.url_file: the file \"no/such/file\" cannot be read: No such file"},
    {"--redis.url=redis://a|--redis.url_file=b", "", "--redis.url_file: is set twice; before by command line"},
    {"--node.name=a\nb", "", "--node.name: \"a?b\" holds a control character"},
    {"--node.name=a ;b", "", "holds a \";\" at its start or after a space"},
    {"--config=no/such/file", "", "no/such/file: cannot be read: No such file or directory (configuration file)\n"},
};

START_TEST(refuses_a_mistake_and_says_what_is_allowed_and_where_it_is_from)
{
	enum err error = load(wrong[_i].flags, wrong[_i].environment);
	if (!*wrong[_i].line) {
		ck_assert_int_eq(error, OK);
		return;
	}
	ck_assert_int_eq(error, ERR_INVALID);
	ck_assert_ptr_null(config);
	ck_assert_msg(strstr(mistakes.bytes, wrong[_i].line) != NULL, "%s", mistakes.bytes);
	const char *end = strchr(mistakes.bytes, '\n');
	ck_assert_msg(end && end[1] == '\0', "more than one line: %s", mistakes.bytes);
	ck_assert_ptr_null(strstr(mistakes.bytes, "hunter2"));
}
END_TEST

START_TEST(tells_all_mistakes_in_one_run)
{
	write_file("nonsense\nworkers = many\n[redis]\nurll = redis://x\n[open\n  [closed]\n");
	char flags[PATH_BYTES + 64];
	snprintf(flags, sizeof flags, "--config=%s|--close.timeout=0.5s|--bogus=1", path);
	ck_assert_int_eq(load(flags, "TRACEGATE_BATCH_MAX_EVENTS=0"), ERR_INVALID);
	static const char *const lines[] = {
	    "configuration file: a line that is neither \"[section]\" nor \"name = value\" (PATH:1)\n",
	    "workers: \"many\" is not a number from 0 to 256 (PATH:2)\n",
	    "redis.urll: no such option; did you mean redis.url? (PATH:4)\n",
	    "configuration file: a section without \"]\" (PATH:5)\n",
	    "batch.max_events: \"0\" is not a number from 1 to 100000 (TRACEGATE_BATCH_MAX_EVENTS)\n",
	    "--close.timeout: \"0.5s\" is not a duration",
	    "--bogus: no such option",
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		char expected[256];
		const char *mark = strstr(lines[i], "PATH");
		if (mark)
			snprintf(expected, sizeof expected, "%.*s%s%s", (int)(mark - lines[i]), lines[i], path,
			         mark + 4);
		else
			snprintf(expected, sizeof expected, "%s", lines[i]);
		ck_assert_msg(strstr(mistakes.bytes, expected) != NULL, "no %s in %s", expected, mistakes.bytes);
	}
}
END_TEST

START_TEST(reads_a_file_with_comments_and_crlf_and_continuations)
{
	ck_assert_int_eq(
	    load_file("\xEF\xBB\xBF; comment\r\nworkers = 7 ; why\r\n# more\n[redis]\r\nprefix: x;y\r\npatterns = a*,\n"
	              "   b*,\n\tc*\n\n[limits]\nconnections=9"),
	    OK);
	ck_assert_uint_eq(config->workers, 7);
	ck_assert_str_eq(config->redis_prefix, "x;y");
	ck_assert_uint_eq(config->redis_patterns.count, 3);
	ck_assert_uint_eq(config->limits_connections, 9);
}
END_TEST

START_TEST(refuses_an_option_set_twice_in_a_file)
{
	ck_assert_int_eq(load_file("workers = 1\nworkers = 2\n"), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(mistakes.bytes, "workers: is set twice; before by "));
	ck_assert_ptr_nonnull(strstr(mistakes.bytes, ":2)\n"));
}
END_TEST

/* inih of Debian reads lines of 200 bytes; ours have no such end. Lengths around that, and a ";" and spaces at each
 * place. */
START_TEST(reads_lines_longer_than_the_library_does)
{
	char name[512], text[4096];
	int at = 0;
	for (; at < 150 + _i; at++)
		name[at] = (char)('a' + at % 26);
	snprintf(name + at, sizeof name - (size_t)at, "#;[x]  y=z:w");
	snprintf(text, sizeof text, "; %0400d\n[node]\nname = %s%s ; comment %0300d\n[batch]\nmax_events = 3\n", 1,
	         name, name, 1);
	ck_assert_int_eq(load_file(text), OK);
	snprintf(text, sizeof text, "%s%s", name, name);
	ck_assert_str_eq(config->node_name, text);
	ck_assert_uint_eq(config->batch_max_events, 3);
}
END_TEST

START_TEST(reads_a_secret_from_a_file_without_its_last_newline)
{
	write_file("redis://u:p@h:1/0\n");
	char flags[PATH_BYTES + 64];
	snprintf(flags, sizeof flags, "--redis.url_file=%s", path);
	ck_assert_int_eq(load(flags, "TRACEGATE_REDIS_URL=redis://other"), OK);
	ck_assert_str_eq(config->redis_url, "redis://u:p@h:1/0");
	struct buf file;
	buf_init(&file);
	config_write_file(&file, config);
	buf_append_char(&file, '\0');
	ck_assert_ptr_null(strstr(file.bytes, "u:p"));
	ck_assert_ptr_nonnull(strstr(file.bytes, "\nurl_file = "));
	buf_fini(&file);
}
END_TEST

START_TEST(names_a_file_of_a_secret_that_is_empty)
{
	char flags[PATH_BYTES + 64];
	write_file("\n");
	snprintf(flags, sizeof flags, "--redis.url_file=%s", path);
	ck_assert_int_eq(load(flags, ""), ERR_INVALID);
	snprintf(flags, sizeof flags, "--redis.url_file: the file \"%s\" is empty (command line)\n", path);
	ck_assert_str_eq(mistakes.bytes, flags);
}
END_TEST

static const struct {
	const char *flags, *warning;
} allowed[] = {
    {"", ""},
    {"--record.grace=1s",
     "record.grace: \"1s\" is shorter than three times record.lease, which is \"600ms\" (preset development): after a take-over events "
     "come without ids (command line)\n"},
    {"--record.grace=1s|--history.enabled=no", ""},
};

START_TEST(warns_of_what_is_hardly_meant)
{
	struct buf warnings;
	buf_init(&warnings);
	ck_assert_int_eq(load(allowed[_i].flags, ""), OK);
	config_write_warnings(&warnings, config);
	buf_append_char(&warnings, '\0');
	ck_assert_str_eq(warnings.bytes, allowed[_i].warning);
	buf_fini(&warnings);
}
END_TEST

START_TEST(addresses_that_differ_do_not_collide)
{
	ck_assert_int_eq(load("--listen=127.0.0.1:0,[::1]:80,a:82|--admin.listen=127.0.0.1:0|--tls.listen=b:80,b:82|--tls.certificate_file=c", ""), OK);
	config_free(config);
	ck_assert_int_eq(load("--listen=[::]:80|--admin.listen=", ""), OK);
}
END_TEST

START_TEST(shows_no_secret_in_the_printed_file)
{
	struct buf file;
	buf_init(&file);
	ck_assert_int_eq(load("--print-config", "TRACEGATE_REDIS_URL=redis://u:hunter2@h"), OK);
	ck_assert_int_eq(action, CONFIG_PRINT);
	config_write_file(&file, config);
	buf_append_char(&file, '\0');
	ck_assert_ptr_null(strstr(file.bytes, "hunter2"));
	ck_assert_ptr_nonnull(strstr(file.bytes, "\nurl = ***\n"));
	buf_fini(&file);
}
END_TEST

START_TEST(hides_secrets_in_the_words_that_the_system_shows)
{
	char program[] = "tracegate", joined[] = "--redis.url=redis://:hunter2@h", flag[] = "--redis.url", value[] = "redis://:hunter2@h";
	char other[] = "--redis.prefix=hunter:", path_flag[] = "--redis.url_file=/run/hunter", last[] = "--redis.url";
	char *argv[] = {program, joined, flag, value, other, path_flag, last, NULL};
	char variable[] = "TRACEGATE_REDIS_URL=redis://:hunter2@h", foreign[] = "REDIS_URL=hunter", odd[] = "TRACEGATE_";
	char *environment[] = {variable, foreign, odd, NULL};
	config_hide_secrets(7, argv, environment);
	ck_assert_str_eq(joined, "--redis.url=******************");
	ck_assert_str_eq(flag, "--redis.url");
	ck_assert_str_eq(value, "******************");
	ck_assert_str_eq(other, "--redis.prefix=hunter:");
	ck_assert_str_eq(path_flag, "--redis.url_file=/run/hunter");
	ck_assert_str_eq(variable, "TRACEGATE_REDIS_URL=******************");
	ck_assert_str_eq(foreign, "REDIS_URL=hunter");
}
END_TEST

static bool is_same_list(const struct config_list *a, const struct config_list *b)
{
	bool is_same = a->count == b->count;
	for (size_t i = 0; is_same && i < a->count; i++)
		is_same = slice_equal(a->items[i], b->items[i]);
	return is_same;
}

#define IS_SAME_BOOL(id) ck_assert_msg(again->id == first->id, #id)
#define IS_SAME_COUNT(id) ck_assert_msg(again->id == first->id, #id)
#define IS_SAME_DURATION(id) ck_assert_msg(again->id == first->id, #id)
#define IS_SAME_SIZE(id) ck_assert_msg(again->id == first->id, #id)
#define IS_SAME_TEXT(id) ck_assert_msg(strcmp(again->id, first->id) == 0, #id)
#define IS_SAME_SECRET(id) ck_assert_msg(strcmp(again->id, first->id) == 0, #id)
#define IS_SAME_ENUM(id) ck_assert_msg(strcmp(again->id, first->id) == 0, #id)
#define IS_SAME_LIST(id) ck_assert_msg(is_same_list(&again->id, &first->id), #id)

START_TEST(the_printed_file_gives_the_same_again)
{
	char flags[256];
	struct buf file;
	buf_init(&file);
	snprintf(flags, sizeof flags, "%s|--auth.required=no|--node.name=a  b|--workers=2|--log.level=info,redis=debug", preset_flags[_i]);
	ck_assert_int_eq(load(flags, ""), OK);
	struct config *first = config;
	config_write_file(&file, first);
	buf_append_char(&file, '\0');
	ck_assert_msg(load_file(file.bytes) == OK, "%s", mistakes.bytes);
	struct config *again = config;
	ck_assert_int_eq(again->preset, first->preset);
#define OPTION(id, type, name, low, high, dev, test, prod, perf, help) IS_SAME_##type(id);
#include "gateway/config/options.def"
#undef OPTION
	config_free(first);
	buf_fini(&file);
}
END_TEST

static const struct {
	const char *flags;
	enum config_action action;
} asked[] = {
    {"--help", CONFIG_HELP},           {"-h", CONFIG_HELP},
    {"--wrong=1|--help", CONFIG_HELP}, {"--version", CONFIG_VERSION},
    {"--print-config", CONFIG_PRINT},  {"--check-config|--workers|2", CONFIG_CHECK},
    {"--print-script", CONFIG_PRINT_SCRIPT},
};

START_TEST(understands_what_else_is_asked_for)
{
	ck_assert_int_eq(load(asked[_i].flags, ""), OK);
	ck_assert_int_eq(action, asked[_i].action);
}
END_TEST

START_TEST(passes_over_what_kubernetes_sets_for_a_service)
{
	ck_assert_int_eq(
	    load("", "TRACEGATE_SERVICE_HOST=10.0.0.1|TRACEGATE_SERVICE_PORT=80|TRACEGATE_SERVICE_PORT_HTTP=80|"
	             "TRACEGATE_PORT=tcp://10.0.0.1:80|TRACEGATE_PORT_80_TCP=tcp://10.0.0.1:80|"
	             "TRACEGATE_PORT_80_TCP_PROTO=tcp|TRACEGATE_ADMIN_PORT=tcp://10.0.0.2:81|PATH=x|TRACEGATE_CONFIG="),
	    OK);
	ck_assert_int_eq(load("", "TRACEGATE_PORT=80"), ERR_INVALID);
}
END_TEST

START_TEST(help_and_reference_name_every_option_and_help_stays_in_its_columns)
{
	struct buf help, reference;
	buf_init(&help);
	buf_init(&reference);
	config_write_help(&help);
	config_write_reference(&reference);
	buf_append_char(&help, '\0');
	buf_append_char(&reference, '\0');
	static const char *const names[] = {
	    "preset",
#define OPTION(id, type, name, low, high, dev, test, prod, perf, help) name,
#include "gateway/config/options.def"
#undef OPTION
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char wanted[80];
		snprintf(wanted, sizeof wanted, "\n  --%s ", names[i]);
		ck_assert_msg(strstr(help.bytes, wanted) != NULL, "%s", names[i]);
		snprintf(wanted, sizeof wanted, "\n### %s\n", names[i]);
		ck_assert_msg(strstr(reference.bytes, wanted) != NULL, "%s", names[i]);
	}
	for (const char *at = help.bytes; *at; at += strcspn(at, "\n") + 1) {
		size_t len = strcspn(at, "\n");
		ck_assert_msg(len <= 100 || !memchr(at + 6, ' ', len - 6), "%.*s", (int)len, at);
	}
	buf_fini(&help);
	buf_fini(&reference);
}
END_TEST

/* In a file nothing ends a section but another one. */
START_TEST(the_table_keeps_groups_together)
{
	static const char *const names[] = {
#define OPTION(id, type, name, low, high, dev, test, prod, perf, help) name,
#include "gateway/config/options.def"
#undef OPTION
	};
	size_t count = sizeof names / sizeof names[0];
	for (size_t i = 0; i < count; i++) {
		size_t group = strcspn(names[i], ".");
		bool has_left = false;
		for (size_t later = i + 1; later < count; later++) {
			bool is_same = strcspn(names[later], ".") == group &&
			               strncmp(names[later], names[i], group) == 0 && names[i][group] == '.';
			ck_assert_msg(!(has_left && is_same), "%s stands apart from its group", names[later]);
			ck_assert_msg(names[i][group] != '.' || strchr(names[later], '.'), "%s must come first",
			              names[later]);
			has_left = has_left || !is_same;
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *cases = tcase_create("config");
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_test(cases, a_node_that_is_to_know_its_clients_needs_keys_before_it_runs);
	tcase_add_test(cases, starts_with_the_defaults_of_development);
	tcase_add_test(cases, takes_the_preset_from_every_source);
	tcase_add_test(cases, a_later_source_wins);
	tcase_add_test(cases, of_two_equal_flags_the_last_wins);
	tcase_add_loop_test(cases, reads_durations, 0, sizeof durations / sizeof durations[0]);
	tcase_add_test(cases, reads_hours_sizes_and_bare_zeros);
	tcase_add_test(cases, reads_lists_and_empty_lists);
	tcase_add_loop_test(cases, refuses_a_mistake_and_says_what_is_allowed_and_where_it_is_from, 0,
	                    sizeof wrong / sizeof wrong[0]);
	tcase_add_test(cases, tells_all_mistakes_in_one_run);
	tcase_add_test(cases, reads_a_file_with_comments_and_crlf_and_continuations);
	tcase_add_test(cases, refuses_an_option_set_twice_in_a_file);
	tcase_add_loop_test(cases, reads_lines_longer_than_the_library_does, 0, 80);
	tcase_add_test(cases, reads_a_secret_from_a_file_without_its_last_newline);
	tcase_add_test(cases, names_a_file_of_a_secret_that_is_empty);
	tcase_add_loop_test(cases, warns_of_what_is_hardly_meant, 0, sizeof allowed / sizeof allowed[0]);
	tcase_add_test(cases, addresses_that_differ_do_not_collide);
	tcase_add_test(cases, shows_no_secret_in_the_printed_file);
	tcase_add_test(cases, hides_secrets_in_the_words_that_the_system_shows);
	tcase_add_loop_test(cases, the_printed_file_gives_the_same_again, 0, 4);
	tcase_add_loop_test(cases, understands_what_else_is_asked_for, 0, sizeof asked / sizeof asked[0]);
	tcase_add_test(cases, passes_over_what_kubernetes_sets_for_a_service);
	tcase_add_test(cases, help_and_reference_name_every_option_and_help_stays_in_its_columns);
	tcase_add_test(cases, the_table_keeps_groups_together);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}

/* The configuration of a node: one table (options.def) of options, each set by, later ones winning: the preset's default,
 * the file, the environment, the flags. Built once at start by config_load, read-only afterwards, shared by all threads.
 * Every option has one dotted name (redis.url), a file form ([redis] url = ...), an environment form
 * (TRACEGATE_REDIS_URL) and a flag (--redis.url VALUE or --redis.url=VALUE). Also understood: preset (as an option),
 * --config FILE (TRACEGATE_CONFIG), --help, --version, --print-config, --check-config, --print-script. */
#ifndef GATEWAY_CONFIG_CONFIG_H
#define GATEWAY_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/data/buf.h"

enum config_preset { PRESET_DEVELOPMENT, PRESET_TEST, PRESET_PRODUCTION, PRESET_HIGH_PERFORMANCE };

struct config_list {
	const struct slice *items; /* NUL-terminated each */
	size_t count;
};

#define CONFIG_TYPE_BOOL bool
#define CONFIG_TYPE_COUNT uint64_t
#define CONFIG_TYPE_DURATION uint64_t /* ns */
#define CONFIG_TYPE_SIZE uint64_t     /* bytes */
#define CONFIG_TYPE_TEXT const char *
#define CONFIG_TYPE_SECRET const char *
#define CONFIG_TYPE_ENUM const char *
#define CONFIG_TYPE_LIST struct config_list

struct config {
	enum config_preset preset;
#define OPTION(id, type, name, low, high, dev, test, prod, perf, help) CONFIG_TYPE_##type id;
#include "gateway/config/options.def"
#undef OPTION
	struct config_memory *memory; /* owns every text */
};

/* What config_load found on the command line besides options. */
enum config_action { CONFIG_RUN, CONFIG_HELP, CONFIG_VERSION, CONFIG_PRINT, CONFIG_CHECK, CONFIG_PRINT_SCRIPT };

/* environment: as environ. On failure ret_error gets one line for every mistake, each naming the option, the value (not of
 * a secret), what is allowed and where it came from: "--workers: \"x\" is not a number from 0 to 256 (command line)",
 * "wrokers: no such option; did you mean workers? (tracegate.ini:3)". ERR_INVALID, ERR_IO, ERR_NOMEM. */
enum err config_load(int argc, char *const *argv, char *const *environment, struct config **ret_config,
		     enum config_action *ret_action, struct buf *ret_error) MUST_USE;
void config_free(struct config *config);
/* Overwrites the values of secrets in the words of the command line and of the environment themselves, where ps(1) and /proc show them
 * for as long as the process runs. After config_load, which copies what it needs. */
void config_hide_secrets(int argc, char **argv, char **environment);

/* What a node can run with but is hardly meant to: a line each, in the form of a mistake. */
void config_write_warnings(struct buf *out, const struct config *config);

void config_write_help(struct buf *out);                               /* --help */
void config_write_file(struct buf *out, const struct config *config); /* --print-config: a file that gives the same; secrets as *** */
void config_write_reference(struct buf *out);                         /* docs/configuration.md, the part made from the table */

#endif

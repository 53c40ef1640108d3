#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gateway/config/load.h"
#include "gateway/config/value.h"

#define CONFIG_FLAG "--config"
#define CONFIG_VARIABLE ENVIRONMENT_PREFIX "CONFIG"
#define ENVIRONMENT_NAME_BYTES 256

/* A flag as the command line has it: --name, --name=value or --name value. */
struct flag {
	struct slice name; /* without the dashes */
	const char *value; /* NULL: none */
	int used;          /* arguments */
};

static const struct {
	const char *name;
	enum config_action action;
} actions[] = {
    {"help", CONFIG_HELP},          {"version", CONFIG_VERSION},
    {"print-config", CONFIG_PRINT}, {"check-config", CONFIG_CHECK},
    {"print-script", CONFIG_PRINT_SCRIPT},
};

static bool find_action(struct slice name, enum config_action *ret_action)
{
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (slice_is(name, actions[i].name)) {
			*ret_action = actions[i].action;
			return true;
		}
	}
	return false;
}

/* Whether the argument behind the flag is its value. A BOOL may stand alone, but a word that is no flag has no other place. */
static bool takes_next(struct slice name, const char *next)
{
	enum option_id id;
	bool is_file;
	enum config_action action;
	if (!next || strncmp(next, "--", 2) == 0 || find_action(name, &action))
		return false;
	return *next != '-' || !option_find(name, &id, &is_file) || options[id].type != TYPE_BOOL;
}

/* Reads the flag at argv[at]; false when that is none. */
static bool read_flag(int argc, char *const *argv, int at, struct flag *ret_flag)
{
	const char *argument = argv[at];
	if (strcmp(argument, "-h") == 0)
		argument = "--help";
	if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0')
		return false;
	const char *equals = strchr(argument, '=');
	const char *next = at + 1 < argc ? argv[at + 1] : NULL;
	struct slice name = {argument + 2, equals ? (size_t)(equals - argument - 2) : strlen(argument + 2)};
	if (equals)
		*ret_flag = (struct flag){name, equals + 1, 1};
	else if (takes_next(name, next))
		*ret_flag = (struct flag){name, next, 2};
	else
		*ret_flag = (struct flag){name, NULL, 1};
	return true;
}

static void set_flag(struct load *load, const struct flag *flag)
{
	char name[OPTION_NAME_MAX + 2];
	struct assignment assignment = {
	    .source = SOURCE_FLAG, .name = name, .value = flag->value, .origin = ORIGIN_FLAG};
	if (!option_find(flag->name, &assignment.id, &assignment.is_file)) {
		load_unknown(load, "--", flag->name, false, ORIGIN_FLAG);
		return;
	}
	snprintf(name, sizeof name, "--%.*s", (int)flag->name.len, flag->name.ptr);
	if (!assignment.value && options[assignment.id].type == TYPE_BOOL)
		assignment.value = "yes";
	if (assignment.value)
		load_set(load, &assignment);
	else
		load_mistake(load, name, ORIGIN_FLAG, "needs a value");
}

void source_flags(struct load *load, int argc, char *const *argv, enum config_action *ret_action)
{
	struct flag flag;
	for (int at = 1; at < argc; at += flag.used) {
		char shown[VALUE_SHOWN_BYTES];
		if (!read_flag(argc, argv, at, &flag)) {
			flag.used = 1;
			load_mistake(load, load_show(argv[at], shown), ORIGIN_FLAG,
			             "is no option; options begin with --");
		} else if (slice_is(flag.name, "config")) {
			if (!flag.value)
				load_mistake(load, CONFIG_FLAG, ORIGIN_FLAG, "needs a value");
		} else if (!find_action(flag.name, ret_action)) {
			set_flag(load, &flag);
		} else if (flag.value) {
			snprintf(shown, sizeof shown, "--%.*s", (int)flag.name.len, flag.name.ptr);
			load_mistake(load, shown, ORIGIN_FLAG, "takes no value");
		}
	}
}

static void hide(const char *value)
{
	char *bytes = (char *)(uintptr_t)value; /* into a word that the caller may write to */
	memset(bytes, '*', strlen(bytes));
}

static bool is_secret(enum option_id id, bool is_file)
{
	return options[id].type == TYPE_SECRET && !is_file;
}

void config_hide_secrets(int argc, char **argv, char **environment)
{
	struct flag flag;
	enum option_id id;
	bool is_file;
	for (int at = 1; at < argc; at += flag.used) {
		if (!read_flag(argc, argv, at, &flag))
			flag.used = 1;
		else if (flag.value && option_find(flag.name, &id, &is_file) && is_secret(id, is_file))
			hide(flag.value);
	}
	for (; *environment; environment++) {
		const size_t prefix_len = sizeof ENVIRONMENT_PREFIX - 1;
		const char *equals = strchr(*environment, '=');
		if (!equals || strncmp(*environment, ENVIRONMENT_PREFIX, prefix_len) != 0)
			continue;
		struct slice name = {*environment + prefix_len, (size_t)(equals - *environment) - prefix_len};
		if (option_find_environment(name, &id, &is_file) && is_secret(id, is_file))
			hide(equals + 1);
	}
}

const char *source_find_path(int argc, char *const *argv, char *const *environment)
{
	const char *path = NULL;
	struct flag flag;
	for (int at = 1; at < argc; at += flag.used) {
		if (!read_flag(argc, argv, at, &flag))
			flag.used = 1;
		else if (slice_is(flag.name, "config"))
			path = flag.value;
	}
	for (; !path && *environment; environment++) {
		if (strncmp(*environment, CONFIG_VARIABLE "=", sizeof CONFIG_VARIABLE) == 0)
			path = *environment + sizeof CONFIG_VARIABLE;
	}
	return path && *path ? path : NULL;
}

/* Kubernetes sets such variables in every pod for each Service of the namespace; one named tracegate gives
 * TRACEGATE_SERVICE_HOST, TRACEGATE_PORT=tcp://..., TRACEGATE_PORT_8080_TCP_ADDR and more. TRACEGATE_NO_INSTALL belongs
 * to the project's scripts. */
static bool is_foreign(const char *name, const char *value)
{
	size_t len = strlen(name);
	return strstr(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") || strstr(name, "_TCP") ||
	       strstr(name, "_UDP") || (len > 5 && strcmp(name + len - 5, "_PORT") == 0 && strstr(value, "://")) ||
	       strcmp(name, ENVIRONMENT_PREFIX "NO_INSTALL") == 0;
}

static void set_variable(struct load *load, const char *name, const char *value)
{
	const size_t prefix_len = sizeof ENVIRONMENT_PREFIX - 1;
	struct assignment assignment = {.source = SOURCE_ENVIRONMENT, .value = value, .origin = name};
	if (option_find_environment(slice_of(name + prefix_len), &assignment.id, &assignment.is_file)) {
		char shown[OPTION_NAME_MAX + sizeof FILE_SUFFIX];
		snprintf(shown, sizeof shown, "%s%s", options[assignment.id].name,
		         assignment.is_file ? FILE_SUFFIX : "");
		assignment.name = shown;
		load_set(load, &assignment);
	} else if (!is_foreign(name, value)) {
		load_unknown(load, ENVIRONMENT_PREFIX, slice_of(name + prefix_len), true, "environment");
	}
}

void source_environment(struct load *load, char *const *environment)
{
	for (; *environment; environment++) {
		char name[ENVIRONMENT_NAME_BYTES];
		const char *equals = strchr(*environment, '=');
		if (!equals || strncmp(*environment, ENVIRONMENT_PREFIX, sizeof ENVIRONMENT_PREFIX - 1) != 0)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)(equals - *environment), *environment);
		if (strcmp(name, CONFIG_VARIABLE) != 0)
			set_variable(load, name, equals + 1);
	}
}

#include "gateway/config/load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config/value.h"

#define MEMORY_LIMIT_BYTES ((size_t)16 << 20)
#define FILE_LIMIT_BYTES ((size_t)1 << 20)
#define VALUE_SHOWN_CHARS 60
#define MISTAKE_BYTES 640

const char *load_show(const char *value, char ret_text[VALUE_SHOWN_BYTES])
{
	size_t at = 0, shown = 0;
	ret_text[at++] = '"';
	for (; value[shown] && shown < VALUE_SHOWN_CHARS; shown++) {
		unsigned char c = (unsigned char)value[shown];
		ret_text[at++] = (char)(c < ' ' || c == 0x7f ? '?' : c);
	}
	snprintf(ret_text + at, VALUE_SHOWN_BYTES - at, "\"%s", value[shown] ? "..." : "");
	return ret_text;
}

void load_mistake(struct load *load, const char *name, const char *origin, const char *format, ...)
{
	char text[MISTAKE_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	buf_printf(load->mistakes, "%s: %s (%s)\n", name, text, origin);
}

void load_unknown(struct load *load, const char *prefix, struct slice name, bool in_environment, const char *origin)
{
	char nearest[OPTION_NAME_MAX], shown[VALUE_SHOWN_BYTES], whole[VALUE_SHOWN_BYTES];
	snprintf(whole, sizeof whole, "%s%.*s", prefix,
	         (int)(name.len < VALUE_SHOWN_CHARS ? name.len : VALUE_SHOWN_CHARS), name.ptr);
	load_show(whole, shown);
	shown[strlen(shown) - 1] = '\0'; /* without the quotes */
	if (option_nearest(name, in_environment, nearest))
		load_mistake(load, shown + 1, origin, "no such option; did you mean %s%s?", prefix, nearest);
	else
		load_mistake(load, shown + 1, origin, "no such option");
}

enum err load_read_file(struct load *load, const char *path, struct slice *ret_text, char *ret_why, size_t why_size)
{
	enum err error = ERR_IO;
	struct buf text;
	buf_init(&text);
	FILE *file = fopen(path, "re");
	char piece[4096];
	size_t len;
	if (!file) {
		snprintf(ret_why, why_size, "cannot be read: %s", strerror(errno));
		goto done;
	}
	while (text.len <= FILE_LIMIT_BYTES && (len = fread(piece, 1, sizeof piece, file)) > 0)
		buf_append(&text, piece, len);
	if (ferror(file)) {
		snprintf(ret_why, why_size, "cannot be read: %s", strerror(errno));
	} else if (text.len > FILE_LIMIT_BYTES || (text.len && memchr(text.bytes, '\0', text.len))) {
		snprintf(ret_why, why_size, "is not a text file of at most 1 MiB");
	} else {
		const char *copy = arena_copy(&load->memory->arena, text.bytes, text.len);
		error = copy && !buf_has_failed(&text) ? OK : ERR_NOMEM;
		snprintf(ret_why, why_size, "cannot be read: %s", err_name(error));
		*ret_text = (struct slice){copy, text.len};
	}
	fclose(file);
done:
	buf_fini(&text);
	return error;
}

/* What no source can carry unharmed: an INI file ends a value at a line end and at " ;", and trims it. */
static const char *find_unwritable(const char *text)
{
	for (const char *at = text; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return "holds a control character";
		if (*at == ';' && (at == text || at[-1] == ' '))
			return "holds a \";\" at its start or after a space";
	}
	size_t len = strlen(text);
	return len && (text[0] == ' ' || text[len - 1] == ' ') ? "starts or ends with a space" : NULL;
}

/* Reads the file that holds a secret. */
static const char *read_secret(struct load *load, const struct assignment *assignment)
{
	char why[128], shown[VALUE_SHOWN_BYTES];
	struct slice text;
	if (load_read_file(load, assignment->value, &text, why, sizeof why) != OK) {
		load_mistake(load, assignment->name, assignment->origin, "the file %s %s",
		             load_show(assignment->value, shown), why);
		return NULL;
	}
	size_t len = text.len;
	if (len && text.ptr[len - 1] == '\n')
		len--;
	if (len && text.ptr[len - 1] == '\r')
		len--;
	if (len == 0) {
		load_mistake(load, assignment->name, assignment->origin, "the file %s is empty", load_show(assignment->value, shown));
		return NULL;
	}
	return arena_copy(&load->memory->arena, text.ptr, len);
}

static enum err judge(struct load *load, const struct option *option, const char *text, char why[WHY_BYTES])
{
	const char *unwritable = find_unwritable(text);
	if (unwritable) {
		snprintf(why, WHY_BYTES, "%s", unwritable);
		return ERR_INVALID;
	}
	if (option->type == TYPE_SECRET && strcmp(text, SECRET_SHOWN) == 0) {
		snprintf(why, WHY_BYTES,
		         "is what --print-config writes for a secret; give the secret itself or %s" FILE_SUFFIX,
		         option->name);
		return ERR_INVALID;
	}
	return value_store(option, text, &load->memory->arena, load->config, why);
}

static void store(struct load *load, const struct assignment *assignment, struct setting *setting)
{
	const struct option *option = &options[assignment->id];
	char why[WHY_BYTES], shown[VALUE_SHOWN_BYTES];
	if (judge(load, option, setting->text, why) == OK)
		return;
	setting->is_wrong = true;
	load_mistake(load, assignment->name, assignment->origin, "%s %s",
	             option->type == TYPE_SECRET ? "the value" : load_show(setting->text, shown), why);
}

void load_set(struct load *load, const struct assignment *assignment)
{
	struct setting *setting = &load->memory->settings[assignment->id];
	struct arena *arena = &load->memory->arena;
	bool is_again = setting->source == assignment->source && setting->source != SOURCE_DEFAULT;
	if (is_again && (assignment->source == SOURCE_FILE || assignment->is_file != (setting->path != NULL))) {
		load_mistake(load, assignment->name, assignment->origin, "is set twice; before by %s", setting->origin);
		return;
	}
	struct setting fresh = {.source = assignment->source};
	fresh.origin = arena_copy(arena, assignment->origin, strlen(assignment->origin));
	if (assignment->is_file) {
		fresh.path = arena_copy(arena, assignment->value, strlen(assignment->value));
		fresh.text = read_secret(load, assignment);
	} else {
		fresh.text = arena_copy(arena, assignment->value, strlen(assignment->value));
	}
	if (!fresh.text || !fresh.origin) {
		if (!assignment->is_file)
			load_mistake(load, assignment->name, assignment->origin, "is too long");
		setting->is_wrong = true;
		return;
	}
	*setting = fresh;
	store(load, assignment, setting);
}

void load_defaults(struct load *load)
{
	char origin[64];
	enum config_preset preset = load->config->preset;
	snprintf(origin, sizeof origin, "preset %s", preset_names[preset]);
	for (int id = 0; id < OPTIONS; id++) {
		struct setting *setting = &load->memory->settings[id];
		if (setting->source != SOURCE_DEFAULT || setting->is_wrong)
			continue;
		const char *text = options[id].defaults[preset];
		load_set(load, &(struct assignment){(enum option_id)id, false, SOURCE_DEFAULT, options[id].name, text,
		                                    origin});
	}
}

static struct config *new_config(void)
{
	struct config *config = calloc(1, sizeof *config);
	struct config_memory *memory = calloc(1, sizeof *memory);
	if (!config || !memory) {
		free(config);
		free(memory);
		return NULL;
	}
	arena_init(&memory->arena, MEMORY_LIMIT_BYTES);
	config->memory = memory;
	return config;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	arena_fini(&config->memory->arena);
	free(config->memory);
	free(config);
}

enum err config_load(int argc, char *const *argv, char *const *environment, struct config **ret_config,
                     enum config_action *ret_action, struct buf *ret_error)
{
	struct config *config = new_config();
	if (!config)
		return ERR_NOMEM;
	struct load load = {config, config->memory, ret_error};
	size_t before = ret_error->len;
	enum config_action action = CONFIG_RUN;
	const char *path = source_find_path(argc, argv, environment);
	if (path)
		source_file(&load, path);
	source_environment(&load, environment);
	source_flags(&load, argc, argv, &action);
	load_defaults(&load);
	check_all(&load);
	if (action == CONFIG_RUN || action == CONFIG_CHECK)
		check_keys(&load);
	if (action == CONFIG_HELP || action == CONFIG_VERSION)
		ret_error->len = before; /* whoever asks for help gets it */
	if (ret_error->len > before || buf_has_failed(ret_error)) {
		config_free(config);
		return buf_has_failed(ret_error) ? ERR_NOMEM : ERR_INVALID;
	}
	*ret_config = config;
	*ret_action = action;
	return OK;
}

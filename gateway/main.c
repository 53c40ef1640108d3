/* tracegate: streams what agents PUBLISH in Redis to everyone who watches. */
#include <stdio.h>

#include "common/data/buf.h"
#include "gateway/app/app.h"
#include "gateway/app/keys.h"
#include "gateway/config/config.h"
#include "gateway/metrics/node.h"
#include "gateway/redis/logscript.h"

#define EXIT_CONFIG 2

extern char **environ;

static void print(FILE *stream, const struct buf *text)
{
	fwrite(text->bytes, 1, text->len, stream);
}

/* With the files that hold keys, which only the rooms that use them can judge. */
static int check(const struct config *config)
{
	char why[256];
	struct auth *auth = NULL;
	struct tls_keys *tls_keys = NULL;
	enum err error = keys_open(config, &auth, why);
	if (error == OK)
		error = keys_open_tls(config, &tls_keys, why);
	if (error != OK)
		fprintf(stderr, "%s\n", why);
	else
		puts("The configuration is valid.");
	if (tls_keys && tls_keys_have_old_list(tls_keys, why))
		fprintf(stderr, "%s\n", why);
	tls_keys_free(tls_keys);
	auth_free(auth);
	return error == OK ? 0 : EXIT_CONFIG;
}

/* What the command line asked for; all but running is printing. */
static int act(enum config_action action, const struct config *config, struct buf *text)
{
	switch (action) {
	case CONFIG_HELP:
		config_write_help(text);
		break;
	case CONFIG_VERSION:
		buf_append_text(text, "tracegate " TRACEGATE_VERSION "\n");
		break;
	case CONFIG_PRINT:
		config_write_file(text, config);
		break;
	case CONFIG_CHECK:
		return check(config);
	case CONFIG_PRINT_SCRIPT:
		buf_append_text(text, logscript_source);
		break;
	case CONFIG_RUN:
		return app_run(config);
	}
	print(stdout, text);
	return 0;
}

int main(int argc, char **argv)
{
	app_block_signals();
	struct config *config = NULL;
	enum config_action action = CONFIG_RUN;
	struct buf text;
	buf_init(&text);
	int status = EXIT_CONFIG;
	enum err error = config_load(argc, argv, environ, &config, &action, &text);
	config_hide_secrets(argc, argv, environ);
	if (error == OK)
		status = act(action, config, &text);
	else
		print(stderr, &text);
	config_free(config);
	buf_fini(&text);
	return status;
}

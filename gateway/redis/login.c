#include "gateway/redis/login.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

struct login_step {
	const char *name;
	bool (*is_needed)(const struct link_settings *settings);
	size_t (*write)(struct login *login, const char **ret_words);
	bool (*is_good)(const struct redisReply *reply, char *ret_why, size_t why_size);
};

static bool needs_auth(const struct link_settings *settings)
{
	return !settings->is_plain && url_has_credentials(settings->url);
}

static size_t write_auth(struct login *login, const char **ret_words)
{
	const struct url *url = login->settings->url;
	size_t count = 0;
	ret_words[count++] = "AUTH";
	if (url->user)
		ret_words[count++] = url->user;
	ret_words[count++] = url->password ? url->password : "";
	return count;
}

static bool needs_select(const struct link_settings *settings)
{
	return !settings->is_plain && !settings->is_sentinel && settings->url->db != 0;
}

static size_t write_select(struct login *login, const char **ret_words)
{
	snprintf(login->db, sizeof login->db, "%lu", (unsigned long)login->settings->url->db);
	ret_words[0] = "SELECT";
	ret_words[1] = login->db;
	return 2;
}

static bool needs_name(const struct link_settings *settings)
{
	return !settings->is_plain && !settings->is_sentinel && settings->client_name;
}

static size_t write_name(struct login *login, const char **ret_words)
{
	ret_words[0] = "CLIENT";
	ret_words[1] = "SETNAME";
	ret_words[2] = login->settings->client_name;
	return 3;
}

static bool needs_role(const struct link_settings *settings)
{
	return settings->must_be_primary;
}

static size_t write_role(struct login *login, const char **ret_words)
{
	(void)login;
	ret_words[0] = "ROLE";
	return 1;
}

static bool is_ok(const struct redisReply *reply, char *ret_why, size_t why_size)
{
	if (reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "OK") == 0)
		return true;
	snprintf(ret_why, why_size, "%s", reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is not OK");
	return false;
}

/* A server that does not know AUTH repeats its arguments in the error: that text must not reach a log. */
static bool is_login_ok(const struct redisReply *reply, char *ret_why, size_t why_size)
{
	if (reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "ERR unknown", 11) != 0)
		return is_ok(reply, ret_why, why_size);
	snprintf(ret_why, why_size, "the server does not know it");
	return false;
}

/* A name is only for those who read CLIENT LIST, and a proxy or an ACL may refuse it. These errors however mean that
 * the connection as a whole is of no use. */
static bool is_bearable(const struct redisReply *reply, char *ret_why, size_t why_size)
{
	static const char *const grave[] = {"NOAUTH", "LOADING", "MASTERDOWN", "BUSY"};
	for (size_t i = 0; reply->type == REDIS_REPLY_ERROR && i < sizeof grave / sizeof *grave; i++) {
		if (strncmp(reply->str, grave[i], strlen(grave[i])) == 0)
			return is_ok(reply, ret_why, why_size);
	}
	return true;
}

static bool is_primary(const struct redisReply *reply, char *ret_why, size_t why_size)
{
	if (reply->type == REDIS_REPLY_ERROR)
		return is_ok(reply, ret_why, why_size);
	if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 && reply->element[0]->type == REDIS_REPLY_STRING &&
	    strcmp(reply->element[0]->str, "master") == 0)
		return true;
	snprintf(ret_why, why_size, "it is not the primary");
	return false;
}

static const struct login_step steps[] = {
    {"AUTH", needs_auth, write_auth, is_login_ok},
    {"SELECT", needs_select, write_select, is_ok},
    {"CLIENT SETNAME", needs_name, write_name, is_bearable},
    {"ROLE", needs_role, write_role, is_primary},
};
#define STEPS (sizeof steps / sizeof *steps)

void login_init(struct login *login, const struct link_settings *settings)
{
	*login = (struct login){.settings = settings};
}

size_t login_next(struct login *login, const char *ret_words[LOGIN_WORDS_MAX])
{
	while (login->step < STEPS && !steps[login->step].is_needed(login->settings))
		login->step++;
	return login->step < STEPS ? steps[login->step].write(login, ret_words) : 0;
}

bool login_accept(struct login *login, const struct redisReply *reply, char *ret_why, size_t why_size)
{
	const struct login_step *step = &steps[login->step++];
	char why[200];
	if (step->is_good(reply, why, sizeof why))
		return true;
	snprintf(ret_why, why_size, "%s: %s", step->name, why);
	return false;
}

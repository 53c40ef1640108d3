/* The login of a link as a table of steps: AUTH, SELECT, CLIENT SETNAME, ROLE; each is sent only after the one before it
 * was answered well. Pure: it says what to send and judges what comes back. */
#ifndef GATEWAY_REDIS_LOGIN_H
#define GATEWAY_REDIS_LOGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/redis/link.h"

#define LOGIN_WORDS_MAX 3

struct login {
	const struct link_settings *settings;
	size_t step; /* of the table: the one to send, or under way */
	char db[12];
};

void login_init(struct login *login, const struct link_settings *settings);
/* The words of the next step; 0: the login is complete. The words live as long as login and settings. */
size_t login_next(struct login *login, const char *ret_words[LOGIN_WORDS_MAX]);
/* False: the connection is of no use; ret_why says why. Moves on to the next step. */
bool login_accept(struct login *login, const struct redisReply *reply, char *ret_why, size_t why_size);

#endif

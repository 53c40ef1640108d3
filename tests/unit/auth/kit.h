/* What the tests of this room share: a folder for files with keys, settings, and a moment that is now. */
#ifndef TESTS_UNIT_AUTH_KIT_H
#define TESTS_UNIT_AUTH_KIT_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/auth/auth.h"
#include "tests/support/token.h"

#define KIT_NOW_S 1764031200
#define KIT_NOW_MS (UINT64_C(1764031200) * 1000)
#define KIT_CLAIMS "{\"sub\":\"someone\",\"exp\":1764031800}" /* ten minutes from now */
#define KIT_SECRET "a secret of sixty-four bytes, which is what the longest one needs"
#define KIT_PATH 96

static const struct slice kit_patterns[] = {SLICE_LITERAL("trace:*"), SLICE_LITERAL("agent:*")};
static const struct filter_patterns kit_served = {kit_patterns, 2};

static char kit_folder[KIT_PATH / 2];

static inline void kit_open_folder(void)
{
	snprintf(kit_folder, sizeof kit_folder, "auth_test_XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(kit_folder));
}

static inline void kit_close_folder(void)
{
	char path[KIT_PATH + 256];
	DIR *folder = opendir(kit_folder);
	ck_assert_ptr_nonnull(folder);
	for (struct dirent *entry; (entry = readdir(folder));) {
		snprintf(path, sizeof path, "%s/%s", kit_folder, entry->d_name);
		if (entry->d_name[0] != '.')
			ck_assert_int_eq(remove(path), 0);
	}
	closedir(folder);
	ck_assert_int_eq(rmdir(kit_folder), 0);
}

static inline const char *kit_path(const char *name, char ret_path[KIT_PATH])
{
	snprintf(ret_path, KIT_PATH, "%s/%s", kit_folder, name);
	return ret_path;
}

/* Replaces the file as a whole, by a rename. */
static inline void kit_write(const char *name, const char *text)
{
	char path[KIT_PATH], fresh[KIT_PATH];
	FILE *file = fopen(kit_path("fresh", fresh), "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(rename(fresh, kit_path(name, path)), 0);
}

static inline struct auth_settings kit_settings(void)
{
	return (struct auth_settings){.is_required = true, .requires_expiry = true, .served = kit_served};
}

static inline struct auth *kit_auth(const struct auth_settings *settings)
{
	char why[256] = "";
	struct auth *auth = NULL;
	enum err error = auth_new(settings, &auth, why);
	ck_assert_msg(error == OK, "%s", why);
	return auth;
}

/* NULL: it was granted, else why not. */
static inline const char *kit_judge(struct auth *auth, const char *credential)
{
	struct grants *grants = NULL;
	const char *why = "no reason was given";
	enum auth_verdict verdict = auth_check(auth, slice_of(credential), KIT_NOW_MS, &grants, &why);
	if (verdict == AUTH_GRANTED) {
		grants_unref(grants);
		return NULL;
	}
	ck_assert_int_eq(verdict, AUTH_REFUSED);
	return why;
}

#endif

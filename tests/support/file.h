/* Files that a program under test reads and the test replaces: keys, tokens. A failure fails the test. */
#ifndef TESTS_SUPPORT_FILE_H
#define TESTS_SUPPORT_FILE_H

/* An empty file; path ends in XXXXXX and gets its name (mkstemp). The caller unlinks it. */
void file_make(char *path);
/* Replaces it as a whole by a rename, as whoever manages secrets does it. */
void file_replace(const char *path, const char *text);

#endif

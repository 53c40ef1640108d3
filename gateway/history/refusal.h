/* What Redis refuses with, in words of our own: clients are told what is the matter, never what Redis wrote. Pure; private to the
 * room. */
#ifndef GATEWAY_HISTORY_REFUSAL_H
#define GATEWAY_HISTORY_REFUSAL_H

#include "common/base/err.h"

/* text: an error reply ("OOM command not allowed ..."), NULL: not known. ret_words: static text. ERR_AGAIN: time may heal it;
 * ERR_IO: it does not. */
enum err refusal_judge(const char *text, const char **ret_words) MUST_USE;

#endif

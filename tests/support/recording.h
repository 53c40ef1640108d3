/* What test clients see and send, kept for whoever wants to check messages afterwards: where the environment has
 * TEST_RECORD_MESSAGES=<folder>, each connection is a file in it with a line a text message, "< " from the node, "> " to it.
 * Without it nothing is done. Used by one thread. */
#ifndef TESTS_SUPPORT_RECORDING_H
#define TESTS_SUPPORT_RECORDING_H

#include "common/base/slice.h"

unsigned recording_open(void); /* a number for one connection of this process */
/* direction: '<' or '>'. Line ends of the text, which are between tokens of JSON, become spaces. */
void recording_add(unsigned recording, char direction, struct slice text);

#endif

/* complete.h - what may stand in a place of the command line, for shells. */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include <stddef.h>

#include "cli/words.h"

enum complete_kind {
	COMPLETE_NONE,  /* the user knows */
	COMPLETE_WORDS, /* one of the words */
	COMPLETE_LIST,  /* several of them, with commas between */
	COMPLETE_FILE,
	COMPLETE_DIR
};

/* Of an option's value, and of a verb's arguments: `words` gets them with
 * blanks between. */
enum complete_kind complete_value(const struct word_opt *o, char *words,
                                  size_t size);
enum complete_kind complete_args(const struct word_verb *v, char *words,
                                 size_t size);

#endif

/* main.c - the door of ctctl: parse the command line, run the verb. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/words.h"

int main(int argc, char **argv)
{
	static struct cmd c;
	char why[256];
	int i;

	/* writers look at EPIPE themselves */
	signal(SIGPIPE, SIG_IGN);
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "-V") || !strcmp(argv[i], "--version")) {
			printf("ctctl %s\n", VERSION);
			return fflush(stdout) ? CMD_FAILED : CMD_OK;
		}
		if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help"))
			return cmd_help(&c);
	}
	labels_load(&c.labels, LABELS_FILE);
	if (word_parse(&c, argc, argv, why, sizeof(why))) {
		cmd_warn("%s", why);
		fprintf(stderr, "Try `ctctl help%s%s' for more information.\n",
		        c.verb ? " " : "", c.verb ? c.verb->name : "");
		return CMD_USAGE;
	}
	return c.help ? cmd_help(&c) : c.verb->run(&c);
}

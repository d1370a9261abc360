/* main.c - the door of ctctl: parse the command line, run the verb. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/words.h"

/*
 * One that is closed gets a descriptor that cannot be used: the socket to the
 * daemon must not become the standard output.
 */
static void stdio_occupy(void)
{
	int fd, mode;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode) != fd)
			_exit(CMD_FAILED);
	}
}

int main(int argc, char **argv)
{
	static struct cmd c;
	char why[256];
	int i;

	/* writers look at EPIPE themselves */
	signal(SIGPIPE, SIG_IGN);
	stdio_occupy();
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "-V") || !strcmp(argv[i], "--version")) {
			printf("ctctl %s\n", VERSION);
			return cmd_said();
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

/*
 * cmd_complete.c - completion: scripts for three shells, made from the tables.
 *
 * Each script finds the verb on the line as the parser does, then offers what
 * that verb takes.  The scripts hold words and sentences of the tables alone,
 * so quoting has one enemy: the single quote.
 */
#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "cli/complete.h"

#define WORDS 4096

/* Inside single quotes; a colon means something to zsh, brackets too. */
static void put_quoted(const char *s, const char *escape)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", stdout);
		else if (*s == '`')
			fputs("'\\''", stdout); /* `word' is quoted so here */
		else if (strchr(escape, *s))
			printf("\\%c", *s);
		else
			putchar(*s);
	}
}

/* Every way to write a verb, with `between`. */
static void put_verb(const struct word_verb *v, const char *between)
{
	fputs(v->name, stdout);
	if (v->letter)
		printf("%s-%c", between, v->letter);
	if (v->long_name)
		printf("%s--%s", between, v->long_name);
}

/* Every way to write an option, with what stands before each. */
static void put_names(const struct word_opt *o, const char *letter,
                      const char *name, const char *between)
{
	const char *p = o->names;
	int n;

	if (o->letter)
		printf("%s%c%s", letter, o->letter, between);
	while (*p) {
		n = (int)strcspn(p, "|");
		printf("%s%.*s", name, n, p);
		p += n;
		if (*p++ != '|')
			break;
		fputs(between, stdout);
	}
}

/* The first row that a letter or name reaches is the one that counts. */
static bool shadowed(const struct word_opt *o, const struct word_verb *v)
{
	const struct word_opt *p;

	for (p = word_opts; p != o; p++)
		if (p->groups & v->groups && !strcmp(p->names, o->names))
			return true;
	return false;
}

static bool takes(const struct word_verb *v, const struct word_opt *o)
{
	return o->groups & v->groups && !shadowed(o, v);
}

/* ---- bash ---- */

static void bash_verb(const struct word_verb *v)
{
	const struct word_opt *o;
	char words[WORDS];
	enum complete_kind kind;

	printf("\t%s)\n\t\topts='", v->name);
	for (o = word_opts; o->apply; o++)
		if (takes(v, o))
			put_names(o, " -", " --", "");
	printf("'\n\t\tcase $prev in\n");
	for (o = word_opts; o->apply; o++) {
		if (!takes(v, o) || !o->value)
			continue;
		kind = complete_value(o, words, sizeof(words));
		fputs("\t\t", stdout);
		put_names(o, "-", "--", " | ");
		printf(") kind=%d words='%s' ;;\n", kind ? (int)kind : -1,
		       words);
	}
	kind = complete_args(v, words, sizeof(words));
	printf("\t\t*) kind=%d words='%s' ;;\n\t\tesac\n\t\t;;\n", kind, words);
}

static const char bash_head[] =
	"# bash completion of ctctl, made by `ctctl completion bash'\n"
	"_ctctl()\n{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev='' verb='' at=$COMP_CWORD\n"
	"\tlocal i opts='' words='' kind=0 head=''\n"
	"\tCOMPREPLY=()\n"
	"\tif [[ $cur == '=' ]]; then\n"
	"\t\tcur='' at=$((at + 1))\n"
	"\telif [[ ${COMP_WORDS[at - 1]} == '=' ]]; then\n"
	"\t\tat=$((at - 1))\n\tfi\n"
	"\tprev=${COMP_WORDS[at - 1]}\n"
	"\t[[ $prev == '=' ]] && prev=${COMP_WORDS[at - 2]}\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tcase ${COMP_WORDS[i]} in\n"
	"\t\t-R | --rundir) i=$((i + 1)) ;;\n";

static const char bash_tail[] =
	"\t'')\n\t\topts='-h -R -V'\n"
	"\t\t[[ $prev == -R || $prev == --rundir ]] && kind=4\n"
	"\t\t[[ $kind == 0 ]] && words=$verbs\n\t\t;;\n"
	"\tesac\n"
	"\tcase $kind in\n"
	"\t2)\n\t\thead=${cur%\"${cur##*,}\"}\n\t\t;;\n"
	"\t3) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	"\t4) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
	"\tesac\n"
	"\t[[ $kind != -1 && $cur == -* ]] && words=$opts head=''\n"
	"\t[[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -P \"$head\" "
	"\\\n"
	"\t\t-W \"$words\" -- \"${cur#\"$head\"}\")\n"
	"}\n"
	"complete -F _ctctl ctctl\n";

static void complete_bash(void)
{
	const struct word_verb *v;

	fputs(bash_head, stdout);
	for (v = word_verbs; v->name; v++) {
		fputs("\t\t", stdout);
		put_verb(v, " | ");
		printf(") verb='%s'; break ;;\n", v->name);
	}
	fputs("\t\tesac\n\tdone\n\tlocal verbs='", stdout);
	for (v = word_verbs; v->name; v++)
		printf("%s ", v->name);
	fputs("'\n\tcase $verb in\n", stdout);
	for (v = word_verbs; v->name; v++)
		bash_verb(v);
	fputs(bash_tail, stdout);
}

/* ---- zsh ---- */

static void zsh_action(enum complete_kind kind, const char *words)
{
	switch (kind) {
	case COMPLETE_WORDS:
		printf("(%s)", words);
		break;
	case COMPLETE_LIST:
		printf("_sequence compadd - %s", words);
		break;
	case COMPLETE_FILE:
		fputs("_files", stdout);
		break;
	case COMPLETE_DIR:
		fputs("_files -/", stdout);
		break;
	case COMPLETE_NONE:
		putchar(' ');
		break;
	}
}

/* One name of an option: '--name=[what]:VALUE:action' */
static void zsh_option(const struct word_opt *o, const char *name, int n)
{
	char words[WORDS];
	enum complete_kind kind = complete_value(o, words, sizeof(words));

	printf(" \\\n\t\t'*%.*s%s[", n, name,
	       !o->value        ? ""
	       : name[1] == '-' ? "="
	                        : "+");
	put_quoted(o->what, "[]:");
	putchar(']');
	if (o->value) {
		putchar(':');
		put_quoted(o->value, "[]:");
		putchar(':');
		zsh_action(kind, words);
	}
	putchar('\'');
}

static void zsh_options(const struct word_opt *o)
{
	char name[64];
	const char *p = o->names;
	int n;

	if (o->letter) {
		snprintf(name, sizeof(name), "-%c", o->letter);
		zsh_option(o, name, 2);
	}
	while (*p) {
		n = (int)strcspn(p, "|");
		snprintf(name, sizeof(name), "--%.*s", n, p);
		zsh_option(o, name, n + 2);
		p += n;
		p += *p == '|';
	}
}

static void zsh_verb(const struct word_verb *v)
{
	const struct word_opt *o;
	char words[WORDS];
	enum complete_kind kind = complete_args(v, words, sizeof(words));

	printf("\t%s)\n\t\t_arguments -s -S", v->name);
	for (o = word_opts; o->apply; o++)
		if (takes(v, o))
			zsh_options(o);
	fputs(" \\\n\t\t'*:", stdout);
	put_quoted(*v->args ? v->args : " ", "[]:");
	putchar(':');
	zsh_action(kind, words);
	fputs("' ;;\n", stdout);
}

static void complete_zsh(void)
{
	const struct word_verb *v;

	fputs("#compdef ctctl\n"
	      "# zsh completion of ctctl, made by `ctctl completion zsh'\n"
	      "_ctctl()\n{\n\tlocal verb='' i\n\tlocal -a verbs\n"
	      "\tfor ((i = 2; i < CURRENT; i++)); do\n"
	      "\t\tcase ${words[i]} in\n"
	      "\t\t-R | --rundir) ((i++)) ;;\n",
	      stdout);
	for (v = word_verbs; v->name; v++) {
		fputs("\t\t", stdout);
		put_verb(v, " | ");
		printf(") verb='%s'; break ;;\n", v->name);
	}
	fputs("\t\tesac\n\tdone\n\tcase $verb in\n", stdout);
	for (v = word_verbs; v->name; v++)
		zsh_verb(v);
	fputs("\t'')\n\t\tverbs=(", stdout);
	for (v = word_verbs; v->name; v++) {
		printf("\n\t\t\t'%s:", v->name);
		put_quoted(v->what, ":");
		putchar('\'');
	}
	fputs(")\n\t\tif [[ ${words[CURRENT - 1]} == (-R|--rundir) ]]; then\n"
	      "\t\t\t_files -/\n\t\telse\n"
	      "\t\t\t_describe -t verbs verb verbs\n\t\tfi ;;\n"
	      "\tesac\n}\ncompdef _ctctl ctctl\n",
	      stdout);
}

/* ---- fish ---- */

static void fish_words(enum complete_kind kind, const char *words)
{
	switch (kind) {
	case COMPLETE_WORDS:
		printf(" -x -a '%s'", words);
		break;
	case COMPLETE_LIST:
		printf(" -x -a '(__fish_append , %s)'", words);
		break;
	case COMPLETE_FILE:
		fputs(" -r -F", stdout);
		break;
	case COMPLETE_DIR:
		fputs(" -x -a '(__fish_complete_directories)'", stdout);
		break;
	case COMPLETE_NONE:
		fputs(" -x", stdout);
		break;
	}
}

/* fish knows no way out of single quotes but its own */
static void put_plain(const char *s)
{
	for (; *s; s++)
		if (*s != '\'' && *s != '`')
			putchar(*s);
}

static void fish_option(const struct word_opt *o)
{
	const struct word_verb *v;
	char words[WORDS];
	enum complete_kind kind = complete_value(o, words, sizeof(words));

	fputs("complete -c ctctl -n '__ctctl_is", stdout);
	for (v = word_verbs; v->name; v++)
		if (takes(v, o))
			printf(" %s", v->name);
	putchar('\'');
	put_names(o, " -s ", " -l ", "");
	if (o->value)
		fish_words(kind, words);
	fputs(" -d '", stdout);
	put_plain(o->what);
	fputs("'\n", stdout);
}

static void complete_fish(void)
{
	const struct word_verb *v;
	const struct word_opt *o;
	char words[WORDS];
	enum complete_kind kind;

	fputs("# fish completion of ctctl, made by `ctctl completion fish'\n"
	      "function __ctctl_verb\n"
	      "\tset -l words (commandline -opc)\n"
	      "\tset -l value 0\n"
	      "\tfor w in $words[2..-1]\n"
	      "\t\tif test $value = 1\n\t\t\tset value 0\n\t\t\tcontinue\n"
	      "\t\tend\n"
	      "\t\tswitch $w\n"
	      "\t\tcase -R --rundir\n\t\t\tset value 1\n",
	      stdout);
	for (v = word_verbs; v->name; v++) {
		fputs("\t\tcase ", stdout);
		put_verb(v, " ");
		printf("\n\t\t\techo %s\n\t\t\treturn\n", v->name);
	}
	fputs("\t\tend\n\tend\n\techo none\nend\n"
	      "function __ctctl_is\n\tcontains -- (__ctctl_verb) $argv\nend\n"
	      "complete -c ctctl -f\n"
	      "complete -c ctctl -n '__ctctl_is none' -s R -l rundir -x "
	      "-a '(__fish_complete_directories)' -d 'run directory'\n",
	      stdout);
	for (v = word_verbs; v->name; v++) {
		printf("complete -c ctctl -n '__ctctl_is none' -a %s -d '",
		       v->name);
		put_plain(v->what);
		fputs("'\n", stdout);
		kind = complete_args(v, words, sizeof(words));
		if (kind == COMPLETE_NONE)
			continue;
		printf("complete -c ctctl -n '__ctctl_is %s'", v->name);
		if (kind == COMPLETE_FILE)
			fputs(" -F\n", stdout);
		else
			printf(" -a '%s'\n", words);
	}
	for (o = word_opts; o->apply; o++)
		fish_option(o);
}

int cmd_completion(struct cmd *c)
{
	static const struct {
		const char *shell;
		void (*print)(void);
	} shells[] = {{"bash", complete_bash},
	              {"zsh", complete_zsh},
	              {"fish", complete_fish}};
	size_t i;

	for (i = 0; c->args == 1 && i < sizeof(shells) / sizeof(shells[0]);
	     i++) {
		if (strcmp(shells[i].shell, c->arg[0]))
			continue;
		shells[i].print();
		return cmd_said();
	}
	cmd_warn("completion: of which shell? bash, zsh or fish");
	return CMD_USAGE;
}

/* ctbench - benchmarks of the pipeline; see ctbench --help. */
#include "tests/bench/bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bench {
	const char *name;
	int (*run)(const struct bench_opt *);
	uint64_t connections, packets;
	const char *what;
} benches[] = {
	{"floor", bench_floor, 1000000, 0,
         "one random entry read and written, fetched ahead: what memory costs"},
	{"pipeline", bench_pipeline, 1000000, 10000000,
         "packets to random established connections"},
	{"create", bench_create, 1000000, 0, "every packet a new connection"},
	{"expire", bench_expire, 1000000, 0, "every connection ends"},
	{"recover", bench_recover, 1000000, 0,
         "a shard made anew from its entries"},
	{"flood", bench_flood, 1000000, 0,
         "connections that nobody answers, into a full table"},
	{"readers", bench_readers, 1000000, 1000000,
         "what list, expiry and a subscriber cost the worker"},
	{"reaper", bench_reaper, 10000000, 0,
         "a look at all deadlines when none has come"},
	{"list", bench_list, 1000000, 0,
         "rows through the socket into a file, by ctctl list"},
	{"find", bench_find, 1000000, 0,
         "ctctl list with a filter that ten connections match"},
	{"count", bench_count, 1000000, 0,
         "how many there are, of a thousand and of N"},
	{"events", bench_events, 1000000, 0,
         "events through the socket, by ctctl watch"},
	{"subscribers", bench_subscribers, 1000000, 0,
         "100 at once, each of which a hundredth gets through to"},
	{"live", bench_live, 10000, 0,
         "packets off a veth, beside a libpcap reader that does nothing"},
	{"latency", bench_latency, 1000000, 0,
         "from a packet to its event at a subscriber"},
	{"idle", bench_idle, 100000, 0, "all roles, when nothing comes"},
	{"scale", bench_scale, 100000, 10000000,
         "one to N pinned workers with shards of their own"},
};

static int usage(FILE *to, int code)
{
	unsigned int i;

	fprintf(to, "usage: ctbench BENCH [--connections N] [--packets M] "
	            "[--repeat R] [--v6]\n"
	            "               [--proto tcp|udp|mix] [--seed S] "
	            "[--no-detail] [--workers 1,2]\n"
	            "               [--mirror off|count|drop|all]\n"
	            "               [--clients K] [--subscribers K] "
	            "[-o FORMAT]\n");
	for (i = 0; i < ARRAY_SIZE(benches); i++)
		fprintf(to, "  %-11s %s\n", benches[i].name, benches[i].what);
	return code;
}

/* A number from 1 on, or the end. */
static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (n && !*end && *text >= '0' && *text <= '9')
		return n;
	fprintf(stderr, "ctbench: a number is needed, not '%s'\n", text);
	exit(usage(stderr, 2));
}

static const char *const protos[] = {"tcp", "udp", "mix"};

static const char *proto(const char *text)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(protos); i++)
		if (!strcmp(protos[i], text))
			return text;
	exit(usage(stderr, 2));
}

static const struct option longopts[] = {
	{"connections", required_argument, NULL, 'c'},
	{"packets", required_argument, NULL, 'p'},
	{"repeat", required_argument, NULL, 'r'},
	{"seed", required_argument, NULL, 's'},
	{"proto", required_argument, NULL, 'P'},
	{"workers", required_argument, NULL, 'w'},
	{"clients", required_argument, NULL, 'C'},
	{"subscribers", required_argument, NULL, 'S'},
	{"mirror", required_argument, NULL, 'm'},
	{"v6", no_argument, NULL, '6'},
	{"no-detail", no_argument, NULL, 'd'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0}};

int main(int argc, char **argv)
{
	struct bench_opt o = {.repeat = 5,
	                      .seed = 1,
	                      .proto = "tcp",
	                      .workers = "1,2",
	                      .detail = true,
	                      .clients = 1,
	                      .subscribers = 1};
	const struct bench *b = NULL;
	unsigned int i;
	int c;

	while ((c = getopt_long(argc, argv, "ho:", longopts, NULL)) != -1)
		switch (c) {
		case 'c':
			o.connections = number(optarg);
			break;
		case 'p':
			o.packets = number(optarg);
			break;
		case 'r':
			o.repeat = (unsigned int)number(optarg);
			break;
		case 's':
			o.seed = strtoull(optarg, NULL, 0);
			break;
		case 'P':
			o.proto = proto(optarg);
			break;
		case 'm':
			o.mirror = optarg;
			break;
		case 'w':
			o.workers = optarg;
			break;
		case 'C':
			o.clients = (unsigned int)number(optarg);
			break;
		case 'S':
			o.subscribers = (unsigned int)number(optarg);
			break;
		case 'o':
			o.format = optarg;
			break;
		case '6':
			o.v6 = true;
			break;
		case 'd':
			o.detail = false;
			break;
		case 'h':
			return usage(stdout, 0);
		default:
			return usage(stderr, 2);
		}
	for (i = 0; optind < argc && i < ARRAY_SIZE(benches); i++)
		if (!strcmp(argv[optind], benches[i].name))
			b = &benches[i];
	if (!b || optind + 1 != argc || !o.repeat || o.repeat > 64)
		return usage(stderr, 2);
	if (!o.connections)
		o.connections = b->connections;
	if (!o.packets)
		o.packets = b->packets;
	return b->run(&o);
}

/*
 * sieve.h - `-F` for packet sockets: compiled by libpcap, run by the kernel
 * where it can.
 */
#ifndef SOURCE_SIEVE_H
#define SOURCE_SIEVE_H

#include <linux/filter.h>
#include <pcap/pcap.h>

#include "daemon/source/source.h"

struct sieve {
	struct bpf_program program;
	bool on;
};

/* The kernel sees frames of this link type as we do; else they are filtered
 * in user space. */
bool sieve_in_kernel(uint16_t linktype);

/* For user space.  NULL or empty text: all pass.  False with a text. */
bool sieve_compile(struct sieve *f, const char *name, uint16_t linktype,
                   const char *text, char *err);
void sieve_free(struct sieve *f);

/* Could it be the filter of some link type?  False with a text. */
bool sieve_possible(const char *text, char *err);

static inline bool sieve_passes(const struct sieve *f, const uint8_t *data,
                                uint32_t caplen, uint32_t wirelen)
{
	struct pcap_pkthdr h = {.caplen = caplen, .len = wirelen};

	return likely(!f->on) || pcap_offline_filter(&f->program, &h, data) > 0;
}

/* A socket's program: what passes is cut to `snaplen`.  Its length, or -1 and
 * a text.  `thin`: frames that this host sends are left out. */
#define SIEVE_MAX 4096u
int sieve_program(const char *name, uint16_t linktype, const char *text,
                  int snaplen, bool thin, struct sock_filter *out, char *err);

#endif

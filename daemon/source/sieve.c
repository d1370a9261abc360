/*
 * sieve.c - see sieve.h.
 *
 * A tag that the kernel took out of a frame is not where a filter for a capture
 * file would look: libpcap knows that of a live handle only, so Ethernet is
 * compiled with one that is opened for that and closed again.  Cooked frames
 * get their header from us, behind the kernel's filter, and are filtered after
 * that.
 */
#include "daemon/source/sieve.h"

#include "daemon/source/kind.h"

enum {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_RAW = 101,
	LINK_SLL = 113,
	LINK_SLL2 = 276
};

#define COMPILE_RING (256 << 10)

bool sieve_in_kernel(uint16_t linktype)
{
	return linktype != LINK_SLL;
}

static bool compile_on(pcap_t *pcap, const char *name, const char *text,
                       struct bpf_program *to, char *err)
{
	if (!pcap_compile(pcap, to, text, 1, PCAP_NETMASK_UNKNOWN))
		return true;
	source_complain(err, name, "filter: %s", pcap_geterr(pcap));
	return false;
}

static bool compile_dead(const char *name, uint16_t linktype, const char *text,
                         struct bpf_program *to, char *err)
{
	/* libpcap's own numbers differ from the files' for this one here */
	int dlt = linktype == LINK_RAW ? DLT_RAW : linktype;
	pcap_t *pcap = pcap_open_dead(dlt, SOURCE_SNAPLEN);
	bool ok;

	if (!pcap) {
		source_complain(err, name, "out of memory");
		return false;
	}
	ok = compile_on(pcap, name, text, to, err);
	pcap_close(pcap);
	return ok;
}

static bool compile_live(const char *name, const char *text,
                         struct bpf_program *to, char *err)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_create(name, why);
	bool ok = false;
	int code;

	if (!pcap) {
		source_complain(err, name, "%s", why);
		return false;
	}
	(void)pcap_set_snaplen(pcap, 96);
	(void)pcap_set_timeout(pcap, SOURCE_TIMEOUT);
	(void)pcap_set_buffer_size(pcap, COMPILE_RING);
	code = pcap_activate(pcap);
	if (code < 0)
		source_complain(err, name, "filter: %s",
		                pcap_statustostr(code));
	else
		ok = compile_on(pcap, name, text, to, err);
	pcap_close(pcap);
	return ok;
}

bool sieve_compile(struct sieve *f, const char *name, uint16_t linktype,
                   const char *text, char *err)
{
	f->on = text && *text &&
	        compile_dead(name, linktype, text, &f->program, err);
	return f->on || !text || !*text;
}

void sieve_free(struct sieve *f)
{
	if (f->on)
		pcap_freecode(&f->program);
	f->on = false;
}

bool sieve_possible(const char *text, char *err)
{
	static const uint16_t types[] = {LINK_ETHERNET, LINK_SLL, LINK_SLL2,
	                                 LINK_RAW, LINK_NULL};
	char why[SOURCE_ERR] = "";
	struct bpf_program p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		if (compile_dead("-F", types[i], text, &p, i ? why : err)) {
			pcap_freecode(&p);
			return true;
		}
	}
	return false;
}

static int put(struct sock_filter *out, int n, uint16_t code, uint32_t k)
{
	out[n] = (struct sock_filter){.code = code, .k = k};
	return n + 1;
}

/* What is left of the room for the words of the user's filter is enough: the
 * kernel takes SIEVE_MAX in all. */
static int put_words(struct sock_filter *out, int n,
                     const struct bpf_program *words, int snaplen)
{
	if (words->bf_len + (unsigned int)n > SIEVE_MAX)
		return -1;
	for (unsigned int i = 0; i < words->bf_len; i++, n++) {
		const struct bpf_insn *w = &words->bf_insns[i];

		out[n] = (struct sock_filter){w->code, w->jt, w->jf, w->k};
		if (w->code == (BPF_RET | BPF_K) && w->k)
			out[n].k = (uint32_t)snaplen;
	}
	return n;
}

int sieve_program(const char *name, uint16_t linktype, const char *text,
                  int snaplen, bool thin, struct sock_filter *out, char *err)
{
	struct bpf_program words;
	int n = 0;

	if (thin) {
		n = put(out, n, BPF_LD | BPF_H | BPF_ABS,
		        (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
		n = put(out, n, BPF_JMP | BPF_JEQ | BPF_K, 4);
		out[n - 1].jf = 1; /* PACKET_OUTGOING */
		n = put(out, n, BPF_RET | BPF_K, 0);
	}
	if (!text || !*text)
		return put(out, n, BPF_RET | BPF_K, (uint32_t)snaplen);
	if (linktype == LINK_ETHERNET
	            ? !compile_live(name, text, &words, err)
	            : !compile_dead(name, linktype, text, &words, err))
		return -1;
	if (!sieve_in_kernel(linktype)) {
		/* it has been tried, and that is all */
		pcap_freecode(&words);
		return put(out, n, BPF_RET | BPF_K, (uint32_t)snaplen);
	}
	n = put_words(out, n, &words, snaplen);
	pcap_freecode(&words);
	if (n < 0)
		source_complain(err, name, "filter: too long");
	return n;
}

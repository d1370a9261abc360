/* layout.c - the layout hash, and names of what layout.h lists. */
#include "shm/layout.h"

#define OFF(type, field)                        \
	(uint32_t)(offsetof(type, field) << 8 | \
	           (uint8_t)sizeof(((type *)0)->field))
#define SIZE(type) (uint32_t)sizeof(type)

/* one number for every offset that a peer of another build would rely on */
static const uint32_t layout_table[] = {
	NSHARD,
	NSLOT,
	NRING,
	NSOURCE,
	EXPECT_ROOM,
	SIZE(struct expect_area),
	LINE_SLOTS,
	CTR_COUNT,
	STATS_DECODE,
	STATS_SLOTS,
	NPEND,
	NCOUNT,
	NCOMMAND,
	REASON_COUNT,
	RING_HEADER,
	MLOG_HEADER,
	SIZE(struct proc_page),
	SIZE(struct conn_key),
	SIZE(struct conn),
	OFF(struct conn, seq),
	OFF(struct conn, gen),
	OFF(struct conn, key),
	OFF(struct conn, status),
	OFF(struct conn, deadline),
	OFF(struct conn, packets),
	OFF(struct conn, bytes),
	OFF(struct conn, priv),
	OFF(struct conn, state),
	OFF(struct conn, start),
	OFF(struct conn, ext),
	OFF(struct conn, mark),
	SIZE(struct conn_detail),
	OFF(struct conn_detail, rate),
	OFF(struct conn_detail, rtt_us),
	OFF(struct conn_detail, retrans),
	OFF(struct conn_detail, repairs),
	OFF(struct conn_detail, hole_at),
	OFF(struct conn_detail, vlan),
	OFF(struct conn_detail, iface),
	SIZE(struct conn_entry),
	SIZE(struct conn_ext),
	OFF(struct conn_ext, master),
	OFF(struct conn_ext, priv),
	SIZE(struct line),
	SIZE(struct shard),
	OFF(struct shard, op),
	OFF(struct shard, op_pkt),
	OFF(struct shard, op_owner),
	OFF(struct shard, op_src),
	OFF(struct shard, op_ext),
	OFF(struct shard, op_tail),
	OFF(struct shard, op_ev),
	OFF(struct shard, free_head),
	OFF(struct shard, bump),
	OFF(struct shard, count),
	OFF(struct shard, ovf_free),
	OFF(struct shard, addr6_ready),
	OFF(struct shard, ev_seq),
	OFF(struct shard, op_ordinal),
	OFF(struct shard, op_enext),
	OFF(struct shard, op_from),
	OFF(struct shard, ext_free),
	OFF(struct shard, op_gen),
	SIZE(struct undo),
	OFF(struct undo, last_ns),
	OFF(struct undo, rate),
	OFF(struct undo, whole),
	OFF(struct undo, detail),
	OFF(struct undo, told),
	SIZE(struct conn_told),
	SIZE(struct conn_delta),
	OFF(struct conn_detail, delta),
	SIZE(struct event_cell),
	OFF(struct event_cell, shard_seq),
	OFF(struct event_cell, type),
	OFF(struct event_cell, key),
	OFF(struct event_cell, addr6),
	OFF(struct event_cell, status),
	OFF(struct event_cell, start),
	OFF(struct event_cell, gseq),
	SIZE(struct event_more),
	OFF(struct event_more, packets),
	OFF(struct event_more, labels),
	SIZE(struct tbl_header),
	OFF(struct tbl_header, off),
	OFF(struct tbl_header, t0_real_ns),
	OFF(struct tbl_header, clock_ns),
	OFF(struct tbl_header, budget),
	OFF(struct tbl_header, check),
	OFF(struct shard, isolated),
	SIZE(struct ring_header),
	OFF(struct ring_header, cursor),
	NUNDO,
	OFF(struct ring_header, undo[0]),
	OFF(struct ring_header, pend_cursor),
	OFF(struct ring_header, count_last),
	OFF(struct ring_header, count),
	OFF(struct ring_header, counter),
	OFF(struct ring_header, place),
	OFF(struct ring_header, answer),
	OFF(struct ring_header, trace_tail),
	RING_TRACE,
	SIZE(struct trace_rec),
	OFF(struct trace_rec, rule),
	OFF(struct trace_rec, before),
	OFF(struct trace_rec, why),
	SIZE(struct trace_want),
	SIZE(struct trace_flow),
	TRACE_VERDICT_COUNT,
	SIZE(struct proc_page),
	OFF(struct proc_page, beat),
	OFF(struct proc_page, cpu_ns),
	OFF(struct proc_page, qs),
	SIZE(struct policy),
	OFF(struct policy, timeout),
	OFF(struct policy, option),
	OFF(struct policy, profile),
	OFF(struct policy, rule),
	OFF(struct policy, port),
	SIZE(struct policy_rule),
	SIZE(struct policy_segment),
	SIZE(struct mlog_header),
	OFF(struct mlog_header, cursor),
	OFF(struct mlog_header, next),
	OFF(struct mlog_header, followed),
	OFF(struct mlog_header, command),
	OFF(struct mlog_header, trace),
	OFF(struct mlog_header, trace_taken),
	SIZE(struct command),
	SIZE(struct command_conn),
	OFF(struct command_conn, status),
	OFF(struct command_conn, detail),
	OFF(struct mlog_header, add),
	SIZE(struct command_answer),
	SIZE(struct key_segment),
};

uint64_t layout_hash(void)
{
	const uint8_t *b = (const uint8_t *)layout_table;
	uint64_t h = 0xcbf29ce484222325ull;
	size_t i;

	for (i = 0; i < sizeof(layout_table); i++)
		h = (h ^ b[i]) * 0x100000001b3ull;
	return h;
}

const char *counter_name(enum counter c)
{
	static const char *const names[] = {
#define C(name, str, meaning) [CTR_##name] = str,
		COUNTERS(C)
#undef C
	};

	return (unsigned int)c < ARRAY_SIZE(names) ? names[c] : NULL;
}

const char *mirror_counter_name(unsigned int c)
{
	static const char *const names[] = {
#define C(name, str, meaning) [CTR_##name - STATS_MIRROR] = str,
		MIRROR_COUNTERS(C)
#undef C
	};

	return c - STATS_MIRROR < ARRAY_SIZE(names) ? names[c - STATS_MIRROR]
	                                            : NULL;
}

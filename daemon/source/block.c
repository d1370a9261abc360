/*
 * block.c - see block.h.
 *
 * Theory.  The kernel fills blocks one after the other and numbers them; a
 * block is ours from the moment its status says USER until we write KERNEL.
 * What was taken is given back by the caller's next call, when it has been
 * committed: so at any instant the blocks that are ours are those that hold
 * something not committed, and some behind which the cursor already stands.
 *
 * Adoption.  Whoever maps a ring that somebody else read before knows neither
 * the turn nor how far that one came.  The turn is with the block of the lowest
 * number among ours; a block may become ours while they are looked through, and
 * be passed over for one that became ours later, but whatever becomes ours
 * after the lowest was seen has a higher number, so a second look is enough.
 * Numbers of frames follow from the place: block B begins behind frame C.  It
 * is moved before blocks are given back, never after: those below B are
 * committed.  The first reader of a ring notes where it begins before it hands
 * out a frame. There are two notes, and one word says which is good.
 *
 * The memory is shared with predecessors, which parsed what strangers sent:
 * every offset is checked against the block before it is used.
 *
 * Headers that the kernel took away are put back before the frame, into room
 * that it left there.  The tag's way is the only one that overwrites bytes of
 * the frame (the addresses move down by four), and a successor must not do it
 * twice: first the addresses are saved, then a mark is set in the frame's
 * header (the kernel writes zero there), then they move.  A marked frame's
 * addresses come from the saved ones.
 */
#include "daemon/source/block.h"

#include <string.h>

#include <linux/if_packet.h>

#include "shm/atomic.h"

enum { LINK_ETHERNET = 1, LINK_SLL = 113 };
enum { MAC_LEN = 12, ETHER_LEN = 14, TAG_LEN = 4, SLL_LEN = 16 };

#define BLOCK_MIN     (128u << 10)
#define BLOCK_BYTES   1024u /* of headers beside a frame, generously */
#define BLOCKS_LEAST  4u
#define FRAME_HEADERS TPACKET_ALIGN(sizeof(struct tpacket3_hdr))
/* of frames in a block: less than TPACKET_ALIGNMENT */
#define FRAME_ALIGN 8u
#define MARK_MOVED  1u

struct block_shape block_shape(size_t bytes, int snaplen)
{
	struct block_shape s = {.size = BLOCK_MIN};

	while (s.size < (uint32_t)snaplen + BLOCK_BYTES)
		s.size *= 2;
	s.n = (uint32_t)(bytes / s.size);
	if (s.n < BLOCKS_LEAST)
		s.n = BLOCKS_LEAST;
	return s;
}

void blocks_init(struct blocks *b, void *base, struct block_shape shape,
                 uint16_t linktype)
{
	*b = (struct blocks){
		.base = base, .shape = shape, .linktype = linktype};
}

void blocks_resume(struct blocks *b, uint64_t generation, uint64_t cursor,
                   struct ring_place *place)
{
	blocks_init(b, b->base, b->shape, b->linktype);
	b->generation = generation;
	b->done = cursor;
	b->place = place;
}

/* -- where numbers stand --------------------------------------------------- */

static const struct ring_anchor *place_get(const struct ring_place *p)
{
	return &p->at[shm_load(&p->which) & 1];
}

static void place_set(struct blocks *b, uint64_t block, uint64_t count)
{
	struct ring_place *p = b->place;
	uint32_t other = ~shm_load(&p->which) & 1;

	p->at[other] = (struct ring_anchor){b->generation, block, count};
	shm_store_release(&p->which, other);
}

/* `b->block` is the first that there is. */
static void blocks_count(struct blocks *b)
{
	const struct ring_anchor *a = place_get(b->place);

	b->count = b->done;
	if (a->generation != b->generation || b->block > a->block) {
		/* a new ring, or one that somebody else gave back */
		place_set(b, b->block, b->count);
		return;
	}
	b->committed = a->block;
	b->count = a->count;
}

/* -- blocks ---------------------------------------------------------------- */

static struct tpacket_block_desc *block_at(const struct blocks *b, uint32_t i)
{
	return (struct tpacket_block_desc *)(void *)(b->base +
	                                             (size_t)i * b->shape.size);
}

static bool block_ours(const struct tpacket_block_desc *d)
{
	return shm_load_acquire(&d->hdr.bh1.block_status) & TP_STATUS_USER;
}

unsigned int blocks_fill(const struct blocks *b)
{
	uint32_t i, n = 0;

	for (i = 0; i < b->shape.n; i++)
		n += block_ours(block_at(b, i));
	return b->shape.n ? n * 100 / b->shape.n : 0;
}

static bool blocks_lowest(const struct blocks *b, uint32_t *lowest)
{
	uint64_t best = UINT64_MAX;

	for (uint32_t i = 0; i < b->shape.n; i++) {
		const struct tpacket_block_desc *d = block_at(b, i);

		if (block_ours(d) && d->hdr.bh1.seq_num < best) {
			best = d->hdr.bh1.seq_num;
			*lowest = i;
		}
	}
	return best != UINT64_MAX;
}

static bool blocks_find(struct blocks *b)
{
	/* NOLINTNEXTLINE(misc-redundant-expression): the kernel goes on */
	b->found = blocks_lowest(b, &b->head) && blocks_lowest(b, &b->head);
	if (!b->found)
		return false;
	b->block = block_at(b, b->head)->hdr.bh1.seq_num;
	blocks_count(b);
	b->begin = b->count;
	return true;
}

static bool block_open(struct blocks *b)
{
	const struct tpacket_block_desc *d;

	if (!b->found && !blocks_find(b))
		return false;
	d = block_at(b, b->head);
	if (b->walked == b->shape.n || !block_ours(d))
		return false;
	b->left = d->hdr.bh1.num_pkts;
	b->at = d->hdr.bh1.offset_to_first_pkt;
	b->open = true;
	if (b->block < b->committed) {
		b->skipped += b->left;
		b->left = 0;
	}
	return true;
}

static void block_close(struct blocks *b)
{
	b->open = false;
	b->block++;
	b->begin = b->count;
	b->head = b->head + 1 == b->shape.n ? 0 : b->head + 1;
	b->walked++;
}

/* Blocks are filled one after the other, so one tells of all before it. */
unsigned int blocks_quarters(const struct blocks *b)
{
	unsigned int q;

	for (q = 3; q && b->found; q--) {
		uint32_t at = b->head + b->shape.n / 4 * q;

		if (block_ours(block_at(b, at % b->shape.n)))
			return q;
	}
	return 0;
}

void blocks_release(struct blocks *b)
{
	if (!b->walked)
		return;
	if (b->block > b->committed)
		place_set(b, b->block, b->begin);
	/* the kernel writes over what we have read */
	shm_mb();
	while (b->walked) {
		uint32_t i = (b->head + b->shape.n - b->walked) % b->shape.n;

		shm_store_release(&block_at(b, i)->hdr.bh1.block_status,
		                  TP_STATUS_KERNEL);
		b->walked--;
	}
}

/* -- frames ---------------------------------------------------------------- */

static struct tpacket3_hdr *frame_header(const struct blocks *b)
{
	return (struct tpacket3_hdr *)(void *)((uint8_t *)block_at(b, b->head) +
	                                       b->at);
}

/* Header and bytes lie within the block, with the room before them. */
static bool frame_sound(const struct blocks *b)
{
	const struct tpacket3_hdr *h;
	uint32_t room;

	if (b->at % FRAME_ALIGN || b->at > b->shape.size ||
	    b->shape.size - b->at < FRAME_HEADERS + sizeof(struct sockaddr_ll))
		return false;
	h = frame_header(b);
	room = b->shape.size - b->at;
	return h->tp_mac >= FRAME_HEADERS + sizeof(struct sockaddr_ll) +
	                            SLL_LEN + TAG_LEN &&
	       h->tp_mac <= room && h->tp_snaplen <= room - h->tp_mac;
}

static void put_be16(uint8_t *to, uint32_t v)
{
	to[0] = (uint8_t)(v >> 8);
	to[1] = (uint8_t)v;
}

static uint32_t frame_tpid(const struct tpacket3_hdr *h)
{
	return h->tp_status & TP_STATUS_VLAN_TPID_VALID && h->hv1.tp_vlan_tpid
	               ? h->hv1.tp_vlan_tpid
	               : 0x8100;
}

/* Puts the tag back; the frame begins TAG_LEN earlier. */
static uint8_t *frame_tag(struct tpacket3_hdr *h, uint8_t *mac)
{
	uint8_t *saved = mac - TAG_LEN - MAC_LEN;

	if (!(h->tp_padding[0] & MARK_MOVED)) {
		memcpy(saved, mac, MAC_LEN);
		shm_store_release(&h->tp_padding[0], MARK_MOVED);
	}
	memcpy(mac - TAG_LEN, saved, MAC_LEN);
	put_be16(mac - TAG_LEN + MAC_LEN, frame_tpid(h));
	put_be16(mac - TAG_LEN + MAC_LEN + 2, h->hv1.tp_vlan_tci);
	return mac - TAG_LEN;
}

/* LINKTYPE_LINUX_SLL, a tag behind it where there was one */
static uint8_t *frame_cook(const struct tpacket3_hdr *h, uint8_t *net)
{
	const struct sockaddr_ll *from =
		(const void *)((const uint8_t *)h + FRAME_HEADERS);
	uint32_t type = (uint32_t)__builtin_bswap16(from->sll_protocol);
	uint8_t *sll = net - SLL_LEN;

	if (h->tp_status & TP_STATUS_VLAN_VALID) {
		put_be16(net - 4, h->hv1.tp_vlan_tci);
		put_be16(net - 2, type);
		type = frame_tpid(h);
		sll -= TAG_LEN;
	}
	put_be16(sll, from->sll_pkttype);
	put_be16(sll + 2, from->sll_hatype);
	put_be16(sll + 4, from->sll_halen);
	memcpy(sll + 6, from->sll_addr, sizeof(from->sll_addr));
	put_be16(sll + 14, type);
	return sll;
}

static uint8_t *frame_begin(const struct blocks *b, struct tpacket3_hdr *h)
{
	uint8_t *mac = (uint8_t *)h + h->tp_mac;

	if (b->linktype == LINK_SLL)
		return frame_cook(h, mac);
	if (unlikely(h->tp_status & TP_STATUS_VLAN_VALID) &&
	    b->linktype == LINK_ETHERNET && h->tp_snaplen >= ETHER_LEN)
		return frame_tag(h, mac);
	return mac;
}

static void frame_fill(struct blocks *b)
{
	struct tpacket3_hdr *h = frame_header(b);
	uint8_t *mac = (uint8_t *)h + h->tp_mac, *begin = frame_begin(b, h);
	uint32_t more = (uint32_t)(mac - begin);
	uint32_t ns = h->tp_nsec < NS_PER_S ? h->tp_nsec : 0;

	/* none of it is in the cache: the bytes are parsed when the batch is
	 * full, the next header is read now */
	__builtin_prefetch((const uint8_t *)h + h->tp_next_offset);
	__builtin_prefetch(mac);
	__builtin_prefetch(mac + CACHE_LINE);

	b->next.data = begin;
	b->next.caplen = h->tp_snaplen + more;
	b->next.wirelen = h->tp_len > h->tp_snaplen ? h->tp_len : h->tp_snaplen;
	b->next.wirelen += more;
	b->next.ts_ns = h->tp_sec * NS_PER_S + ns;
	b->next.number = b->count + 1;
}

/* On to the frame behind the one at `at`; false: it does not say where. */
static bool frame_step(struct blocks *b)
{
	uint32_t next = frame_header(b)->tp_next_offset;

	b->left--;
	b->count++;
	if (!b->left)
		return true;
	if (next < FRAME_HEADERS || next > b->shape.size - b->at)
		return false;
	b->at += next;
	return true;
}

static void block_broken(struct blocks *b)
{
	b->broken++;
	b->left = 0;
}

const struct block_frame *blocks_slow_peek(struct blocks *b)
{
	while (b->open || block_open(b)) {
		if (!b->left) {
			block_close(b);
			continue;
		}
		if (!frame_sound(b)) {
			block_broken(b);
			continue;
		}
		if (b->count >= b->done) {
			frame_fill(b);
			b->ready = true;
			return &b->next;
		}
		b->skipped++;
		if (!frame_step(b))
			block_broken(b);
	}
	return NULL;
}

void blocks_take(struct blocks *b)
{
	b->ready = false;
	if (!frame_step(b))
		block_broken(b);
}

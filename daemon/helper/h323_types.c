/* h323_types.c - types of H.225.0 that several messages have. */
#include "daemon/helper/h323.h"

/* -- simple ones ----------------------------------------------------------- */

const struct per_type per_null = {.kind = PER_NULL};
const struct per_type per_bool = {.kind = PER_BOOL};
const struct per_type per_oid = {.kind = PER_OID};

PER_NUMBER(per_u8, 0, 255);
PER_NUMBER(per_u16, 0, 65535);
PER_NUMBER(per_u32, 0, 4294967295u);
PER_NUMBER(per_1_256, 1, 256);
PER_NUMBER(per_1_65535, 1, 65535);

PER_BYTES(per_octets, 0, 0);
PER_BYTES(per_octets_2, 2, 2);
PER_BYTES(per_octets_4, 4, 4);
PER_BYTES(per_octets_6, 6, 6);
PER_BYTES(per_octets_16, 16, 16);
PER_BYTES(per_octets_1_20, 1, 20);
PER_BYTES(per_octets_1_131, 1, 131);
PER_BYTES(per_octets_1_255, 1, 255);
static PER_BYTES(per_octets_1_256, 1, 256);

/* "0123456789#*,": 13 letters fit in four bits */
PER_TEXT(per_digits_1_128, 4, 1, 128);
PER_TEXT(per_bmp_1_128, 16, 1, 128);
static PER_TEXT(per_bmp_1_256, 16, 1, 256);

/* choices that say nothing but themselves, with extension marker */
PER_OF(per_null_2, PER_CHOICE, 1, 2, 0, PER_F(per_null), PER_F(per_null));
PER_OF(per_null_3, PER_CHOICE, 1, 3, 0, PER_F(per_null), PER_F(per_null),
       PER_F(per_null));
PER_OF(per_null_4, PER_CHOICE, 1, 4, 0, PER_F(per_null), PER_F(per_null),
       PER_F(per_null), PER_F(per_null));

/* -- addresses ------------------------------------------------------------- */

const struct per_type per_ip4 = {
	.kind = PER_OCTETS, .lb = 4, .ub = 4, .emit = SEE_IP4};
const struct per_type per_ip6 = {
	.kind = PER_OCTETS, .lb = 16, .ub = 16, .emit = SEE_IP6};
const struct per_type per_port = {
	.kind = PER_INT, .ub = 65535, .emit = SEE_PORT};

static PER_OF(h225_h221, PER_SEQ, 1, 3, 0, PER_F(per_u8), PER_F(per_u8),
              PER_F(per_u16));
static PER_OF(h225_nonstandard_id, PER_CHOICE, 1, 2, 0, PER_F(per_oid),
              PER_F(h225_h221));
PER_OF(h225_nonstandard, PER_SEQ, 0, 2, 0, PER_F(h225_nonstandard_id),
       PER_F(per_octets));

static PER_OF(h225_ip, PER_SEQ, 0, 2, 0, PER_F(per_ip4), PER_F(per_port));
static PER_OF(h225_ip6, PER_SEQ, 1, 2, 0, PER_F(per_ip6), PER_F(per_port));
static PER_OF(h225_ipx, PER_SEQ, 0, 3, 0, PER_F(per_octets_6),
              PER_F(per_octets_4), PER_F(per_octets_2));
static PER_MANY(h225_route, 0, PER_F(per_octets_4));
static PER_OF(h225_source_route, PER_SEQ, 1, 4, 0, PER_F(per_octets_4),
              PER_F(per_u16), PER_F(h225_route), PER_F(per_null_2));
PER_OF(h225_transport, PER_CHOICE, 1, 7, 0, PER_F(h225_ip),
       PER_F(h225_source_route), PER_F(h225_ipx), PER_F(h225_ip6),
       PER_F(per_octets_16), PER_F(per_octets_1_20), PER_F(h225_nonstandard));
/* ten of them are looked at, as the kernel does */
PER_MANY(h225_transports, 10, PER_F(h225_transport));

static PER_OF(h225_alias, PER_CHOICE, 1, 2, 0, PER_F(per_digits_1_128),
              PER_F(per_bmp_1_256));
PER_MANY(h225_aliases, 0, PER_F(h225_alias));

/* -- EndpointType ---------------------------------------------------------- */

PER_OF(h225_vendor, PER_SEQ, 1, 3, 0, PER_F(h225_h221), PER_O(per_octets_1_256),
       PER_O(per_octets_1_256));

/* GatekeeperInfo, TerminalInfo; McuInfo; H310Caps and the like */
static PER_OF(h225_info, PER_SEQ, 1, 1, 0, PER_O(h225_nonstandard));
static PER_OF(h225_mcu, PER_SEQ, 1, 1, 0, PER_O(h225_nonstandard), PER_SKIP);
static PER_OF(h225_caps, PER_SEQ, 1, 1, 0, PER_O(h225_nonstandard), PER_SKIP_2);
static PER_OF(h225_protocol, PER_CHOICE, 1, 9, 0, PER_F(h225_nonstandard),
              PER_F(h225_caps), PER_F(h225_caps), PER_F(h225_caps),
              PER_F(h225_caps), PER_F(h225_caps), PER_F(h225_caps),
              PER_F(h225_caps), PER_F(h225_caps));
static PER_MANY(h225_protocols, 0, PER_F(h225_protocol));
static PER_OF(h225_gateway, PER_SEQ, 1, 2, 0, PER_O(h225_protocols),
              PER_O(h225_nonstandard));

PER_OF(h225_endpoint, PER_SEQ, 1, 8, 0, PER_O(h225_nonstandard),
       PER_O(h225_vendor), PER_O(h225_info), PER_O(h225_gateway),
       PER_O(h225_mcu), PER_O(h225_info), PER_F(per_bool), PER_F(per_bool),
       PER_SKIP_2);

/* value.h - words of the command line to values: 0, or -1 when they are none */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/ctshard.h"

/* decimal, or 0x hexadecimal; nothing but the number */
int value_u64(const char *s, uint64_t max, uint64_t *to);
int value_u32(const char *s, uint32_t max, uint32_t *to);
/* seconds, or a number with ms, s or m */
int value_ms(const char *s, uint32_t *ms);
/* ADDR[/PREFIX] */
int value_net(const char *s, struct ctshard_net *to);
/* a netmask into the prefix of an address that stands already */
int value_mask(const char *s, struct ctshard_net *to);
/* PORT[:PORT] or PORT-PORT */
int value_range(const char *s, uint32_t max, struct ctshard_range *to);
/* V[/M] */
int value_mark(const char *s, uint32_t *mark, uint32_t *mask);
int value_proto(const char *s, uint32_t *to);
int value_family(const char *s, uint32_t *to);
/* conntrack's -u: words, !words, UNREPLIED, UNSET */
int value_status(const char *s, uint32_t *set, uint32_t *clear);
/* conntrack's -e and ours, any case: 1 << type */
int value_events(const char *s, uint32_t *types);
/* 32 hexadecimal digits with or without dashes */
int value_uuid(const char *s, size_t n, uint8_t to[16]);
void value_uuid_text(const uint8_t uuid[16], char to[37]);

#endif

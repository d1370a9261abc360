/* describe.h - a message as a line of text, for the log. */
#ifndef API_DESCRIBE_H
#define API_DESCRIBE_H

#include <protobuf-c/protobuf-c.h>

/* "filter{protonum=6 orig_src{addr=10.0.0.0 prefix=8}}": what is present,
 * printable, ended with "..." when `size` is too small. */
void describe(const ProtobufCMessage *m, char *to, size_t size);

#endif

/*
 * stream.h - a capture's bytes, whatever they are packed in.
 */
#ifndef SOURCE_STREAM_H
#define SOURCE_STREAM_H

#include <stdio.h>

#include "daemon/source/source.h"

struct stream;

/* Opens a path, or what stdin holds for "-"; NULL with a text in `err`.  Gzip
 * and Zstandard are known by their first bytes, not by the file's name.
 * `*kept` is for stream_why() and dies with the FILE; NULL when the file is
 * read as it is. */
FILE *stream_open(const char *path, struct stream **kept, char *err);

/* What is wrong with the packing, or NULL when nothing is. */
const char *stream_why(const struct stream *stream);

#endif

/*
 * sources.h - the kinds of sources: SOURCE(name), each a file of that name
 * with a `const struct source_kind source_NAME`.
 */
SOURCE(files)
SOURCE(live)
SOURCE(memory)
SOURCE(packet)

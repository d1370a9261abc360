# ctshardd: one Makefile, no configure step, no recursion into folders.
#
# A folder is a room, a room is a static library of all its *.c: a new tracker
# or command needs no edit here.  The rooms and what each may link stand in
# docs/floors.  VARIANT=clang|asan|tsan|fuzz builds beside the default in
# build/VARIANT/ with the same rules.

# -- settings ---------------------------------------------------------------
PREFIX  ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
BINDIR  ?= $(PREFIX)/bin
LIBDIR  ?= $(PREFIX)/lib
MANDIR  ?= $(PREFIX)/share/man
SYSTEMD ?= $(PREFIX)/lib
DOCDIR  ?= $(PREFIX)/share/doc/ctshardd
VERSION ?= 0.1.0
SONAME  := libctshard.so.0
# how ctctl finds a library that is not installed where the system looks
RPATH   ?= -Wl,-rpath,'$$ORIGIN:$$ORIGIN/../lib'
JOBS    ?= 2
VARIANT ?=
B       := build$(addprefix /,$(VARIANT))

ifneq ($(filter clang fuzz,$(VARIANT)),)
CC := clang
else ifeq ($(origin CC),default)
CC := gcc
endif
SAN_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
# it does not know fences, with which processes order what they share
SAN_tsan := -O1 -fsanitize=thread -Wno-tsan
SAN_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined \
	    -fno-sanitize-recover=all
SAN      := $(SAN_$(VARIANT)) $(if $(SAN_$(VARIANT)),-fno-omit-frame-pointer)

CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Wshadow -Wcast-qual -Wstrict-prototypes \
	    -Wmissing-prototypes -Wpointer-arith -Wsign-compare
WERROR   ?= -Werror
override CPPFLAGS += -I. -Ibuild -D_GNU_SOURCE= -DVERSION='"$(VERSION)"'
# the rooms that every packet passes
FAST     := shm daemon/pkt daemon/source daemon/tracker daemon/worker
COMPILE   = $(CC) -std=gnu11 $(CFLAGS) $(OPT) $(PIC) $(WARN) $(WERROR) $(SAN) $(CPPFLAGS) \
	    -MMD -MP
LINK      = $(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -Wl,--as-needed
LIBS_ctshardd := -lpcap -levent_core -lconfuse -lprotobuf-c -lseccomp \
		 -lcap-ng -lz -lzstd
LIBS_ctctl    := -lsmartcols -lncursesw -ltinfo
LIBS          := $(LIBS_ctshardd) $(LIBS_ctctl) -lcmocka

ifneq ($(filter -O2,$(CFLAGS)),)
ifeq ($(strip $(SAN)),)
$(foreach r,$(FAST),$(eval $(B)/$(r)/%.o: OPT := -O3))
endif
endif

# V=1 prints whole command lines.
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-5s %s\n' $(1) $@)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

# -- rooms: $(ROOMS), and $(below.ROOM) = the room and all rooms under it -----
$(foreach a,$(shell awk '!/^\#/ && NF { s = "|" $$1 "|"; \
	for (i = 2; i <= NF; i++) { n = split(all[$$i], w, "|"); \
		for (j = 2; j < n; j++) if (!index(s, "|" w[j] "|")) \
			s = s w[j] "|" } \
	all[$$1] = s; printf "below.%s:=%s ROOMS+=%s ", $$1, s, $$1 }' \
	docs/floors),$(eval $(subst |, ,$(a))))
lib     = $(addprefix $(B)/,$(addsuffix .a,$(1)))
sources = $(wildcard $(1)/*.c) $(GEN_$(1))
objects = $(patsubst build/%,%,$(patsubst %.c,%.o,$(call sources,$(1))))

GEN_proto := $(if $(wildcard proto/ctshard.proto),build/proto/ctshard.pb-c.c)
DAEMON    := $(filter-out cli,$(ROOMS))
# Tests of one room link this; those of several (crash, e2e) all but main.c.
PIPELINE  := $(filter-out daemon,$(DAEMON))

define room
$(call lib,$(1)): $(addprefix $(B)/,$(call objects,$(1)))
endef
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))

%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR)
	$(Q)ar rcsD $@ $^

# -- objects ----------------------------------------------------------------
# proto is compiled once, position independent: it is also the library.
$(B)/proto/%.o: PIC := -fPIC
$(B)/proto/ctshard.pb-c.o: WARN := -Wall

$(B)/%.o: %.c | build/.deps $(GEN_proto)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) -c -o $@ $<

$(B)/%.pb-c.o: build/%.pb-c.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) -c -o $@ $<

build/proto/ctshard.pb-c.c: proto/ctshard.proto | build/.deps
	@mkdir -p build/proto
	$(call say,PB)
	$(Q)protoc-c --c_out=build $<
# made by the same run: who includes it must see that it is new
build/proto/ctshard.pb-c.h: build/proto/ctshard.pb-c.c ;

build/.deps: tests/deps.sh
	@tests/deps.sh --check build
	@mkdir -p build && touch $@

# -- programs and library: those whose source is there -------------------------
NEED = $(if $(wildcard $(1)),$(addprefix $(B)/,$(2)))
PROGRAMS := $(call NEED,daemon/main.c,ctshardd) \
	    $(call NEED,proto/client.c,libctshard.so libctshard.a) \
	    $(call NEED,cli/main.c,ctctl) \
	    $(call NEED,tests/bench/*.c,ctbench)

all: $(PROGRAMS) $(if $(VARIANT),,$(call lib,$(ROOMS)))

group = -Wl,--start-group $(1) -Wl,--end-group

$(B)/ctshardd: $(call lib,$(DAEMON) cli)
	$(call say,LD)
	$(Q)$(LINK) -o $@ $(B)/daemon/main.o $(call group,$^) $(LIBS_ctshardd)

$(B)/libctshard.so: $(call lib,proto) proto/libctshard.map
	$(call say,LD)
	$(Q)$(LINK) -shared -Wl,-soname,$(SONAME) \
		-Wl,--version-script,proto/libctshard.map \
		-o $(B)/$(SONAME) \
		-Wl,--whole-archive $< -Wl,--no-whole-archive -lprotobuf-c
	$(Q)ln -sf $(SONAME) $@

$(B)/libctshard.a: $(call lib,proto)
	$(Q)cp $< $@

# Linked with the shared library: proof that what it exports is enough.
$(B)/ctctl: $(call lib,cli) $(B)/libctshard.so
	$(call say,LD)
	$(Q)$(LINK) -o $@ $(B)/cli/main.o $< -L$(B) -lctshard \
		$(RPATH) $(LIBS_ctctl)

# The same object files as the daemon's.
BENCH := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bench/*.c))
$(B)/ctbench: $(BENCH) $(call lib,$(PIPELINE))
	$(call say,LD)
	$(Q)$(LINK) -o $@ $(BENCH) $(call group,$(call lib,$(PIPELINE))) \
		$(LIBS_ctshardd) -lm

# -- tests: tests/ROOM/test_X.c links ROOM and the rooms under it ---------------
TESTLIB := $(patsubst %.c,$(B)/%.o,$(filter-out tests/lib/mk%.c,\
	   $(wildcard tests/lib/*.c)))
$(B)/tests/lib.a: $(TESTLIB)
$(B)/tests/lib/mk%: $(B)/tests/lib/mk%.o
	$(call say,LD)
	$(Q)$(LINK) -o $@ $<
$(B)/tests/lib/mktable $(B)/tests/lib/mkfault: %: %.o $(call lib,$(PIPELINE))
	$(call say,LD)
	$(Q)$(LINK) -o $@ $< $(call group,$(filter %.a,$^)) $(LIBS)

CTESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/*/test_*.c))
room_of = $(or $(filter $(1) daemon/$(1),$(ROOMS)),$(PIPELINE))
rooms_of = $(sort $(foreach r,$(call room_of,$(1)),$(below.$(r))))
define test
$(1): $(1).o $(B)/tests/lib.a \
	$(call lib,$(call rooms_of,$(notdir $(patsubst %/,%,$(dir $(1))))))
endef
$(foreach t,$(CTESTS),$(eval $(call test,$(t))))
$(CTESTS):
	$(call say,LD)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(call group,$(filter %.a,$^)) $(LIBS)

FUZZ := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
$(FUZZ): %: %.o $(B)/tests/lib.a $(call lib,$(PIPELINE))
	$(call say,LD)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) \
		$(call group,$(filter %.a,$^)) $(LIBS)

MKDEMO := $(patsubst %.c,$(B)/%,$(wildcard tests/lib/mk*.c))
SCRIPTS := $(sort $(wildcard tests/check/*.sh tests/e2e/*.bats \
	   tests/crash/*.bats tests/cli/*.bats))
tests: $(CTESTS) $(MKDEMO)
fuzzers: $(FUZZ)

# -- jobs: each makes its own set-up ---------------------------------------------
SUBMAKE = $(MAKE) --no-print-directory \
	  $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
# Set-up installs what the build needs, so it must end before the build starts.
DEPS = test
check-kernel soak bench-restart: DEPS = kernel
fuzz: DEPS = fuzz
bench-peers: DEPS = peers
deps:
	@tests/deps.sh $(DEPS)
	@mkdir -p build && touch build/.deps

run: deps
	+@$(SUBMAKE) all tests
	@BUILD=$(CURDIR)/$(B) IFACE='$(IFACE)' tests/run-demo.sh

test: deps
	+@$(SUBMAKE) all tests
	@BUILD=$(CURDIR)/$(B) CC=$(CC) tests/run.sh -j$(JOBS) \
		$(CTESTS) $(SCRIPTS)

bench: deps
	+@$(SUBMAKE) all $(B)/tests/lib/mkflows
	@BUILD=$(CURDIR)/$(B) tests/bench.sh

bench-restart: deps
	+@$(SUBMAKE) all tests
	@BUILD=$(CURDIR)/$(B) tests/bench/restart.py $(RESTART_ARGS)

bench-peers: deps
	+@$(SUBMAKE) all $(B)/tests/lib/mkflows
	@BUILD=$(CURDIR)/$(B) tests/bench-peers.py $(PEERS_ARGS)

bench-mirror: deps
	+@$(SUBMAKE) all
	@BUILD=$(CURDIR)/$(B) tests/bench/mirror.py $(MIRROR_ARGS)

check-kernel: deps
	+@$(SUBMAKE) all tests
	@BUILD=$(CURDIR)/$(B) tests/check-kernel.py || [ $$? = 77 ]
	@BUILD=$(CURDIR)/$(B) tests/kernel_rules.py || [ $$? = 77 ]
	@BUILD=$(CURDIR)/$(B) tests/kernel_helpers.py --seeds 2 --sequences 40 || [ $$? = 77 ]

check-mirror: deps
	+@$(SUBMAKE) all
	@BUILD=$(CURDIR)/$(B) timeout 300 tests/check-mirror.py $(MIRROR_ARGS)

# ten consumers, everything killed in between
consumers: deps
	+@$(SUBMAKE) all tests
	@BUILD=$(CURDIR)/$(B) tests/consumers.py --seconds $(or $(SECONDS),600) \
		--rate $(or $(RATE),50000) $(CONSUMERS_ARGS)

soak: deps
	+@$(SUBMAKE) all tests
	@BUILD=$(CURDIR)/$(B) tests/soak.sh $(or $(SECONDS),60)

fuzz: deps
	+@$(SUBMAKE) VARIANT=fuzz fuzzers
	@BUILD=$(CURDIR)/build/fuzz tests/fuzz.sh $(FUZZ_ARGS) \
		$(or $(SECONDS),30)

FORMATTED = $(wildcard $(addsuffix /*.[ch],$(ROOMS)) tests/*/*.[ch])
format: ; clang-format -i $(FORMATTED)
format-check: ; @clang-format --dry-run --Werror $(FORMATTED)

I = install -D -m
install: all
	$I 755 $(B)/ctshardd $(DESTDIR)$(SBINDIR)/ctshardd
	$I 755 $(B)/ctctl $(DESTDIR)$(BINDIR)/ctctl
	$I 644 $(B)/$(SONAME) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libctshard.so
	$I 644 $(B)/libctshard.a $(DESTDIR)$(LIBDIR)/libctshard.a
	$I 644 proto/ctshard.h $(DESTDIR)$(PREFIX)/include/ctshard.h
	$I 644 proto/ctshard.proto $(DESTDIR)$(PREFIX)/share/ctshardd/ctshard.proto
	mkdir -p $(DESTDIR)$(LIBDIR)/pkgconfig
	sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' \
		-e 's|@VERSION@|$(VERSION)|g' proto/libctshard.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/libctshard.pc
	for m in docs/*.[1-8]; do \
		$I 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/} || exit; \
	done

	mkdir -p $(DESTDIR)$(SYSTEMD)/systemd/system
	sed 's|@SBINDIR@|$(SBINDIR)|g' docs/systemd/ctshardd.service.in \
		>$(DESTDIR)$(SYSTEMD)/systemd/system/ctshardd.service
	$I 644 docs/systemd/sysusers.conf $(DESTDIR)$(SYSTEMD)/sysusers.d/ctshardd.conf
	$I 644 docs/systemd/tmpfiles.conf $(DESTDIR)$(SYSTEMD)/tmpfiles.d/ctshardd.conf
	mkdir -p $(DESTDIR)$(DOCDIR)
	docs/sample.py $(B)/ctshardd docs/ctshardd.conf.5 \
		>$(DESTDIR)$(DOCDIR)/ctshardd.conf

# Debian packages, in build/deb; what is built is what git has, or would add.
deb:
	@rm -rf build/deb && mkdir -p build/deb/src
	@{ git ls-files -co --exclude-standard 2>/dev/null || \
		find . -path ./build -prune -o -type f -print; } | \
		tar -cf - -T - | tar -xf - -C build/deb/src
	cd build/deb/src && DEB_BUILD_OPTIONS="nocheck parallel=$(JOBS)" \
		dpkg-buildpackage -b -us -uc >../log 2>&1 || \
		{ tail -n 40 ../log; exit 1; }
	@ls build/deb/*.deb

clean:
	rm -rf build

.PHONY: all tests fuzzers deps run test bench bench-mirror bench-peers consumers bench-restart check-kernel check-mirror \
	soak fuzz format format-check install deb clean
-include $(shell find $(B) -path build/deb -prune -o -type f -name '*.d' -print 2>/dev/null)

# SPDX-License-Identifier: Apache-2.0
# One non-recursive makefile. `make help` lists the targets.

.DEFAULT_GOAL := all
VERSION := 0.1.0
O       ?= build
prefix  ?= /usr/local
DESTDIR ?=
Q       := $(if $(filter 1,$(V)),,@)
say      = @$(if $(filter 1,$(V)),:,printf '  %-7s %s\n' '$(1)' '$(2)')

# ---- where this builds, and for what ---------------------------------------------------------
# armlet itself is an arm64 program. Unit tests run on the machine that builds.
HOST_ARCH := $(shell uname -m)
CACHE     := $(or $(ARMLET_CACHE),.cache/lab)
ifeq ($(HOST_ARCH),aarch64)
CROSS_COMPILE ?=
SYSROOT       ?=
else
CROSS_COMPILE ?= aarch64-linux-gnu-
SYSROOT       ?= $(CACHE)/sysroot
endif
ifeq ($(origin CC),default)
CC := gcc
endif
ARM64_CC := $(CROSS_COMPILE)gcc
OBJCOPY  := $(CROSS_COMPILE)objcopy

# ---- flags -----------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Werror
CFLAGS   ?= -O2 -g
BASE     := -std=gnu17 $(WARNINGS) -D_GNU_SOURCE -DARMLET_VERSION='"$(VERSION)"' -MMD -MP
# Devices and the tree writer see the contracts alone: a breach of the layers does not build.
LAYER_src     := -Iinclude -Isrc -I.
LAYER_devices := -Iinclude -Idevices
LAYER_fdt     := -Iinclude
ifneq ($(SYSROOT),)
ARM64_INCLUDE := -isystem $(SYSROOT)/usr/include
ARM64_LIBS    := -L$(SYSROOT)/usr/lib/aarch64-linux-gnu
endif
# Debian 13's liblz4 takes its checksums from libxxhash.
LIBS     := -lfdt -lz -lzstd -llz4 -lxxhash -llzma -luring -lm -lpthread
COVERAGE := $(if $(filter 1,$(COV)),--coverage -fprofile-update=atomic -O1)
SAN      ?= address,undefined
LINKAGE  ?= -static

# ---- sources ---------------------------------------------------------------------------------
src_SOURCES := src/main.c src/exit_status.c src/error.c src/log.c src/arena.c src/ticks.c \
    src/events.c src/exit_kind.c src/irq_watch.c src/vcpu_watch.c src/machine_watch.c \
    src/histogram.c src/json.c src/svg.c src/figures.c \
    src/kvm_stats.c src/thread_usage.c src/latency.c src/stats.c src/stats_text.c src/stats_json.c \
    src/explain.c src/machine_stats.c \
    src/options.c src/options_set.c src/options_features.c src/options_file.c \
    src/options_help.c src/options_suggest.c \
    src/options_value.c src/options_console.c src/options_request.c src/property.c \
    src/machine.c src/machine_devices.c src/machine_power.c src/machine_plan.c src/machine_fdt.c \
    src/boot.c src/memory_map.c src/memory_backing.c src/guest_memory.c src/bus.c src/lifecycle.c \
    src/kvm.c src/kvm_sys.c src/vm.c src/vgic.c src/vcpu.c src/vcpu_setup.c src/vcpu_features.c \
    src/vcpu_registers.c src/vcpu_translate.c src/no_syndrome.c src/register_dump.c \
    src/instruction.c src/mmio_decode.c src/translate.c \
    src/plugin.c src/exit_filter.c src/plugin_guard.c src/plugin_path.c \
    src/event_loop.c src/console.c src/console_output.c src/console_input.c src/console_backend.c src/console_pty.c src/console_unix.c src/unix_listener.c \
    src/guardian.c src/terminal.c \
    src/doctor.c src/doctor_host.c src/doctor_kvm.c src/doctor_memory.c src/doctor_print.c \
    src/doctor_map.c src/doctor_network.c \
    src/image/image.c src/image/decompress.c src/image/elf.c src/image/zboot.c \
    src/image/identify.c src/image/file.c
src_SOURCES += src/event_kind.c src/trace.c src/trace_json.c
src_SOURCES += src/vm_regions.c src/coalesced.c src/machine_regions.c src/machine_page.c src/data_cache.c src/hypercall.c
src_SOURCES += $(addprefix src/bench/,bench.c report.c guest_lines.c facts.c print.c json_write.c \
    json_read.c floor.c vmm.c vmm_measure.c session.c picture.c)
devices_SOURCES := devices/builtin.c devices/primecell.c devices/wall_clock.c \
    devices/monotonic_clock.c devices/timer_alarm.c \
    devices/pl011.c devices/pl011_registers.c devices/pl031.c devices/pl061.c \
    devices/sp804.c devices/sp805.c devices/timer_mmio.c devices/gicv2m.c
devices_SOURCES += devices/testdev.c devices/pl011_fast.c
devices_SOURCES += devices/virtqueue.c devices/virtio_mmio.c devices/virtio_worker.c devices/virtio_fast.c \
    devices/virtio_rng.c devices/virtio_blk.c devices/virtio_blk_request.c devices/disk_image.c devices/disk_at_once.c \
    devices/disk_uring.c devices/disk_threads.c devices/rate_limit.c
src_SOURCES += src/guest_command.c src/kernel_modules.c src/cpio.c
devices_SOURCES += $(addprefix devices/,virtio_9p.c p9_message.c p9_files.c p9_changes.c \
    p9_server.c p9_io.c p9_tree.c)
src_SOURCES += src/machine_irqchip.c src/irq_resample.c src/vcpu_private_lines.c
src_SOURCES += src/machine_console.c
devices_SOURCES += devices/virtio_console.c devices/virtio_console_control.c
devices_SOURCES += devices/virtio_balloon.c devices/balloon_control.c
devices_SOURCES += devices/virtio_vsock.c devices/vsock_stream.c devices/vsock_host.c
devices_SOURCES += devices/vhost.c devices/virtio_vhost.c devices/vsock_vhost.c devices/host_process.c devices/vhost_user.c
devices_SOURCES += devices/virtio_fs.c devices/virtiofsd.c
devices_SOURCES += devices/gicv2.c devices/gicv2_distributor.c devices/gicv2_cpu_interface.c
fdt_SOURCES     := fdt/fdt_writer.c fdt/fdt_file.c fdt/fdt_edit.c fdt/fdt_overlay.c

devices_SOURCES += devices/virtio_net.c devices/virtio_net_queues.c devices/net_link.c \
    devices/net_stream.c devices/net_passt.c devices/net_vhost.c

GUESTS := info empty pl011 pl031 pl061 psci reset gic timer unassigned nisv crash smp count mem bench

PLUGINS := exitlog faults sample
# They see the public headers alone, as any plugin does.
PLUGIN_FLAGS := -std=gnu17 $(WARNINGS) -D_GNU_SOURCE -Iinclude -fPIC -shared -fvisibility=hidden

GUESTS += testdev chars hypercall
GUESTS += sp804 sp805 timer_mmio gicv2m
GUESTS += gic_modes pmu
GUESTS += sample
GUESTS += virtio_hostile disk_cost net_cost
GUESTS += virtio_attack

include tests/unit/unit.mk

# ---- armlet ----------------------------------------------------------------------------------
.PHONY: all
all: $(O)/armlet $(O)/armlet-dynamic $(PLUGINS:%=$(O)/plugins/%.so) $(GUESTS:%=$(O)/guests/%) \
    $(O)/guests/vsock_peer $(O)/guests/net_peer $(O)/guests/share_peer compile_commands.json

.PHONY: guest-tests
guest-tests: all $(O)/harness $(O)/formats/stamp $(O)/formats/debian.ext4.gz $(TEST_PLUGINS:%=$(O)/test-plugins/%.so)

objects = $(foreach layer,src devices fdt,$($(layer)_SOURCES:%.c=$(1)/%.o))
ARM64_OBJECTS := $(call objects,$(O)/arm64) \
    $(addprefix $(O)/arm64/src/,builtin_guest.o guest_init.o bench/bench_guest.o bench/floor_guest.o)

# $(call compile_layer,directory,layer,compiler,flags)
define compile_layer
$(1)/$(2)/%.o: $(2)/%.c $$(BUILD_DEPENDS) Makefile
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(3) $$(BASE) $$(LAYER_$(2)) $(4) -c -o $$@ $$<
endef
$(foreach layer,src devices fdt,$(eval $(call compile_layer,$(O)/arm64,$(layer),$(ARM64_CC),\
    $(ARM64_INCLUDE) $(CFLAGS) $(COVERAGE))))

$(O)/arm64/src/builtin_guest.o: $(O)/guests/info
$(O)/arm64/src/guest_init.o: $(O)/guests/linux/init
$(O)/arm64/src/bench/bench_guest.o: $(O)/guests/bench $(O)/guests/empty
$(O)/arm64/src/%.o: src/%.S src/bench/floor_guest.h
	$(call say,AS,$@)
	@mkdir -p $(@D)
	$(Q)$(ARM64_CC) -I$(O) -c -o $@ $<

# Each stretch of 64 KiB of the program that a run touches is a fault and memory, so what a plain run
# needs lies together, with the libraries it uses, and what it rarely does comes behind them.
RARE := src/bench/% src/doctor% src/stats% src/trace% src/plugin_% src/explain src/svg src/figures \
    src/json src/histogram src/latency src/irq_resample src/register_dump src/vcpu_translate \
    src/no_syndrome src/instruction src/mmio_decode src/translate src/options_help \
    src/options_suggest src/options_file src/builtin_guest src/console_pty src/console_unix \
    src/hypercall src/image/elf devices/gicv2% devices/sp80% devices/timer% devices/testdev \
    devices/virt% devices/vhost% devices/host_process devices/disk% devices/rate_limit devices/p9% devices/net% devices/vsock% \
    src/guest_command src/guest_init devices/balloon_control src/cpio src/kernel_modules \
    src/options_request src/options_features src/machine_plan src/exit_filter src/vcpu_private_lines \
    fdt/fdt_overlay fdt/fdt_file
rare := $(RARE:%=$(O)/arm64/%.o)

$(O)/armlet: $(ARM64_OBJECTS) $(O)/arm64/src/plugin_static.o
	$(call say,LD,$@)
	$(Q)$(ARM64_CC) $(CFLAGS) $(LDFLAGS) $(COVERAGE) $(LINKAGE) -o $@ $(filter-out $(rare),$^) \
	    $(ARM64_LIBS) -lfdt -lc -lgcc -lgcc_eh -lc $(filter $(rare),$^) $(LIBS)

# The same objects again, for plugins: only libc is a shared object.
$(O)/armlet-dynamic: $(ARM64_OBJECTS) $(O)/arm64/src/plugin_dynamic.o src/plugin.symbols
	$(call say,LD,$@)
	$(Q)$(ARM64_CC) $(CFLAGS) $(LDFLAGS) $(COVERAGE) -Wl,--dynamic-list=src/plugin.symbols \
	    -o $@ $(filter %.o,$^) $(ARM64_LIBS) -Wl,-Bstatic $(LIBS) -Wl,-Bdynamic -ldl

# ---- plugins ---------------------------------------------------------------------------------
$(O)/plugins/%.so: plugins/%.c Makefile
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(ARM64_CC) $(PLUGIN_FLAGS) $(CFLAGS) -MMD -MP -o $@ $<

# Those that misbehave, for the tests on KVM.
$(O)/test-plugins/%.so: tests/plugins/%.c Makefile
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(ARM64_CC) $(PLUGIN_FLAGS) $(CFLAGS) -MMD -MP -o $@ $<

# ---- bare-metal guests -----------------------------------------------------------------------
GUEST_LIBRARY := guests/start.S guests/cpu.S $(addprefix guests/lib,.c _exception.c _fdt.c _gic.c \
    _its.c _mmu.c _print.c _psci.c _smp.c _virtio.c)
GUEST_CFLAGS := -std=gnu17 $(WARNINGS) -O2 -g -ffreestanding -nostdlib -fpie -static-pie \
    -fvisibility=hidden -ffunction-sections -fdata-sections -mgeneral-regs-only -mstrict-align \
    -mno-outline-atomics -fno-stack-protector -fno-builtin -fno-asynchronous-unwind-tables -Iguests -Iinclude
GUEST_LDFLAGS := -T guests/guest.ld -Wl,--gc-sections,--build-id=none,-z,text \
    -Wl,-z,max-page-size=4096,--no-warn-rwx-segments
GUEST_OBJECTS := $(GUEST_LIBRARY:guests/%=$(O)/guests/lib/%.o)

$(O)/guests/lib/%.o: guests/% Makefile
	$(call say,GUEST,$@)
	@mkdir -p $(@D)
	$(Q)$(ARM64_CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/guests/%.elf: $(O)/guests/lib/%.c.o $(GUEST_OBJECTS) guests/guest.ld
	$(Q)$(ARM64_CC) $(GUEST_CFLAGS) $(GUEST_LDFLAGS) -o $@ $(filter %.o,$^)

$(O)/guests/virtio_attack.elf: $(addprefix $(O)/guests/lib/attack_,driver.c.o devices.c.o 9p.c.o)
$(O)/guests/bench.elf: $(addprefix $(O)/guests/lib/bench_,exits.c.o interrupts.c.o cpus.c.o console.c.o)

$(O)/guests/%: $(O)/guests/%.elf
	$(Q)$(OBJCOPY) -O binary $< $@

# A program for Linux, the first process of guests of --run.
LINUX_CFLAGS := -std=gnu17 $(WARNINGS) -Os -ffreestanding -nostdlib -static -fno-pie -no-pie \
    -fno-stack-protector -fno-builtin -fno-asynchronous-unwind-tables -mgeneral-regs-only -s
LINUX_LDFLAGS := -Wl,--build-id=none,-z,max-page-size=65536,-z,noseparate-code,-z,norelro

$(O)/guests/linux/%: guests/linux/%.c Makefile
	$(call say,GUEST,$@)
	@mkdir -p $(@D)
	$(Q)$(ARM64_CC) $(LINUX_CFLAGS) $(LINUX_LDFLAGS) -o $@ $<

.PRECIOUS: $(O)/guests/%.elf $(O)/guests/lib/%.c.o

# ---- tests on KVM ----------------------------------------------------------------------------
HARNESS_SOURCES := $(addprefix tests/guest/,harness.c cases_bare_metal.c cases_command_line.c \
    cases_features.c cases_linux.c cases_terminal.c)
HARNESS_SOURCES += tests/guest/cases_disk.c tests/guest/cases_hostile.c
HARNESS_SOURCES += tests/guest/cases_regions.c
HARNESS_SOURCES += tests/guest/cases_insight.c tests/guest/cases_net.c
HARNESS_SOURCES += tests/guest/cases_net_links.c
HARNESS_SOURCES += tests/guest/cases_irqchip.c tests/guest/cases_delivery.c
HARNESS_SOURCES += tests/guest/cases_timers.c
HARNESS_SOURCES += tests/guest/cases_plugin.c
HARNESS_SOURCES += tests/guest/cases_bench.c
HARNESS_SOURCES += tests/guest/cases_trace.c tests/guest/trace_check.c
HARNESS_SOURCES += tests/guest/cases_virtio.c tests/guest/cases_virtio_exits.c
HARNESS_SOURCES += tests/guest/cases_balloon.c
HARNESS_SOURCES += tests/guest/cases_vsock.c tests/guest/stream_check.c
HARNESS_SOURCES += tests/guest/cases_disk_host.c
HARNESS_SOURCES += tests/guest/cases_share.c tests/guest/cases_console.c
HARNESS_SOURCES += tests/guest/cases_vhost.c tests/guest/cases_virtiofs.c tests/guest/guest_program.c

$(O)/harness: $(HARNESS_SOURCES) tests/guest/harness.h Makefile
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(ARM64_CC) -std=gnu17 $(WARNINGS) -D_GNU_SOURCE -O1 -g -static -o $@ $(HARNESS_SOURCES)

# Programs for Linux guests, which cases put into their initramfs, or guests fetch.
$(O)/guests/vsock_peer: tests/guest/stream_check.c tests/guest/stream_check.h
$(O)/guests/%_peer: tests/guest/%_peer.c Makefile
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(ARM64_CC) -std=gnu17 $(WARNINGS) -D_GNU_SOURCE -O2 -static -s -o $@ $(filter %.c,$^)

$(O)/formats/stamp: $(CACHE)/kernel-6.1/vmlinuz tests/guest/make-formats
	$(call say,PACK,$(@D))
	$(Q)tests/guest/make-formats $< $(@D)
	@touch $@

$(O)/formats/debian.ext4.gz: $(CACHE)/fetched tests/guest/make-debian tests/guest/debian-init
	$(call say,PACK,$@)
	$(Q)tests/guest/make-debian $(CACHE)/debian $@

# ---- what a newcomer types -------------------------------------------------------------------
LAB := tests/lab/lab

.PHONY: packages
packages:
	@tests/lab/install build test
	@tests/lab/fetch

.PHONY: run
run: packages
	@$(MAKE) --no-print-directory all
	@tests/lab/run-guest $(O)/armlet

.PHONY: test
test: packages
	@$(MAKE) --no-print-directory unit-tests guest-tests
	@tests/run $(O)

.PHONY: check-unit check-guest
check-unit: unit-tests
	@tests/run $(O) unit
check-guest: guest-tests
	@tests/run $(O) guest

# A Debian guest on a disk, killed again and again: the long form of the case of the harness.
CRASH_ROUNDS ?= 20
.PHONY: check-disk-crash
check-disk-crash: guest-tests
	@$(LAB) run --timeout 3600 --put $(O)/armlet --put $(CACHE)/e2fsck --put $(O)/formats=formats \
	    --put tests/guest/disk-crash -- disk-crash $(CRASH_ROUNDS)

# fio in a guest, on each kind of image and each way of input and output.
FIO_QUEUES ?= 4
.PHONY: check-disk-fio
check-disk-fio: all
	@tests/lab/fetch fio
	@tests/lab/fetch mkfs
	@tests/guest/make-fio $(CACHE)/fio $(O)/fio.ext4.gz
	@$(LAB) run --timeout 3600 --put $(O)/armlet --put $(O)/fio.ext4.gz=fio.ext4.gz \
	    --put $(CACHE)/mke2fs=mke2fs --put tests/guest/disk-fio -- disk-fio $(FIO_QUEUES)

# Much data and many connections through each kind of network: the long form of cases of the harness.
NET_MIB ?= 1024
NET_CONNECTIONS ?= 5000
.PHONY: check-net-load
check-net-load: all
	@$(LAB) run --timeout 7200 --put $(O)/armlet --put $(O)/guests/net_peer \
	    --put tests/guest/net-load $$(tests/run $(O) libc) -- net-load $(NET_MIB) $(NET_CONNECTIONS)

# Every test again, compiled to count lines; the counts of both architectures are added up.
.PHONY: coverage
coverage: packages
	@tests/lab/install coverage
	@$(MAKE) --no-print-directory COV=1 O=$(O)/coverage unit-tests guest-tests
	@tests/coverage $(O)/coverage

FUZZ_TARGETS := options fdt image gicv2 virtqueue net_stream virtio_rng virtio_net virtio_blk virtio_vsock virtio_balloon virtio_console timers p9
FUZZ_SECONDS ?= 30
fuzz_options := $(options_objects)
fuzz_fdt     := $(fdt_objects)
fuzz_image   := $(image_objects)
fuzz_gicv2   := $(gicv2_pair)
fuzz_p9      := $(p9_objects) src/error
fuzz_virtqueue := devices/virtqueue src/guest_memory
fuzz_net_stream := $(addprefix devices/,net_link net_stream net_passt host_process) src/error
fuzz_virtio  := tests/fuzz/virtio_fuzz devices/virtqueue devices/virtio_mmio devices/virtio_worker \
    devices/virtio_fast $(property_objects) src/log src/guest_memory tests/unit/fake_irq \
    tests/unit/fake_fdt_writer
fuzz_virtio_rng := $(fuzz_virtio) devices/virtio_rng
fuzz_virtio_blk := $(sort $(fuzz_virtio) $(filter-out devices/virtio_rng,$(virtio_objects))) \
    devices/monotonic_clock tests/unit/fake_event_loop
fuzz_virtio_net := $(fuzz_virtio) $(net_objects) devices/rate_limit devices/monotonic_clock \
    tests/unit/fake_event_loop
fuzz_virtio_vsock := $(fuzz_virtio) $(vsock_objects)
fuzz_virtio_balloon := $(fuzz_virtio) $(balloon_objects) tests/unit/fake_event_loop
fuzz_virtio_console := $(fuzz_virtio) $(console_objects) tests/unit/fake_console
fuzz_timers  := devices/sp804 devices/sp805 devices/timer_mmio devices/timer_alarm devices/primecell \
    src/error src/log tests/unit/fake_event_loop tests/unit/fake_irq tests/unit/fake_timer_clocks \
    tests/unit/fake_fdt_writer

# $(call fuzz_program,name)
define fuzz_program
$(O)/fuzz/$(1): tests/fuzz/fuzz_$(1).c $(patsubst %,%.c,$(fuzz_$(1)))
	$$(call say,FUZZ,$$@)
	@mkdir -p $$(@D)
	$$(Q)clang $$(filter-out -MMD -MP,$$(BASE)) -Iinclude -Isrc -I. -O1 -g \
	    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o $$@ $$^ \
	    $$(filter-out -lcheck -lsubunit,$$(UNIT_LIBS))
endef
$(foreach name,$(FUZZ_TARGETS),$(eval $(call fuzz_program,$(name))))

# $(call fuzz_all,limit): each target, on what its corpus has and up to this limit
define fuzz_all
	@tests/lab/install build fuzz
	@$(MAKE) --no-print-directory $(FUZZ_TARGETS:%=$(O)/fuzz/%)
	@for name in $(FUZZ_TARGETS); do \
	    mkdir -p $(O)/fuzz/corpus-$$name; \
	    [ ! -f tests/fuzz/corpus/$$name.tgz ] || \
	        tar -C $(O)/fuzz/corpus-$$name -xzf tests/fuzz/corpus/$$name.tgz || exit 1; \
	    echo "fuzzing $$name: $(1)"; \
	    $(O)/fuzz/$$name $(1) -verbosity=0 -print_final_stats=1 \
	        $(O)/fuzz/corpus-$$name || exit 1; \
	done
endef

.PHONY: fuzz check-fuzz
fuzz:
	$(call fuzz_all,-max_total_time=$(FUZZ_SECONDS))

# Nothing new is tried: what was ever of interest still passes.
check-fuzz:
	$(call fuzz_all,-runs=0)

# ---- benchmarks: bench/README.md -------------------------------------------------------------
BENCH_RUNS ?= 50

.PHONY: bench bench-native
bench: packages
	@$(MAKE) --no-print-directory all $(O)/bench/dispatch
	@LKVM=$(LKVM) bench/run $(O) $(BENCH_RUNS)

# What runs on this machine, at the optimisation of the program.
NATIVE_SOURCES := bench/native/dispatch.c src/bus.c src/arena.c src/error.c

$(O)/bench/dispatch: $(NATIVE_SOURCES) src/bus.h src/arena.h include/armlet/device.h Makefile
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE)) -O2 -Iinclude -Isrc -o $@ $(NATIVE_SOURCES) -lpthread

bench-native: $(O)/bench/dispatch
	@$(O)/bench/dispatch

# ---- keeping the house in order --------------------------------------------------------------
FORMATTED := $(wildcard include/armlet/*.h src/*.[ch] src/image/*.[ch] src/bench/*.[ch] \
    devices/*.[ch] fdt/*.[ch] guests/*.[ch] guests/linux/*.c tests/unit/*.[ch] tests/guest/*.[ch] tests/fuzz/*.c \
    plugins/*.c tests/plugins/*.c bench/native/*.c)

.PHONY: format lint
format:
	$(Q)clang-format -i $(FORMATTED)
lint:
	@tests/lab/install lint
	@tests/lint

compile_commands.json: Makefile
	$(call say,GEN,$@)
	@{ echo '['; separator=; \
	   for source in $(src_SOURCES) $(devices_SOURCES) $(fdt_SOURCES); do \
	     printf '%s{"directory":"%s","file":"%s","command":"%s"}\n' "$$separator" "$(CURDIR)" \
	       "$$source" "clang --target=aarch64-linux-gnu -std=gnu17 $(WARNINGS) -D_GNU_SOURCE \
	       -DARMLET_VERSION=0 $(ARM64_INCLUDE) -Iinclude -Isrc -I. -c $$source"; \
	     separator=,; done; echo ']'; } > $@

HEADERS := $(wildcard include/armlet/*.h)
MANUAL  := $(wildcard man/*.[0-9])

.PHONY: install uninstall
install: $(O)/armlet $(O)/armlet-dynamic $(PLUGINS:%=$(O)/plugins/%.so)
	install -D -m 755 $(O)/armlet $(DESTDIR)$(prefix)/bin/armlet
	install -D -m 755 $(O)/armlet-dynamic $(DESTDIR)$(prefix)/libexec/armlet/armlet-dynamic
	install -D -m 644 -t $(DESTDIR)$(prefix)/lib/armlet/plugins $(PLUGINS:%=$(O)/plugins/%.so)
	install -D -m 644 -t $(DESTDIR)$(prefix)/include/armlet $(HEADERS)
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/man/man1 $(filter %.1,$(MANUAL))
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/man/man7 $(filter %.7,$(MANUAL))
uninstall:
	rm -f $(DESTDIR)$(prefix)/bin/armlet $(patsubst man/%.1,$(DESTDIR)$(prefix)/share/man/man1/%.1,\
	    $(filter %.1,$(MANUAL))) $(patsubst man/%.7,$(DESTDIR)$(prefix)/share/man/man7/%.7,\
	    $(filter %.7,$(MANUAL)))
	rm -rf $(DESTDIR)$(prefix)/libexec/armlet $(DESTDIR)$(prefix)/lib/armlet \
	    $(DESTDIR)$(prefix)/include/armlet

.PHONY: dist
dist:
	$(Q)git archive --prefix=armlet-$(VERSION)/ -o armlet-$(VERSION).tar.gz HEAD

.PHONY: clean distclean
clean:
	rm -rf $(O) compile_commands.json
distclean: clean
	rm -rf .cache

.PHONY: help
help:
	@sed -n 's/^#: //p' Makefile

#: make run          install what is missing, build, boot a Linux guest to a shell
#: make test         install what is missing, build, run every test
#: make all          build armlet and the bare-metal guests into O= (build)
#: make check-unit   the unit tests alone, under SAN= (address,undefined)
#: make check-guest  the tests on KVM alone
#: make check-disk-crash  CRASH_ROUNDS= (20) kills of a guest that writes to its disk
#: make check-disk-fio  fio in a guest with FIO_QUEUES= (4) queues verifies what it wrote
#: make check-net-load  NET_MIB= (1024) each way and NET_CONNECTIONS= (5000), by passt and TAP
#: make coverage     line coverage by all tests together
#: make lint         format, static analysis, headers, manual pages, duplicates
#: make bench        all benchmarks in the counted lab, LKVM= a kvmtool to measure beside QEMU
#: make bench-native what finding a device costs, on this machine
#: make check-fuzz   each fuzz target on its corpus alone
#: make fuzz         each fuzz target for FUZZ_SECONDS= (30)
#: make format       rewrite the sources in the project's format
#: make install      into DESTDIR=, prefix= (/usr/local); also: uninstall, dist, clean, distclean
#: variables         O= V=1 CROSS_COMPILE= CC= CFLAGS= SAN= COV=1 LINKAGE= (-static)

-include $(ARM64_OBJECTS:.o=.d) $(wildcard $(O)/guests/lib/*.d $(O)/*plugins/*.d)

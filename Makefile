# SPDX-License-Identifier: Apache-2.0
# One non-recursive makefile. `make help` lists the targets.

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
LIBS     := -lfdt -lz -lzstd -llz4 -llzma -lpthread
COVERAGE := $(if $(filter 1,$(COV)),--coverage -fprofile-update=atomic -O1)
SAN      ?= address,undefined
LINKAGE  ?= -static

# ---- sources ---------------------------------------------------------------------------------
src_SOURCES := src/main.c src/exit_status.c src/error.c src/log.c src/arena.c \
    src/options.c src/options_set.c src/options_file.c src/options_help.c src/options_suggest.c \
    src/options_value.c \
    src/machine.c src/machine_power.c src/machine_plan.c src/machine_fdt.c src/boot.c \
    src/memory_map.c src/memory_backing.c src/guest_memory.c src/bus.c src/lifecycle.c \
    src/kvm.c src/kvm_sys.c src/vm.c src/vgic.c src/vcpu.c src/vcpu_features.c \
    src/vcpu_registers.c src/vcpu_translate.c src/no_syndrome.c src/register_dump.c \
    src/instruction.c src/mmio_decode.c src/translate.c \
    src/event_loop.c src/console.c src/console_backend.c src/terminal.c \
    src/doctor.c \
    src/image/image.c src/image/decompress.c src/image/elf.c src/image/zboot.c \
    src/image/identify.c src/image/file.c
devices_SOURCES := devices/builtin.c devices/primecell.c devices/wall_clock.c \
    devices/pl011.c devices/pl011_registers.c devices/pl031.c devices/pl061.c
fdt_SOURCES     := fdt/fdt_writer.c fdt/fdt_file.c fdt/fdt_edit.c fdt/fdt_overlay.c

GUESTS := info empty pl011 pl031 pl061 psci reset gic timer unassigned nisv crash smp count mem

include tests/unit/unit.mk

# ---- the pieces ------------------------------------------------------------------------------
.PHONY: all
all: unit-tests compile_commands.json

# ---- what a newcomer types -------------------------------------------------------------------
.PHONY: test check-unit
test check-unit: unit-tests
	@tests/run $(O) unit

# ---- keeping the house in order --------------------------------------------------------------
FORMATTED := $(wildcard include/armlet/*.h src/*.[ch] src/image/*.[ch] devices/*.[ch] fdt/*.[ch] \
    guests/*.[ch] tests/unit/*.[ch] tests/fuzz/*.c)

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

#: make test         install what is missing, build, run every test
#: make all          build armlet and the bare-metal guests into O= (build)
#: make check-unit   the unit tests alone, under SAN= (address,undefined)
#: make lint         format, static analysis, headers, manual pages, duplicates
#: make format       rewrite the sources in the project's format
#: variables         O= V=1 CROSS_COMPILE= CC= CFLAGS= SAN= COV=1 LINKAGE= (-static)


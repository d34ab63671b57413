# SPDX-License-Identifier: Apache-2.0
# Unit tests: one program a line of UNIT_TESTS, linked from its own file, the common main, and the
# objects that unit_NAME lists. They run on the machine that builds, under sanitizers.

UNIT_TESTS := core events event_loop property bus memory options options_value options_file \
    fdt_writer fdt_file fdt_overlay pl011 pl011_input pl031 pl061 \
    console console_kinds terminal image instruction translate no_syndrome \
    kvm vm vgic vcpu vcpu_watch machine machine_devices machine_timers doctor
UNIT_TESTS += vm_regions testdev machine_regions pl011_fast hypercall
UNIT_TESTS += plugin trace
UNIT_TESTS += virtio_console console_ports options_console option_errors machine_console
UNIT_TESTS += virtio_vsock virtio_balloon virtio_net
UNIT_TESTS += virtqueue virtio_mmio virtio_blk rate_limit disk_engine
UNIT_TESTS += sp804 sp804_random sp805 timer_mmio gicv2m
UNIT_TESTS += gicv2 gicv2_model gicv2_threads machine_irqchip

unit_core := src/error src/arena src/lifecycle src/guest_memory src/memory_map src/exit_status
events_objects := src/events src/event_kind src/exit_kind src/error tests/unit/fake_ticks
unit_events     := $(events_objects) src/irq_watch tests/unit/fake_irq
unit_event_loop := $(events_objects) src/event_loop src/log
UNIT_TESTS += console_events histogram svg stats kvm_stats machine_stats
stats_objects   := src/stats src/stats_text src/stats_json src/explain src/figures src/json \
    src/histogram src/latency src/kvm_stats
unit_histogram  := src/histogram
unit_svg        := src/histogram src/svg src/json src/figures
fdt_objects := fdt/fdt_writer fdt/fdt_file fdt/fdt_edit fdt/fdt_overlay src/error
unit_fdt_writer := $(fdt_objects)
unit_fdt_file    := $(fdt_objects) tests/unit/fdt_fixture
unit_fdt_overlay := $(unit_fdt_file)
property_objects := src/property src/options_suggest src/options_value src/error
unit_bus := src/error src/arena src/bus
unit_memory := src/error src/guest_memory src/memory_backing
options_objects := src/options src/options_set src/options_features src/options_value src/options_file \
    src/options_help src/options_suggest src/options_console src/options_request src/event_kind src/error
unit_options       := $(options_objects)
unit_property      := $(sort $(property_objects) $(options_objects))
unit_options_file  := $(options_objects)
unit_options_value := src/options_value src/options_suggest src/error
virtio_objects := devices/virtqueue devices/virtio_mmio devices/virtio_worker devices/virtio_fast devices/virtio_rng devices/virtio_blk devices/disk_image \
    devices/virtio_blk_request devices/disk_uring devices/disk_threads devices/disk_at_once devices/rate_limit
p9_objects := $(addprefix devices/,p9_message p9_files p9_changes p9_server p9_io p9_tree)
virtio_objects += devices/virtio_9p $(p9_objects)
UNIT_TESTS += p9 p9_escape p9_limits virtio_9p options_share guest_command
unit_guest_command = $(sort src/guest_command src/kernel_modules src/cpio $(options_objects) $(image_objects))
unit_options_share = $(options_objects)
unit_options_console := $(options_objects)
unit_p9        := $(p9_objects) src/error tests/unit/p9_client
unit_p9_escape := $(unit_p9)
unit_p9_limits := $(unit_p9)
vhost_objects := $(addprefix devices/,vhost virtio_vhost vhost_user host_process)
virtio_fs_objects := devices/virtio_fs devices/virtiofsd
vsock_objects := $(addprefix devices/,virtio_vsock vsock_stream vsock_host vsock_vhost) $(vhost_objects)
console_objects := devices/virtio_console devices/virtio_console_control
balloon_objects := devices/virtio_balloon devices/balloon_control
net_objects := $(addprefix devices/,virtio_net virtio_net_queues net_link net_stream net_passt net_vhost) $(vhost_objects)
builtin_objects := $(virtio_fs_objects) $(vsock_objects) $(console_objects) $(balloon_objects) $(net_objects) devices/builtin devices/primecell devices/pl011 devices/pl011_registers \
    devices/pl011_fast \
    devices/pl031 devices/pl061 devices/timer_alarm devices/sp804 devices/sp805 \
    devices/timer_mmio devices/gicv2m devices/testdev $(virtio_objects)
device_objects := $(builtin_objects) $(property_objects) src/log src/guest_memory tests/unit/fake_irq \
    tests/unit/fake_regions \
    tests/unit/fake_console tests/unit/fake_event_loop tests/unit/fake_wall_clock \
    tests/unit/fake_timer_clocks tests/unit/fake_fdt_writer tests/unit/primecell_checks \
    tests/unit/timer_fixture
unit_pl011       := $(device_objects) tests/unit/pl011_fixture
unit_pl011_input := $(device_objects) tests/unit/pl011_fixture
unit_pl031       := $(device_objects)
unit_pl061       := $(device_objects)
unit_testdev     := $(device_objects)
unit_virtqueue   := devices/virtqueue src/guest_memory tests/unit/virtio_driver
unit_virtio_mmio := $(device_objects) tests/unit/virtio_driver tests/unit/virtio_bus
UNIT_TESTS += virtio_fast
unit_virtio_fast := $(unit_virtio_mmio)
unit_virtio_blk  := $(unit_virtio_mmio)
unit_virtio_vsock := $(unit_virtio_mmio)
unit_virtio_console := $(unit_virtio_mmio)
unit_virtio_balloon := $(unit_virtio_mmio)
unit_LDFLAGS_virtio_balloon := -Wl,--wrap=madvise
unit_virtio_net  := $(unit_virtio_mmio)
unit_disk_engine := devices/disk_uring devices/disk_threads devices/disk_at_once devices/disk_image src/error
unit_LDFLAGS_disk_engine := -Wl,--wrap=io_uring_queue_init,--wrap=io_uring_register_eventfd \
    -Wl,--wrap=io_uring_submit,--wrap=io_uring_get_probe_ring,--wrap=pthread_create
unit_rate_limit  := devices/rate_limit $(property_objects)
unit_virtio_9p   := $(unit_virtio_mmio) tests/unit/p9_client
unit_LDFLAGS_virtio_blk := -Wl,--wrap=fdatasync,--wrap=fallocate
unit_pl011_fast  := $(device_objects) tests/unit/pl011_fixture
unit_sp804       := $(device_objects)
unit_sp804_random := $(device_objects)
unit_sp805       := $(device_objects)
unit_timer_mmio  := $(device_objects)
unit_gicv2m      := $(device_objects)
UNIT_TESTS += virtio_blk_load
unit_virtio_blk_load := $(unit_virtio_mmio)
unit_LDFLAGS_virtio_blk_load := -Wl,--wrap=fdatasync,--wrap=io_uring_queue_init,--wrap=fstatfs
unit_terminal := src/terminal src/guardian src/error src/log
unit_console  := src/console src/console_output src/console_input src/console_backend src/console_pty src/console_unix src/unix_listener src/event_loop \
    $(sort $(events_objects) $(unit_terminal)) tests/unit/console_fixture
unit_console_kinds := $(unit_console)
unit_console_events := $(unit_console)
unit_console_ports := $(unit_console)
image_objects := src/image/image src/image/decompress src/image/elf src/image/zboot \
    src/image/identify src/image/file src/guest_memory src/error
unit_image       := $(image_objects) tests/unit/image_fixture tests/unit/image_faults \
    tests/unit/image_aarch32
unit_instruction := src/instruction
unit_translate   := src/translate src/guest_memory src/error
unit_no_syndrome := src/no_syndrome src/mmio_decode src/instruction src/translate \
    src/vcpu_translate src/vcpu_registers src/kvm src/guest_memory src/error src/log \
    tests/unit/no_syndrome_fixture
fake_kvm_objects := tests/unit/fake_kvm tests/unit/kvm_calls tests/unit/kvm_region_calls \
    tests/unit/fake_kvm_stats
unit_stats      := $(sort $(stats_objects) src/exit_kind src/arena src/error $(fake_kvm_objects))
unit_doctor      := src/json src/doctor src/doctor_host src/doctor_kvm src/doctor_memory src/doctor_network src/doctor_print \
    src/doctor_map src/exit_status src/error src/memory_map src/kvm src/vm src/vgic \
    src/vcpu_features src/guest_memory tests/unit/doctor_fixture tests/unit/doctor_output \
    $(fake_kvm_objects)
unit_kvm  := src/kvm src/vcpu_features src/error $(fake_kvm_objects) tests/unit/kvm_failures
unit_vm   := $(unit_kvm) src/vm src/guest_memory
unit_machine_regions := $(sort $(unit_vm) $(events_objects)) src/vm_regions src/coalesced src/bus src/arena src/log \
    src/machine_regions src/machine_page src/irq_watch tests/unit/fake_data_cache
unit_vm_regions := $(filter-out src/error,$(unit_vm)) src/vm_regions src/coalesced src/bus src/arena src/log \
    $(events_objects)
unit_vgic := $(unit_vm) src/vgic src/memory_map
gicv2_objects := devices/gicv2 devices/gicv2_distributor devices/gicv2_cpu_interface
gicv2_pair    := $(gicv2_objects) src/error src/log tests/unit/gicv2_model tests/unit/gicv2_pair
unit_gicv2_model := $(gicv2_pair)
unit_gicv2_threads := $(gicv2_objects) src/error src/log
unit_gicv2 := $(gicv2_objects) src/error src/log tests/unit/fake_irq
vcpu_objects := $(sort $(unit_vgic) $(unit_vm_regions) $(events_objects)) src/vcpu src/vcpu_setup src/vcpu_watch \
    src/kvm_stats src/thread_usage src/latency src/histogram \
    src/hypercall \
    src/vcpu_private_lines \
    src/exit_filter \
    src/vcpu_registers \
    src/lifecycle src/event_loop src/register_dump src/no_syndrome src/mmio_decode \
    src/instruction src/translate src/vcpu_translate tests/unit/kvm_guest
unit_vcpu := $(vcpu_objects) tests/unit/fake_console
unit_vcpu_watch := $(unit_vcpu)
unit_kvm_stats := $(unit_vcpu)
unit_hypercall := $(unit_vcpu)
unit_machine := $(sort $(vcpu_objects) $(gicv2_objects) src/machine_irqchip src/irq_resample $(options_objects) $(property_objects) $(fdt_objects) \
    $(image_objects) $(unit_console) src/machine src/machine_console src/machine_devices src/machine_power \
    src/machine_watch src/irq_watch src/machine_stats $(stats_objects) src/svg \
    src/plugin src/plugin_guard src/plugin_path src/plugin_static src/trace src/trace_json \
    src/machine_plan src/machine_fdt src/boot src/memory_backing $(builtin_objects) \
    devices/wall_clock devices/monotonic_clock src/machine_regions src/machine_page tests/unit/fake_data_cache \
    tests/unit/kvm_machine tests/unit/kvm_machine_boot)
unit_machine_timers  := $(filter-out tests/unit/kvm_machine_boot,$(unit_machine))
unit_option_errors := src/exit_status tests/unit/primecell_checks $(filter-out tests/unit/kvm_machine_boot,$(unit_machine))
unit_machine_console := $(filter-out tests/unit/kvm_machine_boot,$(unit_machine))
unit_machine_stats := $(filter-out tests/unit/kvm_machine_boot,$(unit_machine))
unit_machine_devices := $(filter-out devices/builtin tests/unit/kvm_machine_boot,$(unit_machine))
unit_machine_irqchip := $(filter-out tests/unit/kvm_machine_boot,$(unit_machine))
unit_trace := tests/guest/trace_check $(filter-out tests/unit/kvm_machine_boot,$(unit_machine))
UNIT_TESTS += plugin_static
unit_plugin_static := src/plugin_static src/plugin_path src/error
unit_plugin := src/plugin_dynamic src/exit_status \
    $(filter-out src/plugin_static tests/unit/kvm_machine_boot,$(unit_machine))
UNIT_TESTS += vhost
unit_vhost := $(unit_virtio_mmio) tests/unit/fake_vhost
UNIT_TESTS += virtio_fs
unit_virtio_fs := $(unit_virtio_mmio)
unit_LDFLAGS_virtio_fs := -Wl,--wrap=host_process_start
unit_LDFLAGS_vhost := -Wl,--wrap=open,--wrap=ioctl
UNIT_TESTS += bench bench_session
unit_bench := $(unit_doctor) $(addprefix src/bench/,report guest_lines print json_write json_read \
    picture) src/arena $(unit_svg)
unit_bench_session := $(sort $(unit_bench) $(unit_vcpu) $(options_objects) src/memory_backing \
    $(addprefix src/bench/,bench facts floor session vmm vmm_measure))

# KVM's structures are arm64's whatever this machine is.
UNIT_CC       ?= $(CC)
UNIT_FLAGS    := -O1 -g $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) $(COVERAGE)
UNIT_LIBS     := -lcheck -lsubunit -lm -lrt -lfdt -lz -lzstd -llz4 -llzma -luring -lpthread
ifneq ($(HOST_ARCH),aarch64)
KVM_HEADERS   := $(O)/unit/kvm-include
UNIT_INCLUDE  := -isystem $(KVM_HEADERS)
ARM64_HEADERS ?= /usr/aarch64-linux-gnu/include
UNIT_DEPENDS  := $(KVM_HEADERS)/stamp

$(KVM_HEADERS)/stamp: tests/unit/unit.mk
	@mkdir -p $(@D)/asm $(@D)/linux
	$(Q)cp $(ARM64_HEADERS)/asm/kvm.h $(ARM64_HEADERS)/asm/ptrace.h $(ARM64_HEADERS)/asm/hwcap.h \
	    $(ARM64_HEADERS)/asm/sve_context.h $(@D)/asm/
	$(Q)cp $(ARM64_HEADERS)/linux/kvm.h $(ARM64_HEADERS)/linux/psci.h $(@D)/linux/
	@touch $@
endif

LAYER_tests := -Iinclude -Isrc -I. -Itests/unit

# $(call compile_unit_layer,directory)
define compile_unit_layer
$(O)/unit/$(1)/%.o: $(1)/%.c $(UNIT_DEPENDS) Makefile tests/unit/unit.mk
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(UNIT_CC) $$(BASE) $$(LAYER_$(1)) $$(UNIT_INCLUDE) $$(UNIT_FLAGS) -c -o $$@ $$<
endef
$(foreach layer,src devices fdt tests,$(eval $(call compile_unit_layer,$(layer))))

# $(call link_unit,name)
define link_unit
$(O)/unit/test_$(1): $(O)/unit/tests/unit/test_$(1).o $(O)/unit/tests/unit/main.o \
    $(patsubst %,$(O)/unit/%.o,$(unit_$(1)))
	$$(call say,LD,$$@)
	$$(Q)$$(UNIT_CC) $$(UNIT_FLAGS) $$(unit_LDFLAGS_$(1)) -o $$@ $$(filter %.o,$$^) $$(UNIT_LIBS)
endef
$(foreach name,$(UNIT_TESTS),$(eval $(call link_unit,$(name))))

# Plugins that misbehave, for this machine; on arm64 the harness has them too.
TEST_PLUGINS := trial old_abi liar no_symbol crash_early
unit_LDFLAGS_plugin := -Wl,--dynamic-list=src/plugin.symbols

$(O)/unit/plugins/%.so: tests/plugins/%.c Makefile tests/unit/unit.mk
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(PLUGIN_FLAGS) $(UNIT_FLAGS) -MMD -MP -o $@ $<
$(O)/unit/test_plugin: $(TEST_PLUGINS:%=$(O)/unit/plugins/%.so)

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS:%=$(O)/unit/test_%)
.SECONDARY:

-include $(wildcard $(O)/unit/*/*.d $(O)/unit/*/*/*.d)

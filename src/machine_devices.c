// SPDX-License-Identifier: Apache-2.0
/* Which devices the machine has, and where: those of every machine, and those of --device. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "irq_watch.h"
#include "machine_internal.h"
#include "memory_map.h"
#include "options_suggest.h"

/* What every machine has; the device tree names them in this order. */
static const char console_device[] = "pl011";
static const char socket_property[] = "uds";
static const char virtio_console[] = "virtio-console";
static const char virtio_ports[] = "virtio-ports";
static const char sharing_device[] = "virtio-fs"; /* another process reads and writes memory */
static const char *const usual_devices[] = {console_device, "pl031", "pl061"};
enum {
    USUAL_DEVICE_COUNT = sizeof(usual_devices) / sizeof(usual_devices[0]),
    SHOWN_BYTES = 80,         /* of what the operator wrote */
    IMPLIED_DEVICE_COUNT = 4, /* see choose_implied() */
};

#define PLACE_BYTES       UINT64_C(0x1000)    /* the granule of places */
#define DEVICE_MOST_BYTES UINT64_C(0x1000000) /* 16 MiB */

static bool find_class(const struct plugins *plugins, const char *name,
                       struct device_choice *choice)
{
    const struct plugin_class *brought = plugins_find_class(plugins, name);

    for (const struct device_class *const *class = builtin_device_classes; *class; class ++)
        if (strcmp((*class)->name, name) == 0)
            *choice = (struct device_choice){.class = *class};
    if (brought)
        *choice = (struct device_choice){.class = brought->class, .plugin = brought->host};
    return choice->class;
}

static bool refuse_name(const struct plugins *plugins, const char *name, struct error *error)
{
    struct suggestion suggestion;

    suggestion_init(&suggestion, name, strlen(name));
    for (const struct device_class *const *class = builtin_device_classes; *class; class ++)
        suggestion_offer(&suggestion, (*class)->name);
    for (const struct plugin_class *entry = plugins->classes; entry; entry = entry->next)
        suggestion_offer(&suggestion, entry->class->name);
    if (suggestion.best)
        return error_set(error, ERROR_USAGE, 0, "--device %s: unknown device: did you mean '%s'?",
                         name, suggestion.best);
    return error_set(error, ERROR_USAGE, 0,
                     "--device %s: unknown device: '--device help' lists what there is", name);
}

/* A class with a place of its own can be there once. */
static bool check_alone(const struct machine *machine, const struct device_class *class,
                        struct error *error)
{
    const struct region *region = memory_map_find_device(class->name);

    if (region ? memory_map_is_shared(region) : !class->base.value)
        return true;
    for (size_t i = 0; i < machine->choice_count; i++) {
        if (machine->choices[i].class != class)
            continue;
        if (i < USUAL_DEVICE_COUNT)
            return error_set(error, ERROR_USAGE, 0, "--device %s: every machine has one already",
                             class->name);
        return error_set(error, ERROR_USAGE, 0,
                         "--device %s: given twice, and there is a place for one", class->name);
    }
    return true;
}

/* Says which option an error is about. */
static bool blame(const struct option_request *request, struct error *error)
{
    if (!request->option)
        return error_add_context(error, "--device %s", request->name);
    if (!request->value)
        return error_add_context(error, "--%s", request->option);
    return error_add_context(error, "--%s %.*s%s", request->option, SHOWN_BYTES, request->value,
                             strlen(request->value) > SHOWN_BYTES ? "..." : "");
}

static bool choose(struct machine *machine, const struct option_request *request,
                   struct error *error)
{
    struct device_choice choice = {0};

    if (!find_class(&machine->plugins, request->name, &choice))
        return refuse_name(&machine->plugins, request->name, error);
    if (!check_alone(machine, choice.class, error))
        return false;
    if (!property_list_read(&request->properties, choice.class->properties, NULL, error))
        return blame(request, error);
    choice.request = *request;
    machine->choices[machine->choice_count++] = choice;
    return true;
}

/* Devices that have a console of the machine's are asked for with that. */
static bool choose_asked(struct machine *machine, const struct option_request *request,
                         struct error *error)
{
    if (strcmp(request->name, virtio_console) == 0)
        return error_set(error, ERROR_USAGE, 0, "--device %s: '--console virtio' makes one",
                         request->name);
    if (strcmp(request->name, virtio_ports) == 0)
        return error_set(error, ERROR_USAGE, 0, "--device %s: '--port NAME=KIND' makes one",
                         request->name);
    return choose(machine, request, error);
}

static bool has_choice(const struct machine *machine, const char *name)
{
    for (size_t i = 0; i < machine->choice_count; i++)
        if (strcmp(machine->choices[i].class->name, name) == 0)
            return true;
    return false;
}

bool machine_shares_memory(const struct machine *machine)
{
    return has_choice(machine, sharing_device);
}

/* Those that other options bring, unless --device has them already. */
static bool choose_implied(struct machine *machine, struct error *error)
{
    const struct options *options = machine->options;
    const struct {
        struct option_request request;
        bool wanted;
    } implied[IMPLIED_DEVICE_COUNT] = {
        {{.name = "sp805", .option = "watchdog"}, options->watchdog != WATCHDOG_NONE},
        {{.name = "gicv2m", .option = "msi"}, options->msi == MSI_GICV2M},
        {{.name = virtio_console, .option = "console"}, options->virtio_console},
        {{.name = virtio_ports, .option = "port"}, options->port_count > 0},
    };

    for (size_t i = 0; i < IMPLIED_DEVICE_COUNT; i++)
        if (implied[i].wanted && !has_choice(machine, implied[i].request.name) &&
            !choose(machine, &implied[i].request, error))
            return false;
    return true;
}

bool machine_choose_devices(struct machine *machine, struct error *error)
{
    const struct option_request_list *asked = &machine->options->devices;
    size_t most = USUAL_DEVICE_COUNT + asked->count + IMPLIED_DEVICE_COUNT;

    machine->choices = arena_alloc(&machine->arena, most, sizeof(*machine->choices), error);
    machine->devices = arena_alloc(&machine->arena, most, sizeof(*machine->devices), error);
    machine->regions = arena_alloc(&machine->arena, most, sizeof(*machine->regions), error);
    machine->listeners = arena_alloc(&machine->arena, most, sizeof(*machine->listeners), error);
    if (!machine->choices || !machine->devices || !machine->regions || !machine->listeners)
        return false;
    for (size_t i = 0; i < USUAL_DEVICE_COUNT; i++)
        if (!choose(machine, &(struct option_request){.name = usual_devices[i]}, error))
            return false;
    for (size_t i = 0; i < asked->count; i++)
        if (!choose_asked(machine, &asked->items[i], error))
            return false;
    return choose_implied(machine, error);
}

/* The next SPIs of those that no region has. */
static bool take_spis(struct machine *machine, uint32_t count, uint32_t *spi, struct error *error)
{
    uint32_t first = (uint32_t)memory_map_region(REGION_DEVICES)->spi + machine->spis_taken;

    if (count > GIC_SPI_COUNT - first)
        return error_set(error, ERROR_USAGE, 0, "no interrupt is left for it");
    machine->spis_taken += count;
    *spi = first;
    return true;
}

/* The next place in a region for several. */
static bool take_shared(struct machine *machine, const struct region *region,
                        struct device_place *place, struct error *error)
{
    uint32_t slot = machine->slots_taken;

    if (slot == region->spi_count)
        return error_set(error, ERROR_USAGE, 0, "there are places for %u in '%s'",
                         region->spi_count, region->name);
    machine->slots_taken++;
    place->base = gpa_add(region->base, slot * (region->size_bytes / region->spi_count));
    place->spi = (uint32_t)region->spi + slot;
    return true;
}

/* The next room for a device that may be anywhere. */
static bool take_room(struct machine *machine, uint64_t size_bytes, gpa_t *base,
                      struct error *error)
{
    const struct region *region = memory_map_region(REGION_DEVICES);
    uint64_t left = region->size_bytes - machine->room_taken;

    if (size_bytes > left)
        return error_set(error, ERROR_USAGE, 0,
                         "no room is left for its 0x%" PRIx64 " bytes at 0x%" PRIx64, size_bytes,
                         gpa_add(region->base, machine->room_taken).value);
    *base = gpa_add(region->base, machine->room_taken);
    machine->room_taken += (size_bytes + PLACE_BYTES - 1) & ~(PLACE_BYTES - 1);
    return true;
}

static bool connect_irqs(struct machine *machine, const struct device_class *class, uint32_t spi,
                         struct machine_device *entry, struct irq_line **lines, struct error *error)
{
    uint32_t count = class->extra_irqs + 1;

    *lines = arena_alloc(&machine->arena, count, sizeof(**lines), error);
    entry->irqs = arena_alloc(&machine->arena, count, sizeof(*entry->irqs), error);
    if (!*lines || !entry->irqs)
        return false;
    entry->irq_count = count;
    if (machine->spi_count < spi + count)
        machine->spi_count = spi + count;
    for (uint32_t i = 0; i < count; i++) {
        if (!machine_irqchip_connect(machine, &entry->irqs[i].wire, GIC_SPI_BASE + spi + i, error))
            return false;
        irq_watch_init(&entry->irqs[i], &(*lines)[i], &machine->events);
    }
    return true;
}

/* What a plugin made isn't trusted to be complete. */
static bool check_device(const struct device *device, struct error *error)
{
    const struct device_ops *ops = device->ops;

    if (!device->name || !ops || !ops->read || !ops->write || !ops->reset || !ops->destroy)
        return error_set(error, ERROR_FILE, 0,
                         "the plugin's device has no name, read, write, reset or destroy");
    if (device->size_bytes == 0 || device->size_bytes > DEVICE_MOST_BYTES)
        return error_set(error, ERROR_FILE, 0,
                         "the plugin's device has an impossible size of 0x%" PRIx64 " bytes",
                         device->size_bytes);
    return true;
}

static bool overlaps(gpa_t base, uint64_t size_bytes, gpa_t other, uint64_t other_bytes)
{
    return base.value < other.value + other_bytes && other.value < base.value + size_bytes;
}

/* A class that asks for a place may ask for what isn't free. */
static bool check_place(const struct machine *machine, const struct device *device, gpa_t base,
                        struct error *error)
{
    const char *there = NULL;

    if (base.value % PLACE_BYTES)
        return error_set(error, ERROR_FILE, 0,
                         "it has to be at 0x%08" PRIx64 ", which is no multiple of 4 KiB",
                         base.value);
    if (base.value + device->size_bytes > memory_map_region(REGION_RAM)->base.value)
        there = memory_map_region(REGION_RAM)->purpose;
    for (int id = 0; id < REGION_COUNT; id++) {
        const struct region *region = memory_map_region((enum region_id)id);

        if (overlaps(base, device->size_bytes, region->base, region->size_bytes))
            there = region->purpose;
    }
    for (size_t i = 0; i + 1 < machine->device_count; i++) {
        const struct machine_device *other = &machine->devices[i];

        if (overlaps(base, device->size_bytes, other->place.base, other->device->size_bytes))
            there = other->device->name;
    }
    return !there || error_set(error, ERROR_FILE, 0,
                               "it has to be at 0x%08" PRIx64 " to 0x%08" PRIx64 ", where '%s' is",
                               base.value, base.value + device->size_bytes - 1, there);
}

static bool place(struct machine *machine, const struct device_class *class,
                  struct machine_device *entry, struct error *error)
{
    const struct region *region = memory_map_find_device(class->name);

    if (region) /* chosen with its SPI */
        return bus_add(&machine->bus, entry->device, entry->place.base, error);
    if (class->base.value && check_place(machine, entry->device, class->base, error))
        entry->place.base = class->base;
    else if (class->base.value ||
             !take_room(machine, entry->device->size_bytes, &entry->place.base, error))
        return false;
    return bus_add(&machine->bus, entry->device, entry->place.base, error);
}

/* --fast-console off: each access to the UART exits. */
static bool lends_regions(const struct machine *machine, const struct device_class *class)
{
    return !machine->options->slow_console || strcmp(class->name, console_device) != 0;
}

/* Its SPI, and if the memory map has a place for it, that. */
static bool choose_place(struct machine *machine, const struct device_class *class,
                         struct device_place *place, struct error *error)
{
    const struct region *region = memory_map_find_device(class->name);
    uint32_t spi_count = class->extra_irqs + 1;

    if (!region)
        return take_spis(machine, spi_count, &place->spi, error);
    if (memory_map_is_shared(region)) {
        assert(spi_count == 1);
        return take_shared(machine, region, place, error);
    }
    assert(region->spi_count == spi_count);
    *place = (struct device_place){.base = region->base, .spi = (uint32_t)region->spi};
    return true;
}

/* The Unix socket that a device is to have on the host; a dry run makes none. */
static bool open_socket(struct machine *machine, const struct device_choice *choice,
                        struct host_socket *socket, struct error *error)
{
    struct unix_listener *listener = &machine->listeners[machine->device_count];

    *socket = (struct host_socket){.fd = -1};
    for (size_t i = 0; i < choice->request.properties.count; i++)
        if (strcmp(choice->request.properties.items[i].key, socket_property) == 0)
            socket->path = choice->request.properties.items[i].value;
    if (!socket->path || choice->plugin || machine->options->dry_run)
        return true;
    if (!unix_listener_open(listener, socket->path, error)) {
        unix_listener_close(listener);
        return false;
    }
    socket->fd = listener->fd;
    return true;
}

/* What a device that couldn't be made, or is gone, had of the machine's. */
static void release(struct machine *machine, size_t index)
{
    unix_listener_close(&machine->listeners[index]);
    machine_regions_finish(&machine->regions[index]);
}

static bool create(struct machine *machine, const struct device_choice *choice, struct error *error)
{
    struct machine_device *entry = &machine->devices[machine->device_count];
    struct machine_regions *regions = &machine->regions[machine->device_count];
    struct host_socket socket;
    struct device_resources resources = {
        .properties = choice->request.properties,
        .plugin = choice->plugin ? plugin_host_context(choice->plugin) : NULL,
        .reset_request = &machine->reset_request,
        .loop = machine->loop,
        .console = machine->console,
        .ports = machine->ports,
        .port_count = machine->port_count,
        .memory = &machine->ram.memory,
        .log = machine->log,
        .regions = lends_regions(machine, choice->class) ? &regions->regions : NULL,
        .guest_exit = &machine->guest_exit,
        .shared_memory = machine->ram.fd >= 0 ? &machine->ram.fd : NULL,
    };

    if (!choose_place(machine, choice->class, &entry->place, error) ||
        !connect_irqs(machine, choice->class, entry->place.spi, entry, &resources.irq, error) ||
        !open_socket(machine, choice, &socket, error))
        return false;
    resources.host_socket = socket.path ? &socket : NULL;
    machine_regions_init(regions, &machine->regions_environment, &entry->irqs[0],
                         entry->place.base);
    entry->device = choice->class->create(&resources, error);
    if (!entry->device) {
        release(machine, machine->device_count);
        return false;
    }
    if (choice->plugin && !check_device(entry->device, error)) {
        if (entry->device->ops && entry->device->ops->destroy)
            entry->device->ops->destroy(entry->device);
        release(machine, machine->device_count);
        return false;
    }
    machine->device_count++;
    for (uint32_t i = 0; i < entry->irq_count; i++)
        entry->irqs[i].device = entry->device;
    return place(machine, choice->class, entry, error);
}

bool machine_create_devices(struct machine *machine, struct error *error)
{
    bus_init(&machine->bus, &machine->arena);
    machine->regions_environment = (struct machine_regions_environment){
        .vm = &machine->vm,
        .coalesced = &machine->coalesced,
        .pages = &machine->pages,
        .events = &machine->events,
        .log = machine->log,
    };
    if (!machine_irqchip_create(machine, error))
        return false;
    for (size_t i = 0; i < machine->choice_count; i++)
        if (!create(machine, &machine->choices[i], error)) {
            const struct option_request *request = &machine->choices[i].request;

            return request->option || error->code == ERROR_USAGE
                       ? blame(request, error)
                       : error_add_context(error, "cannot create device '%s'", request->name);
        }
    return bus_freeze(&machine->bus, error);
}

struct device *machine_find_device(const struct machine *machine, const char *class_name)
{
    for (size_t i = 0; i < machine->device_count; i++)
        if (strcmp(machine->choices[i].class->name, class_name) == 0)
            return machine->devices[i].device;
    return NULL;
}

void machine_destroy_devices(struct machine *machine)
{
    while (machine->device_count > 0) {
        struct device *device = machine->devices[--machine->device_count].device;

        device->ops->destroy(device);
        release(machine, machine->device_count);
    }
    machine_pages_finish(&machine->pages);
    machine_irqchip_destroy(machine);
}

static bool is_usual(const char *name)
{
    for (size_t i = 0; i < USUAL_DEVICE_COUNT; i++)
        if (strcmp(usual_devices[i], name) == 0)
            return true;
    return false;
}

static void print_class(const struct device_class *class)
{
    const char *there = is_usual(class->name) ? " (in every machine)" : "";

    printf("%-12s %s%s\n", class->name, class->purpose, there);
    for (const struct property_row *row = class->properties; row && row->key; row++)
        printf("    %-12s %s\n", row->key, row->help);
}

bool machine_print_devices(const struct options *options, struct log *log, struct error *error)
{
    struct plugins plugins = {0};
    struct arena arena = {0};
    struct event_hub events = {0};
    struct exit_filters filters = {0};
    const struct plugins_environment environment = {&arena, log, &events, &filters};

    bool good = plugins_load(&plugins, &options->plugins, &environment, error);
    if (good) {
        for (const struct device_class *const *class = builtin_device_classes; *class; class ++)
            print_class(*class);
        for (const struct plugin_class *entry = plugins.classes; entry; entry = entry->next)
            print_class(entry->class);
        good = fflush(stdout) == 0 ||
               error_set(error, ERROR_HOST, errno, "cannot write to standard output");
    }
    plugins_finish(&plugins);
    arena_finish(&arena);
    return good;
}

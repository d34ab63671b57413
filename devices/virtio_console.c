// SPDX-License-Identifier: Apache-2.0
/* The console device (Virtual I/O Device 1.2, 5.3), as a console and as ports with names. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "builtin.h"
#include "virtio_console_internal.h"

/* ---- from outside to the guest ---- */

/* Copies to the ring's end; returns how much there was room for. */
static size_t keep(struct port *port, const uint8_t *bytes, size_t count)
{
    size_t room = PORT_INPUT_BYTES - port->input_count;
    size_t end = (port->input_start + port->input_count) % PORT_INPUT_BYTES;

    if (count > room)
        count = room;
    size_t first = count < PORT_INPUT_BYTES - end ? count : PORT_INPUT_BYTES - end;
    memcpy(port->input + end, bytes, first);
    memcpy(port->input, bytes + first, count - first);
    port->input_count += count;
    return count;
}

static size_t on_input(void *context, const uint8_t *bytes, size_t count)
{
    struct port *port = context;
    size_t taken = 0;

    (void)pthread_mutex_lock(&port->lock);
    if (port->guest_open && !port->host_left)
        taken = keep(port, bytes, count);
    port->input_held = taken < count;
    (void)pthread_mutex_unlock(&port->lock);
    if (taken > 0)
        virtio_ring(&port->serial->virtio);
    return taken;
}

static bool listens(void *context)
{
    struct port *port = context;

    (void)pthread_mutex_lock(&port->lock);
    bool open = port->guest_open;
    (void)pthread_mutex_unlock(&port->lock);
    return open;
}

/* Into the guest's buffer; the ring's bytes are the worker's until they are taken from it. */
static uint32_t fill(struct port *port, const struct virtqueue_chain *chain)
{
    (void)pthread_mutex_lock(&port->lock);
    size_t start = port->input_start;
    size_t count = port->input_count;
    (void)pthread_mutex_unlock(&port->lock);

    if (count > chain->writable_bytes)
        count = (size_t)chain->writable_bytes;
    size_t first = count < PORT_INPUT_BYTES - start ? count : PORT_INPUT_BYTES - start;
    (void)!virtio_copy_to(chain, 0, port->input + start, first);
    (void)!virtio_copy_to(chain, first, port->input, count - first);

    (void)pthread_mutex_lock(&port->lock);
    port->input_start = (start + count) % PORT_INPUT_BYTES;
    port->input_count -= count;
    bool resume = port->input_held && port->input_count <= PORT_INPUT_BYTES / 2;
    port->input_held = port->input_held && !resume;
    (void)pthread_mutex_unlock(&port->lock);
    if (resume)
        console_resume_input(port->console);
    return (uint32_t)count;
}

/* What there is for a guest that has the port open. */
static bool has_input(struct port *port)
{
    (void)pthread_mutex_lock(&port->lock);
    bool any = port->guest_open && port->input_count > 0;
    (void)pthread_mutex_unlock(&port->lock);
    return any;
}

static bool send_input(struct port *port)
{
    struct virtio *virtio = &port->serial->virtio;
    uint32_t queue = VIRTIO_CONSOLE_PORT_RX(port->id);
    bool any = false;

    while (virtio->active[queue] && !virtio_is_wanted(virtio) && has_input(port) &&
           virtio_take(virtio, queue, &virtio->chain)) {
        uint32_t written_bytes = fill(port, &virtio->chain);

        any = true;
        virtio_return(virtio, queue, &virtio->chain, written_bytes);
        serial_count(port->serial, CONSOLE_TO_GUEST, written_bytes);
    }
    virtio_signal(virtio, queue);
    return any;
}

/* ---- from the guest to outside ---- */

static void on_output_ready(void *context)
{
    struct port *port = context;

    virtio_ring(&port->serial->virtio);
}

/* Bytes of a chain's readable part, beginning at `sent`, to the console. False: it is full. */
static bool put_chain(struct port *port, const struct virtqueue_chain *chain)
{
    uint64_t offset = port->sent;

    for (size_t i = 0; i < chain->readable_count; i++) {
        const struct iovec *segment = &chain->segments[i];

        if (offset >= segment->iov_len) {
            offset -= segment->iov_len;
            continue;
        }
        size_t left = segment->iov_len - (size_t)offset;
        (void)pthread_mutex_lock(&port->lock);
        size_t done = console_put_some(port->console, (uint8_t *)segment->iov_base + offset, left);
        (void)pthread_mutex_unlock(&port->lock);
        serial_count(port->serial, CONSOLE_FROM_GUEST, done);
        port->sent += done;
        offset = 0;
        if (done < left)
            return false;
    }
    port->sent = 0;
    return true;
}

/* What doesn't fit is left in the guest's ring, until the console has room. */
static bool take_output(struct port *port)
{
    struct virtio *virtio = &port->serial->virtio;
    uint32_t queue = VIRTIO_CONSOLE_PORT_TX(port->id);
    bool any = false;

    while (virtio->active[queue] && !virtio_is_wanted(virtio) &&
           virtio_take(virtio, queue, &virtio->chain)) {
        if (!put_chain(port, &virtio->chain)) {
            virtqueue_untake(&virtio->queues[queue], virtio->chain.entries);
            serial_count(port->serial, CONSOLE_STALLS, 1);
            break;
        }
        any = true;
        virtio_return(virtio, queue, &virtio->chain, 0);
    }
    virtio_signal(virtio, queue);
    return any;
}

/* ---- who is there ---- */

void port_set_open(struct port *port, bool open)
{
    (void)pthread_mutex_lock(&port->lock);
    bool changed = port->guest_open != open;
    port->guest_open = open;
    port->input_held = port->input_held && !changed;
    (void)pthread_mutex_unlock(&port->lock);
    if (changed)
        console_resume_input(port->console);
}

static void on_peer_changed(void *context, bool present)
{
    struct port *port = context;

    (void)pthread_mutex_lock(&port->lock);
    port->host_present = present;
    port->host_left |= !present;
    (void)pthread_mutex_unlock(&port->lock);
    virtio_ring(&port->serial->virtio);
}

static void on_resized(void *context, uint16_t columns, uint16_t rows)
{
    struct serial *serial = ((struct port *)context)->serial;

    (void)pthread_mutex_lock(&serial->virtio.lock);
    bool changed = serial->config.columns != columns || serial->config.rows != rows;
    serial->config.columns = columns;
    serial->config.rows = rows;
    (void)pthread_mutex_unlock(&serial->virtio.lock);
    if (changed)
        virtio_config_changed(&serial->virtio);
}

/* A character of a driver that has no queues yet, or no time for them (5.3.4). */
static bool write_config(struct virtio *virtio, uint64_t offset, uint8_t byte)
{
    struct serial *serial = container_of(virtio, struct serial, virtio);
    const uint64_t first = offsetof(struct virtio_console_config, emergency_write);

    if (serial->multiport || offset < first || offset >= sizeof(serial->config))
        return false;
    if (offset == first) {
        (void)pthread_mutex_lock(&serial->ports[0].lock);
        (void)console_put(serial->ports[0].console, byte);
        (void)pthread_mutex_unlock(&serial->ports[0].lock);
    }
    return true;
}

/* ---- queues ---- */

static bool serve_once(struct serial *serial)
{
    bool any = serial->multiport && serial_take_control(serial);

    for (size_t i = 0; i < serial->port_count; i++) {
        any |= take_output(&serial->ports[i]);
        any |= send_input(&serial->ports[i]);
    }
    return (serial->multiport && serial_send_control(serial)) || any;
}

static void serial_serve(struct virtio *virtio)
{
    struct serial *serial = container_of(virtio, struct serial, virtio);
    bool more = true;

    /* Without MULTIPORT a driver doesn't say that it listens. */
    if (!serial->multiport)
        port_set_open(&serial->ports[0], virtio->active[VIRTIO_CONSOLE_RX]);
    while (more && !virtio_is_wanted(virtio)) {
        while (serve_once(serial) && !virtio_is_wanted(virtio))
            ;
        for (uint32_t i = 0; i < virtio->queue_count; i++)
            if (virtio->active[i])
                virtqueue_set_notify(&virtio->queues[i], true);
        more = serve_once(serial);
    }
}

/* What waits for the guest waits for the next driver. */
static void serial_reset(struct virtio *virtio)
{
    struct serial *serial = container_of(virtio, struct serial, virtio);

    for (size_t i = 0; i < serial->port_count; i++) {
        struct port *port = &serial->ports[i];

        port->owes_add = port->owes_name = port->ready = port->told_open = false;
        port->sent = 0;
        port_set_open(port, false);
    }
}

/* ---- from create to destroy ---- */

static void serial_destroy(struct virtio *virtio)
{
    struct serial *serial = container_of(virtio, struct serial, virtio);

    for (size_t i = 0; i < serial->port_count; i++)
        (void)pthread_mutex_destroy(&serial->ports[i].lock);
    free(serial);
}

static const struct virtio_model console_model = {
    .name = "virtio-console",
    .id = VIRTIO_ID_CONSOLE,
    .queue_count = VIRTIO_CONSOLE_CONSOLE_QUEUES,
    .serve = serial_serve,
    .reset = serial_reset,
    .write_config = write_config,
    .destroy = serial_destroy,
};

static const struct virtio_model ports_model = {
    .name = "virtio-ports",
    .id = VIRTIO_ID_CONSOLE,
    .queue_count = VIRTIO_MOST_QUEUES, /* or fewer */
    .serve = serial_serve,
    .reset = serial_reset,
    .write_config = write_config,
    .destroy = serial_destroy,
};

static const char *const counter_names[CONSOLE_COUNTERS] = {
    [CONSOLE_FROM_GUEST] = "bytes_from_guest",
    [CONSOLE_TO_GUEST] = "bytes_to_guest",
    [CONSOLE_STALLS] = "stalls",
    [CONSOLE_CONTROL_FROM_GUEST] = "control_from_guest",
    [CONSOLE_CONTROL_TO_GUEST] = "control_to_guest",
    [CONSOLE_BAD_MESSAGES] = "bad_messages",
};

static struct serial *allocate(size_t port_count, struct error *error)
{
    struct serial *serial = calloc(1, sizeof(*serial) + port_count * sizeof(serial->ports[0]));

    if (!serial) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the console device");
        return NULL;
    }
    serial->port_count = port_count;
    for (size_t i = 0; i < port_count; i++) {
        serial->ports[i].serial = serial;
        (void)pthread_mutex_init(&serial->ports[i].lock, NULL); /* cannot fail */
    }
    for (size_t i = 0; i < CONSOLE_COUNTERS; i++)
        serial->counters[i].name = counter_names[i];
    return serial;
}

static bool start(struct serial *serial, const struct virtio_model *model, uint64_t features,
                  const struct device_resources *resources, struct error *error)
{
    struct virtio *virtio = &serial->virtio;

    if (!virtio_init(virtio, model, resources, error))
        return false;
    virtio->offered |= features;
    virtio->config = (const uint8_t *)&serial->config;
    virtio->config_bytes = sizeof(serial->config);
    virtio->device.counters = serial->counters;
    virtio->device.counter_count = CONSOLE_COUNTERS;
    if (serial->multiport)
        virtio->queue_count = VIRTIO_CONSOLE_PORT_TX((uint32_t)serial->port_count) + 1;
    return virtio_start(virtio, error);
}

/* Consoles are attached last: from then on they call. */
static struct device *finish(struct serial *serial, bool started)
{
    if (!started) {
        virtio_finish(&serial->virtio);
        serial_destroy(&serial->virtio);
        return NULL;
    }
    for (size_t i = 0; i < serial->port_count; i++) {
        const struct console_client client = {
            .context = &serial->ports[i],
            .input = on_input,
            .output_ready = on_output_ready,
            .listens = listens,
            .peer_changed = serial->multiport ? on_peer_changed : NULL,
            .resized = serial->multiport ? NULL : on_resized,
        };

        console_attach(serial->ports[i].console, &client);
    }
    return &serial->virtio.device;
}

static struct device *console_create_device(const struct device_resources *resources,
                                            struct error *error)
{
    struct serial *serial = allocate(1, error);

    if (!serial)
        return NULL;
    serial->ports[0].console = resources->console;
    return finish(serial, start(serial, &console_model,
                                VIRTIO_FEATURE(VIRTIO_CONSOLE_F_SIZE) |
                                    VIRTIO_FEATURE(VIRTIO_CONSOLE_F_EMERG_WRITE),
                                resources, error));
}

/* Port 0 is a console to drivers, so there is none. */
static struct device *ports_create(const struct device_resources *resources, struct error *error)
{
    assert(resources->port_count <= PORTS_MOST);
    struct serial *serial = allocate(resources->port_count, error);

    if (!serial)
        return NULL;
    serial->multiport = true;
    serial->config.most_ports = (uint32_t)resources->port_count + 1;
    for (size_t i = 0; i < resources->port_count; i++) {
        serial->ports[i].id = (uint32_t)i + 1;
        serial->ports[i].name = resources->ports[i].name;
        serial->ports[i].console = resources->ports[i].console;
    }
    return finish(serial, start(serial, &ports_model, VIRTIO_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT),
                                resources, error));
}

const struct device_class virtio_console_class = {
    .name = "virtio-console",
    .purpose = "the console as hvc0 (virtio), by --console virtio",
    .create = console_create_device,
};

const struct device_class virtio_ports_class = {
    .name = "virtio-ports",
    .purpose = "streams with names (virtio), by --port",
    .create = ports_create,
};

// SPDX-License-Identifier: Apache-2.0
/* Control messages (Virtual I/O Device 1.2, 5.3.6.2). */
#include <string.h>

#include "virtio_console_internal.h"

enum { MESSAGE_BYTES = sizeof(struct virtio_console_control) + CONSOLE_PORT_NAME_BYTES };

/* ---- from the guest ---- */

static struct port *find_port(struct serial *serial, uint32_t id)
{
    for (size_t i = 0; i < serial->port_count; i++)
        if (serial->ports[i].id == id)
            return &serial->ports[i];
    return NULL;
}

/* False: it makes no sense. */
static bool obey(struct serial *serial, const struct virtio_console_control *control)
{
    struct port *port;

    if (control->event == VIRTIO_CONSOLE_DEVICE_READY) {
        for (size_t i = 0; i < serial->port_count; i++)
            serial->ports[i].owes_add = control->value == 1;
        return true;
    }
    port = find_port(serial, control->port);
    if (!port)
        return false;
    switch (control->event) {
    case VIRTIO_CONSOLE_PORT_READY:
        port->ready = control->value == 1;
        port->owes_name = port->ready;
        port->told_open = false;
        return true;
    case VIRTIO_CONSOLE_PORT_OPEN:
        port_set_open(port, control->value != 0);
        return true;
    default:
        return false;
    }
}

bool serial_take_control(struct serial *serial)
{
    struct virtio *virtio = &serial->virtio;
    bool any = false;

    while (virtio->active[VIRTIO_CONSOLE_CONTROL_TX] && !virtio_is_wanted(virtio) &&
           virtio_take(virtio, VIRTIO_CONSOLE_CONTROL_TX, &virtio->chain)) {
        struct virtio_console_control control;

        any = true;
        serial_count(serial, CONSOLE_CONTROL_FROM_GUEST, 1);
        if (!virtio_copy_from(&virtio->chain, 0, &control, sizeof(control)) ||
            !obey(serial, &control))
            serial_count(serial, CONSOLE_BAD_MESSAGES, 1);
        virtio_return(virtio, VIRTIO_CONSOLE_CONTROL_TX, &virtio->chain, 0);
    }
    virtio_signal(virtio, VIRTIO_CONSOLE_CONTROL_TX);
    return any;
}

/* ---- to the guest ---- */

struct message {
    struct virtio_console_control control;
    const char *name; /* follows it; NULL: nothing does */
};

/*
 * Whether the guest is to hear that somebody has come, or left, which it does once it has all that
 * came from there.
 */
static bool has_news(struct port *port, bool *open)
{
    bool held = false;
    bool news;

    (void)pthread_mutex_lock(&port->lock);
    if (port->host_left && !port->told_open) {
        port->host_left = false;
        held = port->input_held;
        port->input_held = false;
    }
    *open = !port->host_left;
    news = *open ? port->host_present && !port->told_open : port->input_count == 0;
    (void)pthread_mutex_unlock(&port->lock);
    if (held)
        console_resume_input(port->console);
    return news;
}

static bool next_message(struct port *port, struct message *message)
{
    bool open;

    *message = (struct message){.control = {.port = port->id, .value = 1}};
    if (port->owes_add) {
        message->control.event = VIRTIO_CONSOLE_DEVICE_ADD;
        return true;
    }
    if (port->owes_name) {
        message->control.event = VIRTIO_CONSOLE_PORT_NAME;
        message->name = port->name;
        return true;
    }
    if (!port->ready || !has_news(port, &open))
        return false;
    message->control.event = VIRTIO_CONSOLE_PORT_OPEN;
    message->control.value = open;
    return true;
}

static void note_sent(struct port *port, const struct message *message)
{
    switch (message->control.event) {
    case VIRTIO_CONSOLE_DEVICE_ADD:
        port->owes_add = false;
        break;
    case VIRTIO_CONSOLE_PORT_NAME:
        port->owes_name = false;
        break;
    default:
        port->told_open = message->control.value;
        break;
    }
}

/* A buffer that is too small for a message gets none, and the message is lost with it. */
static uint32_t put_message(struct serial *serial, const struct message *message)
{
    uint8_t bytes[MESSAGE_BYTES];
    size_t size_bytes = sizeof(message->control);

    memcpy(bytes, &message->control, size_bytes);
    if (message->name) {
        size_t name_bytes = strnlen(message->name, CONSOLE_PORT_NAME_BYTES - 1);

        memcpy(bytes + size_bytes, message->name, name_bytes);
        size_bytes += name_bytes;
    }
    if (!virtio_copy_to(&serial->virtio.chain, 0, bytes, size_bytes)) {
        serial_count(serial, CONSOLE_BAD_MESSAGES, 1);
        return 0;
    }
    serial_count(serial, CONSOLE_CONTROL_TO_GUEST, 1);
    return (uint32_t)size_bytes;
}

/* All messages for one port. */
static bool send_all(struct serial *serial, struct port *port)
{
    struct virtio *virtio = &serial->virtio;
    struct message message;
    bool any = false;

    while (virtio->active[VIRTIO_CONSOLE_CONTROL_RX] && !virtio_is_wanted(virtio) &&
           next_message(port, &message) &&
           virtio_take(virtio, VIRTIO_CONSOLE_CONTROL_RX, &virtio->chain)) {
        note_sent(port, &message);
        any = true;
        virtio_return(virtio, VIRTIO_CONSOLE_CONTROL_RX, &virtio->chain,
                      put_message(serial, &message));
    }
    return any;
}

bool serial_send_control(struct serial *serial)
{
    bool any = false;

    for (size_t i = 0; i < serial->port_count; i++)
        any |= send_all(serial, &serial->ports[i]);
    virtio_signal(&serial->virtio, VIRTIO_CONSOLE_CONTROL_RX);
    return any;
}

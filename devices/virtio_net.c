// SPDX-License-Identifier: Apache-2.0
/* The network device (Virtual I/O Device 1.2, 5.1) on a link of the host's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "builtin.h"
#include "monotonic_clock.h"
#include "virtio_net_internal.h"

#define RETRY_FIRST_NS UINT64_C(100000000)
#define RETRY_LAST_NS  UINT64_C(10000000000)

enum {
    MTU_LEAST = 68, /* RFC 791 */
    MTU_MOST = 65535,
    HEX_BASE = 16,
    MAC_LOCAL = 2, /* of the first byte: not a vendor's */
    MAC_GROUP = 1, /* ... of no one interface */
};

static const uint64_t TAP_FEATURES =
    VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) |
    VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6) |
    VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4) |
    VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO6) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_ECN);

/* ---- the link ---- */

static void set_link_up(struct net *net, bool up)
{
    __atomic_store_n(&net->config.status, up ? VIRTIO_NET_S_LINK_UP : 0, __ATOMIC_RELAXED);
    virtio_config_changed(&net->virtio);
}

static void retry_later(struct net *net)
{
    uint64_t next_ns = 2 * net->link.backoff_ns;

    event_timer_arm(&net->retry_timer, net->link.backoff_ns);
    net->link.backoff_ns = next_ns < RETRY_LAST_NS ? next_ns : RETRY_LAST_NS;
}

void net_link_lost(struct net *net)
{
    for (uint32_t i = 0; i < NET_MOST_PAIRS; i++)
        net->watched[i] = 0; /* closing takes them out of the epoll set */
    net->send_blocked = false;
    net_count(net, NET_LINK_LOSSES, 1);
    bool again = net_link_hang_up(&net->link);

    log_line(net->virtio.log, LOG_WARNING, "network: %s is gone, so the guest's cable is pulled%s",
             net->link.name, again ? "; it is started again" : "");
    set_link_up(net, false);
    if (!again)
        return;
    if (monotonic_clock_now_ns() - net->link.up_since_ns > RETRY_LAST_NS)
        net->link.backoff_ns = RETRY_FIRST_NS;
    retry_later(net);
}

static void try_again(struct net *net)
{
    struct error error;

    if (net_link_reopen(&net->link, &error)) {
        net->link.up_since_ns = monotonic_clock_now_ns();
        log_line(net->virtio.log, LOG_WARNING, "network: %s is back", net->link.name);
        set_link_up(net, true);
    } else {
        log_line(net->virtio.log, LOG_WARNING, "network: %s", error.message);
        retry_later(net);
    }
}

static void retry_due(struct event_timer *timer)
{
    struct net *net = container_of(timer, struct net, retry_timer);

    atomic_store(&net->retry, true);
    virtio_ring(&net->virtio);
}

static void limit_passed(struct event_timer *timer)
{
    virtio_ring(&container_of(timer, struct net, limit_timer)->virtio);
}

bool net_is_limited(struct net *net, struct rate_limit *limit)
{
    if (!rate_limit_is_set(limit))
        return false;
    uint64_t wait_ns = rate_limit_wait_ns(limit, 0, monotonic_clock_now_ns());

    if (wait_ns > 0 && wait_ns < net->limit_wait_ns)
        net->limit_wait_ns = wait_ns;
    return wait_ns > 0;
}

/* ---- the worker ---- */

static uint32_t control_queue(const struct net *net)
{
    return 2 * (virtio_has(&net->virtio, VIRTIO_NET_F_MQ) ? net->link.pairs : 1);
}

static uint8_t do_command(struct net *net, const struct virtqueue_chain *chain)
{
    struct virtio_net_command command;
    uint16_t pairs = 0;

    if (!virtio_copy_from(chain, 0, &command, sizeof(command)) ||
        command.class != VIRTIO_NET_CTRL_MQ || command.command != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ||
        !virtio_has(&net->virtio, VIRTIO_NET_F_MQ) ||
        !virtio_copy_from(chain, sizeof(command), &pairs, sizeof(pairs)) || pairs == 0 ||
        pairs > net->link.pairs || !net_link_use_pairs(&net->link, pairs))
        return VIRTIO_NET_ERR;
    net->pairs_in_use = pairs;
    return VIRTIO_NET_OK;
}

static bool serve_control(struct net *net)
{
    struct virtio *virtio = &net->virtio;
    uint32_t queue = control_queue(net);
    bool any = false;

    if (!virtio_has(virtio, VIRTIO_NET_F_CTRL_VQ) || !virtio->active[queue])
        return false;
    while (!virtio_is_wanted(virtio) && virtio_take(virtio, queue, &virtio->chain)) {
        uint8_t answer = do_command(net, &virtio->chain);
        bool fits = virtio_copy_to(&virtio->chain, 0, &answer, sizeof(answer));

        virtio_return(virtio, queue, &virtio->chain, fits ? sizeof(answer) : 0);
        any = true;
    }
    if (any)
        virtio_signal(virtio, queue);
    return any;
}

/* What the driver takes upon itself is known once it runs. */
static void make_ready(struct net *net)
{
    const struct virtio *virtio = &net->virtio;
    const struct net_offloads offloads = {
        .checksum = virtio_has(virtio, VIRTIO_NET_F_GUEST_CSUM),
        .tso4 = virtio_has(virtio, VIRTIO_NET_F_GUEST_TSO4),
        .tso6 = virtio_has(virtio, VIRTIO_NET_F_GUEST_TSO6),
        .ecn = virtio_has(virtio, VIRTIO_NET_F_GUEST_ECN),
    };

    net->merges = virtio_has(virtio, VIRTIO_NET_F_MRG_RXBUF);
    net->segments = offloads.tso4 || offloads.tso6;
    if (net_link_is_up(&net->link) && !net_link_set_offloads(&net->link, &offloads) &&
        log_limit_pass(&net->failures))
        log_line(virtio->log, LOG_WARNING, "network: %s refuses the driver's offloads",
                 net->link.name);
    net->ready = true;
}

static bool runs(const struct virtio *virtio)
{
    for (uint32_t i = 0; i < virtio->queue_count; i++)
        if (virtio->active[i])
            return true;
    return false;
}

static void set_send_notify(struct net *net, bool on)
{
    struct virtio *virtio = &net->virtio;

    for (uint32_t i = 0; i < virtio->queue_count; i++)
        if (virtio->active[i] && (i % 2 == 1 || i == control_queue(net)))
            virtqueue_set_notify(&virtio->queues[i], on);
}

static bool pass(struct net *net)
{
    bool any = serve_control(net);

    for (uint32_t i = 0; i < net->pairs_in_use; i++) {
        bool sent = net_send_some(net, i);

        net->receivers[i].dry &= !sent; /* that took time */
        any |= net_receive_some(net, i) || sent;
    }
    return any && !virtio_is_wanted(&net->virtio);
}

/* What is to be looked for of one pair's file. */
static uint32_t events_of(const struct net *net, uint32_t pair)
{
    const struct net_receiver *receiver = &net->receivers[pair];
    bool in = pair < net->pairs_in_use && net->virtio.active[(size_t)2 * pair] &&
              !receiver->starved && !receiver->limited;

    if (!net_link_is_up(&net->link))
        return 0;
    return (in ? EPOLLIN : 0U) | (net->send_blocked ? EPOLLOUT : 0U);
}

static void register_file(struct net *net, uint32_t pair, uint32_t events)
{
    struct epoll_event event = {.events = events};
    int action = net->watched[pair] == 0 ? EPOLL_CTL_ADD
                 : events == 0           ? EPOLL_CTL_DEL
                                         : EPOLL_CTL_MOD;

    if (events != net->watched[pair])
        (void)epoll_ctl(net->epoll, action, net->link.fds[pair], &event);
    net->watched[pair] = events;
}

/* The one file itself while there is no more to look for: that is one step less. */
static void update_watch(struct net *net)
{
    uint32_t events = events_of(net, 0);

    if (net->link.pairs == 1 && events != (EPOLLIN | EPOLLOUT) && events != EPOLLOUT) {
        net->virtio.watch = events == EPOLLIN ? net->link.fds[0] : VIRTIO_NO_FILE;
        return;
    }
    for (uint32_t i = 0; i < net->link.pairs; i++)
        register_file(net, i, events_of(net, i));
    net->virtio.watch = net->epoll;
}

static void net_serve(struct virtio *virtio)
{
    struct net *net = net_of(virtio);

    if (atomic_exchange(&net->retry, false) && !net_link_is_up(&net->link))
        try_again(net);
    if (!net->ready && runs(virtio))
        make_ready(net);
    net->limit_wait_ns = UINT64_MAX;
    for (uint32_t i = 0; i < net->link.pairs; i++)
        net->receivers[i].dry = false;
    do {
        set_send_notify(net, false);
        while (pass(net))
            ;
        set_send_notify(net, true);
    } while (pass(net));
    update_watch(net);
    if (net->limit_wait_ns != UINT64_MAX) {
        net_count(net, NET_LIMITED, 1);
        event_timer_arm(&net->limit_timer, net->limit_wait_ns);
    }
}

static void net_settle(struct virtio *virtio)
{
    struct net *net = net_of(virtio);

    for (uint32_t i = 0; i < net->link.pairs; i++)
        net_unlend(net, i);
}

static void net_reset(struct virtio *virtio)
{
    struct net *net = net_of(virtio);

    for (uint32_t i = 0; i < net->link.pairs; i++) {
        net_forget_lent(net, i);
        net->receivers[i].most = 0;
    }
    net->ready = false;
    net->pairs_in_use = 1;
    (void)net_link_use_pairs(&net->link, 1);
}

/* ---- with vhost ---- */

static void vhost_serve(struct virtio *virtio)
{
    struct net *net = net_of(virtio);
    uint32_t control = control_queue(net);

    virtio_vhost_serve(&net->vhost.events);
    do {
        if (virtio->active[control])
            virtqueue_set_notify(&virtio->queues[control], true);
    } while (serve_control(net));
}

static void vhost_start(struct virtio *virtio)
{
    make_ready(net_of(virtio));
    net_vhost_start(&net_of(virtio)->vhost);
}

static void vhost_stop(struct virtio *virtio, uint32_t queue)
{
    net_vhost_stop(&net_of(virtio)->vhost, queue);
}

/* ---- from create to destroy ---- */

static void net_destroy(struct virtio *virtio)
{
    struct net *net = net_of(virtio);

    if (net->has_vhost)
        net_vhost_finish(&net->vhost);
    event_timer_finish(&net->limit_timer);
    event_timer_finish(&net->retry_timer);
    net_link_close(&net->link);
    if (net->epoll != NET_NO_FILE)
        (void)close(net->epoll);
    free(net);
}

static const struct virtio_model net_model = {
    .name = "virtio-net",
    .id = VIRTIO_ID_NET,
    .queue_count = 2, /* unless queues= says more */
    .serve = net_serve,
    .settle = net_settle,
    .reset = net_reset,
    .destroy = net_destroy,
};

static const struct virtio_model net_vhost_model = {
    .name = "virtio-net",
    .id = VIRTIO_ID_NET,
    .queue_count = 2, /* unless queues= says more */
    .serve = vhost_serve,
    .start = vhost_start,
    .stop = vhost_stop,
    .reset = net_reset,
    .destroy = net_destroy,
};

struct properties {
    struct net_link_config link;
    const char *mac;
    const char *forward; /* the link looks for each of them */
    const char *vhost;   /* on, off or auto */
    struct rate_limit_config limit;
};

static const struct property_row rows[] = {
    {"user", PROPERTY_FLAG, offsetof(struct properties, link.user), 0, 0,
     "by passt, without privileges"},
    {"tap", PROPERTY_TEXT, offsetof(struct properties, link.tap), 0, 0,
     "by this TAP interface of the host's"},
    {"fd", PROPERTY_NUMBER, offsetof(struct properties, link.fd), STDERR_FILENO + 1, INT32_MAX,
     "by a TAP or a socket that armlet inherits"},
    {"host", PROPERTY_TEXT, offsetof(struct properties, link.host), 0, 0,
     "user: the address that the guest knows the host by"},
    {"forward", PROPERTY_TEXT, offsetof(struct properties, forward), 0, 0,
     "user: tcp:8080:80 or udp:...: a port of the host's to one of the guest's"},
    {"mac", PROPERTY_TEXT, offsetof(struct properties, mac), 0, 0,
     "the guest's address, as 02:00:00:00:00:01 (random)"},
    {"mtu", PROPERTY_NUMBER, offsetof(struct properties, link.mtu), MTU_LEAST, MTU_MOST,
     "bytes of the longest packet"},
    {"queues", PROPERTY_NUMBER, offsetof(struct properties, link.pairs), 1, NET_MOST_PAIRS,
     "tap: pairs of queues (1)"},
    {"vhost", PROPERTY_TEXT, offsetof(struct properties, vhost), 0, 0,
     "tap: on, off or auto: the host's kernel moves the frames (auto)"},
    RATE_LIMIT_PROPERTY_ROWS(struct properties, limit),
    {0},
};

static bool bad_mac(const char *text, struct error *error)
{
    return error_set(error, ERROR_USAGE, 0,
                     "mac=%s: must be 6 bytes as 02:00:00:00:00:01, the first of them even", text);
}

static bool take_mac(const char *text, uint8_t mac[VIRTIO_NET_MAC_BYTES], struct error *error)
{
    const char *rest = text;

    for (size_t i = 0; i < VIRTIO_NET_MAC_BYTES; i++) {
        char *end = NULL;
        unsigned long byte = strtoul(rest, &end, HEX_BASE);

        if (end != rest + 2 || *rest == '+' || *rest == '-' || *rest == ' ' || byte > UINT8_MAX ||
            *end != (i + 1 < VIRTIO_NET_MAC_BYTES ? ':' : '\0'))
            return bad_mac(text, error);
        mac[i] = (uint8_t)byte;
        rest = end + 1;
    }
    return !(mac[0] & MAC_GROUP) || bad_mac(text, error);
}

static bool make_mac(uint8_t mac[VIRTIO_NET_MAC_BYTES], struct error *error)
{
    if (getrandom(mac, VIRTIO_NET_MAC_BYTES, 0) != VIRTIO_NET_MAC_BYTES)
        return error_set(error, ERROR_HOST, errno, "cannot make up a MAC address");
    mac[0] = (uint8_t)((mac[0] & ~MAC_GROUP) | MAC_LOCAL);
    return true;
}

static void offer(struct net *net)
{
    struct virtio *virtio = &net->virtio;

    virtio->config = (const uint8_t *)&net->config;
    virtio->config_bytes = VIRTIO_NET_CONFIG_BYTES;
    virtio->offered |= VIRTIO_FEATURE(VIRTIO_NET_F_MAC) | VIRTIO_FEATURE(VIRTIO_NET_F_STATUS) |
                       VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF);
    if (net->link.header)
        virtio->offered |= TAP_FEATURES;
    if (net->config.mtu)
        virtio->offered |= VIRTIO_FEATURE(VIRTIO_NET_F_MTU);
    virtio->queue_count = 2 * net->link.pairs;
    if (net->link.pairs > 1) {
        virtio->queue_count++;
        virtio->offered |= VIRTIO_FEATURE(VIRTIO_NET_F_MQ) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ);
    }
}

static bool create_limits(struct net *net, const struct rate_limit_config *config,
                          struct event_loop *loop, struct error *error)
{
    uint64_t now_ns = monotonic_clock_now_ns();

    return rate_limit_init(&net->send_limit, config, now_ns, error) &&
           rate_limit_init(&net->receive_limit, config, now_ns, error) &&
           (!rate_limit_is_set(&net->send_limit) ||
            event_timer_init(&net->limit_timer, loop, limit_passed, net, error));
}

static bool is_vhost(const struct properties *properties, const char *state)
{
    return properties->vhost && strcmp(properties->vhost, state) == 0;
}

/* Before anything of the host's is opened. */
static bool check_vhost(const struct net *net, const struct properties *properties,
                        struct error *error)
{
    if (!properties->vhost || is_vhost(properties, "off") || is_vhost(properties, "auto"))
        return true;
    if (!is_vhost(properties, "on"))
        return error_set(error, ERROR_USAGE, 0, "vhost=%s: must be on, off or auto",
                         properties->vhost);
    if (properties->link.user)
        return error_set(error, ERROR_USAGE, 0, "vhost=on: goes with a TAP, and not with user");
    if (rate_limit_is_set(&net->send_limit))
        return error_set(error, ERROR_USAGE, 0,
                         "vhost=on: goes without bandwidth= and operations=");
    return true;
}

/*
 * By itself only what changes nothing for the operator: the kernel moves frames without counting
 * or limiting them.
 */
static bool choose_vhost(struct net *net, const struct properties *properties, struct error *error)
{
    bool must = is_vhost(properties, "on");
    bool can = net->link.kind == NET_LINK_TAP && net->link.header;

    if (must && !can)
        return error_set(error, ERROR_USAGE, 0, "vhost=on: goes with a TAP with virtio's headers");
    if (!can || is_vhost(properties, "off") || rate_limit_is_set(&net->send_limit))
        return true;
    net->has_vhost = net_vhost_init(&net->vhost, &net->virtio, &net->link, error);
    if (net->has_vhost)
        net->virtio.model = &net_vhost_model;
    else if (!must)
        log_line(net->virtio.log, LOG_DEBUG, "network: %s: %s", net->link.name, error->message);
    return net->has_vhost || !must;
}

static bool set_up(struct net *net, const struct device_resources *resources, struct error *error)
{
    struct properties properties = {.link = {.fd = NET_NO_FD, .pairs = 1}};

    if (!property_list_read(&resources->properties, rows, &properties, error) ||
        !(properties.mac ? take_mac(properties.mac, net->config.mac, error)
                         : make_mac(net->config.mac, error)) ||
        !create_limits(net, &properties.limit, resources->loop, error) ||
        !check_vhost(net, &properties, error))
        return false;
    net->link_config = properties.link;
    net->link_config.properties = resources->properties;
    net->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (net->epoll < 0)
        return error_set(error, ERROR_HOST, errno, "epoll_create1 failed");
    if (!net_link_open(&net->link, &net->link_config, error) ||
        (properties.link.user &&
         !event_timer_init(&net->retry_timer, resources->loop, retry_due, net, error)))
        return false;
    net->config.status = VIRTIO_NET_S_LINK_UP;
    net->config.queue_pairs_max = (uint16_t)net->link.pairs;
    net->config.mtu = (uint16_t)properties.link.mtu;
    net->link.backoff_ns = RETRY_FIRST_NS;
    net->link.up_since_ns = monotonic_clock_now_ns();
    net->pairs_in_use = 1;
    offer(net);
    return choose_vhost(net, &properties, error) && virtio_start(&net->virtio, error);
}

static void name_counters(struct net *net)
{
    static const char *const names[NET_COUNTERS] = {
        [NET_SENT] = "frames_sent",         [NET_SENT_BYTES] = "sent_bytes",
        [NET_RECEIVED] = "frames_received", [NET_RECEIVED_BYTES] = "received_bytes",
        [NET_SEND_DROPS] = "send_drops",    [NET_RECEIVE_DROPS] = "receive_drops",
        [NET_LIMITED] = "limited",          [NET_LINK_LOSSES] = "link_losses",
    };

    for (size_t i = 0; i < NET_COUNTERS; i++)
        net->counters[i].name = names[i];
    net->virtio.device.counters = net->counters;
    net->virtio.device.counter_count = net->has_vhost ? 0 : NET_COUNTERS;
}

static struct device *net_create(const struct device_resources *resources, struct error *error)
{
    struct net *net = calloc(1, sizeof(*net));

    if (!net) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a network device");
        return NULL;
    }
    net->epoll = NET_NO_FILE;
    if (virtio_init(&net->virtio, &net_model, resources, error) && set_up(net, resources, error)) {
        name_counters(net);
        return &net->virtio.device;
    }
    virtio_finish(&net->virtio);
    net_destroy(&net->virtio);
    return NULL;
}

const struct device_class virtio_net_class = {
    .name = "virtio-net",
    .purpose = "a network (virtio); also --net",
    .properties = rows,
    .create = net_create,
};

// SPDX-License-Identifier: Apache-2.0
#include "vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ioctl() with the request's name for errors. */
#define CALL(vhost, request, argument, error) call(vhost, request, #request, argument, error)

static bool call(const struct vhost *vhost, unsigned long request, const char *name,
                 const void *argument, struct error *error)
{
    return ioctl(vhost->fd, request, argument) >= 0 ||
           error_set(error, ERROR_HOST, errno, "%s on %s failed", name, vhost->name);
}

/* The module is called as the file is, with another dash. */
static bool explain_open(const char *path, int code, struct error *error)
{
    bool net = strcmp(path, VHOST_NET_PATH) == 0;

    if (code == ENOENT || code == ENODEV || code == ENXIO)
        return error_set(error, ERROR_HOST, code, "cannot open %s (load the module '%s')", path,
                         net ? "vhost_net" : "vhost_vsock");
    if (code == EACCES || code == EPERM)
        return error_set(error, ERROR_HOST, code,
                         "cannot open %s (its group, often 'kvm', has to have this user)", path);
    return error_set(error, ERROR_HOST, code, "cannot open %s", path);
}

bool vhost_open(struct vhost *vhost, const char *path, struct error *error)
{
    *vhost = (struct vhost){.name = path, .fd = open(path, O_RDWR | O_CLOEXEC)};
    if (vhost->fd < 0)
        return explain_open(path, errno, error);
    if (CALL(vhost, VHOST_SET_OWNER, NULL, error) &&
        CALL(vhost, VHOST_GET_FEATURES, &vhost->features, error))
        return true;
    vhost_close(vhost);
    return false;
}

void vhost_close(struct vhost *vhost)
{
    if (vhost->fd != VHOST_NO_FILE)
        (void)close(vhost->fd);
    vhost->fd = VHOST_NO_FILE;
}

bool vhost_set_memory(const struct vhost *vhost, const struct guest_memory *memory,
                      struct error *error)
{
    /* A table of one region, which is behind its head. */
    union {
        struct vhost_memory table;
        char place[sizeof(struct vhost_memory) + sizeof(struct vhost_memory_region)];
    } request = {.table = {.nregions = 1}};

    request.table.regions[0] = (struct vhost_memory_region){
        .guest_phys_addr = memory->base.value,
        .memory_size = memory->size_bytes,
        .userspace_addr = (uintptr_t)memory->host,
    };
    return CALL(vhost, VHOST_SET_MEM_TABLE, &request, error);
}

bool vhost_set_features(const struct vhost *vhost, uint64_t features, struct error *error)
{
    const uint64_t possible = features & vhost->features;

    return CALL(vhost, VHOST_SET_FEATURES, &possible, error);
}

bool vhost_give_ring(const struct vhost *vhost, const struct vhost_ring *ring, struct error *error)
{
    const struct virtqueue *queue = ring->queue;
    const struct vhost_vring_state size = {ring->index, queue->entries};
    const struct vhost_vring_state base = {ring->index, 0};
    const struct vhost_vring_addr place = {
        .index = ring->index,
        .desc_user_addr = (uintptr_t)queue->descriptors,
        .avail_user_addr = (uintptr_t)queue->driver_area,
        .used_user_addr = (uintptr_t)queue->device_area,
    };
    const struct vhost_vring_file kick = {ring->index, ring->kick};
    const struct vhost_vring_file called = {ring->index, ring->call};
    const struct vhost_vring_file broken = {ring->index, ring->error};

    return CALL(vhost, VHOST_SET_VRING_NUM, &size, error) &&
           CALL(vhost, VHOST_SET_VRING_BASE, &base, error) &&
           CALL(vhost, VHOST_SET_VRING_ADDR, &place, error) &&
           CALL(vhost, VHOST_SET_VRING_CALL, &called, error) &&
           CALL(vhost, VHOST_SET_VRING_ERR, &broken, error) &&
           CALL(vhost, VHOST_SET_VRING_KICK, &kick, error);
}

bool vhost_take_ring(const struct vhost *vhost, uint32_t index, struct error *error)
{
    struct vhost_vring_state base = {.index = index};
    const struct vhost_vring_file kick = {index, VHOST_NO_FILE};

    return CALL(vhost, VHOST_GET_VRING_BASE, &base, error) &&
           CALL(vhost, VHOST_SET_VRING_KICK, &kick, error);
}

bool vhost_net_set_tap(const struct vhost *vhost, uint32_t index, int tap_fd, struct error *error)
{
    const struct vhost_vring_file file = {index, tap_fd};

    return CALL(vhost, VHOST_NET_SET_BACKEND, &file, error);
}

bool vhost_vsock_set_cid(const struct vhost *vhost, uint64_t cid, struct error *error)
{
    if (ioctl(vhost->fd, VHOST_VSOCK_SET_GUEST_CID, &cid) == 0)
        return true;
    if (errno == EADDRINUSE)
        return error_set(error, ERROR_HOST, errno, "cid=%u is another guest's on this host",
                         (unsigned)cid);
    return error_set(error, ERROR_HOST, errno, "VHOST_VSOCK_SET_GUEST_CID on %s failed",
                     vhost->name);
}

bool vhost_vsock_set_running(const struct vhost *vhost, bool on, struct error *error)
{
    const int running = on;

    return CALL(vhost, VHOST_VSOCK_SET_RUNNING, &running, error);
}

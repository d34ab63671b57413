// SPDX-License-Identifier: Apache-2.0
#include "fake_vhost.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <net/if.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char DEVICES[] = "/dev/vhost-";
static const char TUN[] = "/dev/net/";

struct fake_vhost fake_vhost;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

void fake_vhost_init(void)
{
    fake_vhost = (struct fake_vhost){0};
    for (int i = 0; i < FAKE_VHOST_RINGS; i++)
        fake_vhost.rings[i] =
            (struct fake_vhost_ring){.kick = -1, .call = -1, .error = -1, .tap = -1};
}

void fake_vhost_signal(int event_fd)
{
    const uint64_t one = 1;

    ck_assert_int_eq(write(event_fd, &one, sizeof(one)), sizeof(one));
}

bool fake_vhost_was_signalled(int event_fd)
{
    uint64_t count;

    return read(event_fd, &count, sizeof(count)) == sizeof(count);
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list list;

    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    if (strncmp(path, TUN, strlen(TUN)) == 0)
        return eventfd(0, EFD_CLOEXEC);
    if (strncmp(path, DEVICES, strlen(DEVICES)) != 0)
        return __real_open(path, flags, mode);
    errno = fake_vhost.open_errno;
    fake_vhost.opened += errno == 0;
    return errno ? -1 : eventfd(0, EFD_CLOEXEC);
}

static struct fake_vhost_ring *ring(unsigned index)
{
    ck_assert_uint_lt(index, FAKE_VHOST_RINGS);
    return &fake_vhost.rings[index];
}

static bool set_file(unsigned long request, const struct vhost_vring_file *file)
{
    switch (request) {
    case VHOST_SET_VRING_KICK:
        ring(file->index)->kick = file->fd;
        return true;
    case VHOST_SET_VRING_CALL:
        ring(file->index)->call = file->fd;
        return true;
    case VHOST_SET_VRING_ERR:
        ring(file->index)->error = file->fd;
        return true;
    case VHOST_NET_SET_BACKEND:
        fake_vhost.starts += file->fd >= 0;
        fake_vhost.stops += file->fd < 0;
        ring(file->index)->tap = file->fd;
        return true;
    default:
        return false;
    }
}

static bool set_state(unsigned long request, struct vhost_vring_state *state)
{
    switch (request) {
    case VHOST_SET_VRING_NUM:
        ring(state->index)->entries = state->num;
        return true;
    case VHOST_SET_VRING_BASE:
        ck_assert_uint_eq(state->num, 0);
        return true;
    case VHOST_GET_VRING_BASE:
        fake_vhost.taken++;
        state->num = 0;
        return true;
    default:
        return false;
    }
}

static void set_device(unsigned long request, void *argument)
{
    const struct vhost_memory *memory = argument;
    const struct vhost_vring_addr *place = argument;

    if (request == VHOST_SET_OWNER) {
        fake_vhost.owned++;
    } else if (request == VHOST_GET_FEATURES) {
        *(uint64_t *)argument = fake_vhost.features;
    } else if (request == VHOST_SET_FEATURES) {
        fake_vhost.set_features = *(uint64_t *)argument;
    } else if (request == VHOST_SET_MEM_TABLE) {
        ck_assert_uint_eq(memory->nregions, 1);
        fake_vhost.memories++;
        fake_vhost.memory_bytes = memory->regions[0].memory_size;
    } else if (request == VHOST_SET_VRING_ADDR) {
        ring(place->index)->descriptors = (const void *)(uintptr_t)place->desc_user_addr;
    } else if (request == VHOST_VSOCK_SET_GUEST_CID) {
        fake_vhost.cid = *(uint64_t *)argument;
    } else if (request == VHOST_VSOCK_SET_RUNNING) {
        fake_vhost.running = *(int *)argument;
        fake_vhost.starts += fake_vhost.running;
        fake_vhost.stops += !fake_vhost.running;
    } else {
        ck_abort_msg("an unknown request of vhost");
    }
}

static int tun(unsigned long request, const void *argument)
{
    const struct ifreq *queue = argument;

    if (request == TUNSETOFFLOAD)
        fake_vhost.offloads = (unsigned)(uintptr_t)argument;
    if (request == TUNSETIFF)
        fake_vhost.attached++;
    if (request == TUNSETQUEUE)
        fake_vhost.attached += queue->ifr_flags & IFF_ATTACH_QUEUE ? 1U : -1U;
    return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list list;

    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (_IOC_TYPE(request) == _IOC_TYPE(TUNSETIFF) && request != TUNGETIFF)
        return tun(request, argument);
    if (_IOC_TYPE(request) != VHOST_VIRTIO)
        return __real_ioctl(fd, request, argument);
    fake_vhost.calls++;
    if (fake_vhost.fail > 0 && --fake_vhost.fail == 0) {
        errno = fake_vhost.fail_errno;
        return -1;
    }
    if (!set_file(request, argument) && !set_state(request, argument))
        set_device(request, argument);
    return 0;
}

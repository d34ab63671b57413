// SPDX-License-Identifier: Apache-2.0
#include "kvm_sys.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int kvm_sys_open(const char *path)
{
    return open(path, O_RDWR | O_CLOEXEC);
}

int kvm_sys_ioctl(int fd, unsigned long request, uintptr_t argument)
{
    return ioctl(fd, request, argument);
}

void *kvm_sys_map(int fd, size_t size_bytes)
{
    void *address = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (address == MAP_FAILED)
        return NULL;
    /* A child of ours (guardian.h) would keep the VM alive. */
    (void)madvise(address, size_bytes, MADV_DONTFORK);
    return address;
}

void kvm_sys_unmap(void *address, size_t size_bytes)
{
    (void)munmap(address, size_bytes);
}

void kvm_sys_close(int fd)
{
    (void)close(fd);
}

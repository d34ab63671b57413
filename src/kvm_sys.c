// SPDX-License-Identifier: Apache-2.0
#include "kvm_sys.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int kvm_sys_open(const char *path)
{
    return open(path, O_RDWR | O_CLOEXEC);
}

int kvm_sys_ioctl(int fd, unsigned long request, uintptr_t argument)
{
    return ioctl(fd, request, argument);
}

/*
 * ioctl(2) by hand: what C libraries put around it is a tenth of our part of an exit. Not
 * instrumented: the call that counts a line would change the registers between the two of them.
 */
__attribute__((no_profile_instrument_function)) int kvm_sys_run(int fd)
{
    register long result __asm__("x0") = fd;
    register unsigned long request __asm__("x1") = KVM_RUN;
    register unsigned long argument __asm__("x2") = 0;
    register long number __asm__("x8") = __NR_ioctl;

    __asm__ volatile("svc #0" : "+r"(result) : "r"(request), "r"(argument), "r"(number) : "memory");
    return (int)result;
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

ssize_t kvm_sys_read(int fd, void *bytes, size_t count, uint64_t offset)
{
    return pread(fd, bytes, count, (off_t)offset);
}

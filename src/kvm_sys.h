// SPDX-License-Identifier: Apache-2.0
/*
 * The seam to the kernel: the only calls that reach KVM's files.
 *
 * kvm_sys.c passes them on; unit tests link a fake instead, which plays a KVM on any machine and
 * makes each call fail in turn. Results and errno are those of the system calls. Any thread.
 */
#ifndef ARMLET_SRC_KVM_SYS_H
#define ARMLET_SRC_KVM_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int kvm_sys_open(const char *path);
int kvm_sys_ioctl(int fd, unsigned long request, uintptr_t argument);
/* KVM_RUN. 0, or -errno: errno itself is left alone. */
int kvm_sys_run(int fd);
/* Maps a vCPU's struct kvm_run; NULL on failure. */
void *kvm_sys_map(int fd, size_t size_bytes);
void kvm_sys_unmap(void *address, size_t size_bytes);
void kvm_sys_close(int fd);
/* pread(2), of the file that KVM_GET_STATS_FD gives. */
ssize_t kvm_sys_read(int fd, void *bytes, size_t count, uint64_t offset);

#endif

// SPDX-License-Identifier: Apache-2.0
/*
 * Exits that need not happen: parts of the guest's address space that KVM handles by itself, and
 * interrupts that it raises by itself (Documentation/virt/kvm/api.rst: KVM_IOEVENTFD, KVM_IRQFD,
 * KVM_REGISTER_COALESCED_MMIO, KVM_MEM_READONLY).
 *
 * All of it belongs to one VM and is gone with it: whoever wants it adds it after each power-on.
 * The host may lack any of them; vm_can() says so, and an access then exits as any other does.
 * vm_page_init(): the I/O thread, before the run. The rest: any thread, calls about one object
 * ordered by its owner.
 */
#ifndef ARMLET_SRC_VM_REGIONS_H
#define ARMLET_SRC_VM_REGIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/access.h"
#include "armlet/error.h"
#include "armlet/gpa.h"
#include "vm.h"

enum vm_ability {
    VM_CAN_IOEVENTFD,
    VM_CAN_IRQFD, /* only with a GIC in the kernel: the caller knows which one there is */
    VM_CAN_COALESCE,
    VM_CAN_READONLY_PAGE, /* and the host's pages are of 4 KiB */
};

bool vm_can(const struct vm *vm, enum vm_ability ability);

enum { VM_PAGE_BYTES = 4096 };

/* A write that becomes a signal on an eventfd instead of an exit. */
struct vm_doorbell {
    gpa_t address;
    enum access_width width; /* writes of another width exit */
    bool match;              /* only writes of `value` ring, others exit */
    uint64_t value;
    int event_fd;
};

bool vm_add_ioeventfd(const struct vm *vm, const struct vm_doorbell *doorbell,
                      struct error *error) WARN_UNUSED;
/* Takes away one that was added, with the same fields. */
bool vm_remove_ioeventfd(const struct vm *vm, const struct vm_doorbell *doorbell,
                         struct error *error) WARN_UNUSED;

enum { VM_NO_RESAMPLE = -1 };

/*
 * Each signal on event_fd raises the SPI with this INTID and lowers it at once, as an edge. With a
 * resample_fd the SPI stays raised until the guest deactivates it; that is signalled on
 * resample_fd, and the owner signals event_fd again if its device still wants attention. After
 * the vGIC is initialised.
 */
bool vm_add_irqfd(const struct vm *vm, uint32_t intid, int event_fd, int resample_fd,
                  struct error *error) WARN_UNUSED;

/*
 * Writes that lie in [address, address + size_bytes) go to the VM's ring (coalesced.h) and exit
 * only when that is full; `on` false: they exit again, what is in the ring stays there. Before the
 * first use coalesced_attach().
 */
bool vm_set_coalesced(const struct vm *vm, gpa_t address, uint32_t size_bytes, bool on,
                      struct error *error) WARN_UNUSED;

/* A page of the host's memory that guests read without an exit while it is present; writes exit. */
struct vm_page {
    gpa_t base;
    void *host; /* VM_PAGE_BYTES, page aligned; outlives the VM */
    uint32_t slot;
    bool present;
};

/* Sets a memory slot aside; the page isn't present yet. */
void vm_page_init(struct vm *vm, struct vm_page *page, gpa_t base, void *host);
/*
 * Makes the page come or go, while vCPUs run: once it is gone, no access is under way that doesn't
 * exit. Nothing happens if the page is as asked already. On failure it stays as it was.
 */
bool vm_page_set_present(const struct vm *vm, struct vm_page *page, bool present,
                         struct error *error) WARN_UNUSED;

#endif

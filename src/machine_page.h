// SPDX-License-Identifier: Apache-2.0
/*
 * Pages that guests read registers from without an exit: of one device, or of several whose
 * registers lie in the same 4 KiB. A shared one is there while any of its devices wants it; then
 * all of them are read from it, so that each keeps its part true from create on.
 *
 * machine_page_want() and machine_page_changed(): any thread. The rest: the I/O thread, while no
 * vCPU runs.
 */
#ifndef ARMLET_SRC_MACHINE_PAGE_H
#define ARMLET_SRC_MACHINE_PAGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "armlet/error.h"
#include "armlet/gpa.h"
#include "vm.h"
#include "vm_regions.h"

struct machine_page {
    gpa_t base;
    void *memory;         /* NULL: not made yet */
    pthread_mutex_t lock; /* guards vm_page and wanted_by */
    struct vm_page vm_page;
    size_t wanted_by;     /* devices */
    bool has_slot;        /* in the VM there is */
    _Atomic bool present; /* or about to be: guests may read it */
};

void machine_page_init(struct machine_page *page, gpa_t base);
/* Allowed on zeroed memory. */
void machine_page_finish(struct machine_page *page);

/* Its memory, zeros at first; NULL if the host has none. */
void *machine_page_memory(struct machine_page *page);

/* There is a new VM; and: it goes, and nobody wants the page any more. Both allowed again. */
void machine_page_attach(struct machine_page *page, struct vm *vm);
void machine_page_forget(struct machine_page *page);

/*
 * One device more, or one less, wants guests to read the page. On failure all is as it was. There
 * is memory and a VM.
 */
bool machine_page_want(struct machine_page *page, const struct vm *vm, bool wanted,
                       struct error *error) WARN_UNUSED;

/* After a part of the memory was written: see device_regions_page_changed(). */
void machine_page_changed(const struct machine_page *page, size_t offset, size_t size_bytes);

/* Those that devices share, made as they are asked for. */
enum { MACHINE_SHARED_PAGES = 4 };

struct machine_pages {
    struct machine_page items[MACHINE_SHARED_PAGES];
    size_t count;
};

/* The one with this address in it. */
struct machine_page *machine_pages_at(struct machine_pages *pages, gpa_t address);
void machine_pages_finish(struct machine_pages *pages);

#endif

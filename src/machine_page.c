// SPDX-License-Identifier: Apache-2.0
#include "machine_page.h"

#include <assert.h>
#include <sys/mman.h>

#include "data_cache.h"

void machine_page_init(struct machine_page *page, gpa_t base)
{
    *page = (struct machine_page){.base = base};
    (void)pthread_mutex_init(&page->lock, NULL); /* cannot fail with default attributes */
}

void machine_page_finish(struct machine_page *page)
{
    if (page->memory)
        (void)munmap(page->memory, VM_PAGE_BYTES);
    page->memory = NULL;
    (void)pthread_mutex_destroy(&page->lock);
}

void *machine_page_memory(struct machine_page *page)
{
    if (!page->memory) {
        void *memory =
            mmap(NULL, VM_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
            return NULL;
        /* A child that shared it would have the guest see a copy. */
        (void)madvise(memory, VM_PAGE_BYTES, MADV_DONTFORK);
        page->memory = memory;
    }
    return page->memory;
}

void machine_page_attach(struct machine_page *page, struct vm *vm)
{
    if (!page->has_slot)
        vm_page_init(vm, &page->vm_page, page->base, NULL);
    page->has_slot = true;
}

void machine_page_forget(struct machine_page *page)
{
    page->has_slot = false;
    page->wanted_by = 0;
    page->vm_page.present = false;
    atomic_store(&page->present, false);
}

/*
 * `present` comes before the guest can read, and goes after: who has written meanwhile, and didn't
 * see it, did so before KVM maps the page, which cleans the caches.
 */
bool machine_page_want(struct machine_page *page, const struct vm *vm, bool wanted,
                       struct error *error)
{
    bool good = true;

    assert(page->memory && page->has_slot);
    (void)pthread_mutex_lock(&page->lock);
    assert(wanted || page->wanted_by > 0);
    if (page->wanted_by == (wanted ? 0 : 1)) {
        page->vm_page.host = page->memory;
        atomic_store(&page->present, true);
        good = vm_page_set_present(vm, &page->vm_page, wanted, error);
        atomic_store(&page->present, page->vm_page.present);
    }
    if (good)
        page->wanted_by += wanted ? 1 : (size_t)-1;
    (void)pthread_mutex_unlock(&page->lock);
    return good;
}

void machine_page_changed(const struct machine_page *page, size_t offset, size_t size_bytes)
{
    if (atomic_load(&page->present))
        data_cache_clean((const char *)page->memory + offset, size_bytes);
}

struct machine_page *machine_pages_at(struct machine_pages *pages, gpa_t address)
{
    gpa_t base = GPA(address.value & ~(uint64_t)(VM_PAGE_BYTES - 1));

    for (size_t i = 0; i < pages->count; i++)
        if (pages->items[i].base.value == base.value)
            return &pages->items[i];
    assert(pages->count < MACHINE_SHARED_PAGES);
    machine_page_init(&pages->items[pages->count], base);
    return &pages->items[pages->count++];
}

void machine_pages_finish(struct machine_pages *pages)
{
    while (pages->count > 0)
        machine_page_finish(&pages->items[--pages->count]);
}

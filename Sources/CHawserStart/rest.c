// SPDX-License-Identifier: Apache-2.0
//
// How a process that only waits gives back the pages of its program that it could make again
// (docs/decisions/0011-resting.md).
//
// A program that can lie anywhere is full of addresses, which the dynamic linker writes when the
// program starts: that makes pages of the file the process's own, most of them never looked at again.
// Such a page is the file's plus the program's base at the places that DT_RELR lists. Here each is
// compared with just that; where it is equal, nothing is lost when it goes, and after the wait it is
// made again in the same way.
//
// In between no code runs that might read one: this is C because of that, and signals wait.

#define _GNU_SOURCE

#include "include/rest.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/single_threaded.h>
#include <unistd.h>

enum {
    most_entries = 16,
    most_pages = 512,        // 2 MiB of 4 KiB pages: four times what the programs have
    most_page_bytes = 16384, // larger pages are left alone
    bits = 8 * sizeof(uintptr_t),
};

#if defined(DT_RELR) && defined(DT_RELRSZ)

// The program in memory and in its file.
struct image {
    uintptr_t base;
    uintptr_t page;  // bytes
    const ElfW(Phdr) *headers;
    unsigned long header_count;
    const uintptr_t *relocations;
    unsigned long relocation_count;
    uintptr_t first;  // address of the page that bit 0 stands for
    uint64_t given[most_pages / 64];
};

// Which words of one page are relocated.
struct words {
    uintptr_t address;  // 0: none yet
    uint64_t relocated[most_page_bytes / sizeof(uintptr_t) / 64];
};

static bool find_image(struct image *image) {
    image->page = getauxval(AT_PAGESZ);
    image->headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    image->header_count = getauxval(AT_PHNUM);
    if (image->page == 0 || image->page > most_page_bytes || image->headers == NULL) return false;
    const ElfW(Phdr) *dynamic = NULL;
    bool has_base = false;
    for (unsigned long i = 0; i < image->header_count; i++) {
        const ElfW(Phdr) *header = &image->headers[i];
        if (header->p_type == PT_PHDR) {
            image->base = (uintptr_t)image->headers - header->p_vaddr;
            has_base = true;
        } else if (header->p_type == PT_DYNAMIC) {
            dynamic = header;
        }
    }
    if (!has_base || image->base == 0 || dynamic == NULL) return false;
    uintptr_t table = 0;
    for (const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(image->base + dynamic->p_vaddr);
         entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_RELR) table = entry->d_un.d_ptr;
        if (entry->d_tag == DT_RELRSZ)
            image->relocation_count = entry->d_un.d_val / sizeof(uintptr_t);
    }
    if (table == 0 || image->relocation_count == 0) return false;
    // The dynamic linker may have made an address of it already.
    image->relocations = (const uintptr_t *)(table < image->base ? table + image->base : table);
    return true;
}

// Tells `visit` of every relocated word, in rising order: an even entry is an address, an odd one a
// bitmap of the words behind the last.
static void each_word(struct image *image, void (*visit)(struct image *, uintptr_t, void *), void *context) {
    uintptr_t where = 0;
    for (unsigned long i = 0; i < image->relocation_count; i++) {
        uintptr_t entry = image->relocations[i];
        if ((entry & 1) == 0) {
            where = image->base + entry;
            visit(image, where, context);
            where += sizeof(uintptr_t);
        } else {
            for (unsigned long bit = 0; (entry >>= 1) != 0; bit++)
                if (entry & 1) visit(image, where + bit * sizeof(uintptr_t), context);
            where += (bits - 1) * sizeof(uintptr_t);
        }
    }
}

static bool has_given(const struct image *image, uintptr_t address) {
    uintptr_t page = (address - image->first) / image->page;
    return page < most_pages && (image->given[page / 64] >> page % 64 & 1) != 0;
}

struct comparison {
    int file;
    struct words words;
    const ElfW(Phdr) *segment;  // of `content`
    unsigned char *content;
    uintptr_t bytes;
};

static void forget_content(struct comparison *comparison) {
    if (comparison->content != NULL) munmap(comparison->content, comparison->bytes);
    comparison->content = NULL;
}

// The file's page that lies at an address; NULL: no file's.
static const uintptr_t *file_page(struct image *image, struct comparison *comparison, uintptr_t address) {
    uintptr_t place = address - image->base;
    for (unsigned long i = 0; i < image->header_count; i++) {
        const ElfW(Phdr) *header = &image->headers[i];
        uintptr_t start = header->p_vaddr & ~(image->page - 1);
        uintptr_t skew = header->p_vaddr - start;
        if (header->p_type != PT_LOAD || (header->p_flags & PF_W) == 0 || place < start
            || place + image->page > header->p_vaddr + header->p_filesz || header->p_offset < skew)
            continue;
        if (comparison->segment != header) {
            forget_content(comparison);
            comparison->segment = header;
            comparison->bytes = header->p_filesz + skew;
            void *content = mmap(NULL, comparison->bytes, PROT_READ, MAP_PRIVATE, comparison->file,
                (off_t)(header->p_offset - skew));
            comparison->content = content == MAP_FAILED ? NULL : content;
        }
        if (comparison->content == NULL) return NULL;
        return (const uintptr_t *)(comparison->content + (place - start));
    }
    return NULL;
}

// Marks the page that is complete as one to give, if it can be made again.
static void end_page(struct image *image, struct comparison *comparison) {
    struct words *words = &comparison->words;
    if (words->address == 0) return;
    const uintptr_t *file = file_page(image, comparison, words->address);
    const uintptr_t *now = (const uintptr_t *)words->address;
    bool is_equal = file != NULL;
    for (uintptr_t i = 0; is_equal && i < image->page / sizeof(uintptr_t); i++) {
        uintptr_t is_relocated = words->relocated[i / 64] >> i % 64 & 1;
        is_equal = now[i] == file[i] + (is_relocated ? image->base : 0);
    }
    uintptr_t page = (words->address - image->first) / image->page;
    if (is_equal && page < most_pages) image->given[page / 64] |= UINT64_C(1) << page % 64;
    memset(words, 0, sizeof *words);
}

static void compare_word(struct image *image, uintptr_t address, void *context) {
    struct comparison *comparison = context;
    uintptr_t page = address & ~(image->page - 1);
    if (comparison->words.address != page) {
        end_page(image, comparison);
        comparison->words.address = page;
        if (image->first == 0) image->first = page;
    }
    uintptr_t word = (address - page) / sizeof(uintptr_t);
    comparison->words.relocated[word / 64] |= UINT64_C(1) << word % 64;
}

static void relocate_word(struct image *image, uintptr_t address, void *context) {
    (void)context;
    if (has_given(image, address)) *(uintptr_t *)address += image->base;
}

// What the dynamic linker wrote protects itself again after the start (PT_GNU_RELRO).
static bool protect(const struct image *image, int protection) {
    for (unsigned long i = 0; i < image->header_count; i++) {
        const ElfW(Phdr) *header = &image->headers[i];
        if (header->p_type != PT_GNU_RELRO) continue;
        uintptr_t start = (image->base + header->p_vaddr) & ~(image->page - 1);
        uintptr_t end = (image->base + header->p_vaddr + header->p_memsz) & ~(image->page - 1);
        if (end > start && mprotect((void *)start, end - start, protection) != 0) return false;
    }
    return true;
}

static void give_run(struct image *image, uintptr_t first, uintptr_t pages) {
    unsigned char *start = (unsigned char *)(image->first + first * image->page);
    if (madvise(start, pages * image->page, MADV_DONTNEED) == 0) return;
    // Some of them are locked in memory.
    for (uintptr_t page = first; page < first + pages; page++, start += image->page)
        if (madvise(start, image->page, MADV_DONTNEED) != 0)
            image->given[page / 64] &= ~(UINT64_C(1) << page % 64);
}

static bool give(struct image *image) {
    memset(image, 0, sizeof *image);
    if (!find_image(image)) return false;
    struct comparison comparison = {.file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
    if (comparison.file < 0) return false;
    each_word(image, compare_word, &comparison);
    end_page(image, &comparison);
    forget_content(&comparison);
    close(comparison.file);
    // Writable while it rests: then nothing that is done on waking up can fail.
    if (!protect(image, PROT_READ | PROT_WRITE)) return false;
    uintptr_t pages = 0;  // in the run that ends here
    for (uintptr_t page = 0; page <= most_pages; page++) {
        uintptr_t address = image->first + page * image->page;
        if (has_given(image, address)) {
            pages++;
        } else if (pages > 0) {
            give_run(image, page - pages, pages);
            pages = 0;
        }
    }
    return true;
}

static void take_back(struct image *image) {
    each_word(image, relocate_word, NULL);
    protect(image, PROT_READ);
}

int hawser_rest(struct pollfd *entries, unsigned count, int milliseconds) {
    struct pollfd own[most_entries + 1];
    struct image image;
    sigset_t all, before, awaited;
    if (count > most_entries || !__libc_single_threaded || sigfillset(&all) != 0 || sigprocmask(SIG_SETMASK, &all, &before) != 0)
        return poll(entries, count, milliseconds);
    sigemptyset(&awaited);
    for (int number = 1; number < NSIG; number++)
        if (sigismember(&before, number) == 0) sigaddset(&awaited, number);
    int signals = signalfd(-1, &awaited, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || !give(&image)) {
        if (signals >= 0) close(signals);
        sigprocmask(SIG_SETMASK, &before, NULL);
        return poll(entries, count, milliseconds);
    }
    memcpy(own, entries, count * sizeof *entries);
    own[count] = (struct pollfd){.fd = signals, .events = POLLIN};
    int ready = poll(own, count + 1, milliseconds);
    int error = errno;
    take_back(&image);
    memcpy(entries, own, count * sizeof *entries);
    bool has_signal = ready > 0 && own[count].revents != 0;
    close(signals);
    sigprocmask(SIG_SETMASK, &before, NULL);  // what came meanwhile is delivered here
    if (has_signal && --ready == 0) {
        ready = -1;
        error = EINTR;
    }
    errno = error;
    return ready;
}

#else

int hawser_rest(struct pollfd *entries, unsigned count, int milliseconds) {
    return poll(entries, count, milliseconds);
}

#endif

/*
 * Names for addresses, from the symbol tables of the files that are mapped: static functions too,
 * unless the file is stripped; then those that it exports, else the module and the offset in it.
 */
#include "inspect/inspect_internal.h"

#include "base/alloc.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is more than this, no file of ours needs. */
#define TABLE_MAX ((uint64_t)256 << 20)

/* ---- the file ---- */

/* A file may be gone, or be seen elsewhere by the process than by us; and in its place may be
 * something else by now, which must not keep us. */
static int open_module(const rill__process *process, const rill__module *module)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    char path[320];
    snprintf(path, sizeof path, "/proc/%d/root%s", process->pid, module->path);
    int fd = open(path, flags);
    if (fd >= 0 || !strstr(module->path, " (deleted)") || module != process->modules)
        return fd;
    snprintf(path, sizeof path, "/proc/%d/exe", process->pid);
    return open(path, flags);
}

/* A part of the file, to be freed, or NULL when it is not all there. It is read and not mapped:
 * who shortens the file meanwhile would end us. */
static void *read_part(int fd, uint64_t offset, uint64_t size)
{
    struct stat info;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || size == 0 || size > TABLE_MAX ||
        offset > (uint64_t)info.st_size || size > (uint64_t)info.st_size - offset)
        return NULL;
    char *bytes = rill__alloc((size_t)size);
    for (size_t done = 0; bytes && done < size;) {
        /* lint: allow pread: a small part of a file, for people who look */
        ssize_t n = pread(fd, bytes + done, (size_t)size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            rill__free(bytes);
            return NULL;
        }
        done += (size_t)n;
    }
    return bytes;
}

/* Where the fuller of the two symbol tables is that a file may have, and the names in it. */
static bool find_table(int fd, Elf64_Shdr *ret_table, Elf64_Shdr *ret_names)
{
    Elf64_Ehdr *elf = read_part(fd, 0, sizeof *elf);
    Elf64_Shdr *sections = NULL;
    bool found = false;
    if (elf && memcmp(elf->e_ident, ELFMAG, SELFMAG) == 0)
        sections = read_part(fd, elf->e_shoff, (uint64_t)elf->e_shnum * sizeof *sections);
    for (int i = 0; sections && i < elf->e_shnum; i++) {
        const Elf64_Shdr *section = &sections[i];
        bool table = section->sh_type == SHT_SYMTAB || section->sh_type == SHT_DYNSYM;
        if (!table || section->sh_link >= elf->e_shnum || (found && section->sh_type != SHT_SYMTAB))
            continue;
        found = true;
        *ret_table = *section;
        *ret_names = sections[section->sh_link];
    }
    rill__free(sections);
    rill__free(elf);
    return found;
}

static int by_address(const void *a, const void *b)
{
    const rill__symbol *left = a, *right = b;
    return (left->address > right->address) - (left->address < right->address);
}

/* Keeps the functions. */
static void take_symbols(rill__module *module, const Elf64_Sym *from, size_t count)
{
    module->symbols = rill__alloc(count * sizeof *module->symbols);
    for (size_t i = 0; module->symbols && i < count; i++)
        if (ELF64_ST_TYPE(from[i].st_info) == STT_FUNC && from[i].st_value != 0 &&
            from[i].st_name < module->names_size)
            module->symbols[module->symbol_count++] =
                (rill__symbol){ from[i].st_value, from[i].st_size, from[i].st_name };
    if (module->symbols)
        qsort(module->symbols, module->symbol_count, sizeof *module->symbols, by_address);
}

static void read_symbols(rill__process *process, rill__module *module)
{
    Elf64_Shdr table, names;
    module->asked = true;
    int fd = module->path[0] == '/' ? open_module(process, module) : -1;
    if (fd < 0)
        return;
    if (find_table(fd, &table, &names) && rill__process_charge(process, table.sh_size)) {
        size_t count = (size_t)(table.sh_size / sizeof(Elf64_Sym));
        Elf64_Sym *from = count ? read_part(fd, table.sh_offset, table.sh_size) : NULL;
        module->names = from ? read_part(fd, names.sh_offset, names.sh_size) : NULL;
        module->names_size = (size_t)names.sh_size;
        if (module->names)
            take_symbols(module, from, count);
        rill__free(from);
    }
    close(fd);
}

void rill__symbols_free(rill__module *module)
{
    rill__free(module->symbols);
    rill__free(module->names);
}

/* ---- looking up ---- */

/* The last symbol at or below the address, if the address is within it. */
static const rill__symbol *find_symbol(const rill__module *module, uint64_t address)
{
    size_t low = 0, high = module->symbols ? module->symbol_count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (module->symbols[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const rill__symbol *symbol = &module->symbols[low - 1];
    return address - symbol->address < symbol->size ? symbol : NULL;
}

void rill__symbolize(rill__process *process, rill_frame *frame)
{
    /* A call may be the last instruction of its function: so look at the call itself. */
    uint64_t address = frame->pc - (frame->exact ? 0 : 1);
    rill__module *module = rill__module_at(process, address);
    frame->function[0] = frame->module[0] = '\0';
    frame->offset = 0;
    if (!module)
        return;
    const char *base = strrchr(module->path, '/');
    snprintf(frame->module, sizeof frame->module, "%.63s", base ? base + 1 : module->path);
    frame->offset = frame->pc - module->bias;
    if (!module->asked)
        read_symbols(process, module);
    const rill__symbol *symbol = find_symbol(module, address - module->bias);
    if (!symbol || !module->names)
        return;
    size_t len = strnlen(module->names + symbol->name, module->names_size - symbol->name);
    snprintf(frame->function, sizeof frame->function, "%.*s", (int)(len < 200 ? len : 200),
             module->names + symbol->name);
    frame->offset = frame->pc - module->bias - symbol->address;
}

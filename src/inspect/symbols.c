/*
 * Names for addresses, from the symbol tables of the files that are mapped: static functions too,
 * unless the file is stripped; then those that it exports, else the module and the offset in it.
 */
#include "inspect/inspect_internal.h"

#include "base/alloc.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the file ---- */

/* A file may be gone, or be seen elsewhere by the process than by us. */
static int open_module(const rill__process *process, const rill__module *module)
{
    char path[320];
    snprintf(path, sizeof path, "/proc/%d/root%s", process->pid, module->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 || !strstr(module->path, " (deleted)") || module != process->modules)
        return fd;
    snprintf(path, sizeof path, "/proc/%d/exe", process->pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static bool map_file(const rill__process *process, rill__module *module)
{
    int fd = module->path[0] == '/' ? open_module(process, module) : -1;
    struct stat info;
    if (fd < 0)
        return false;
    bool ok = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;
    void *file = MAP_FAILED;
    if (ok)
        file = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (file == MAP_FAILED)
        return false;
    module->file = file;
    module->file_size = (size_t)info.st_size;
    return true;
}

/* A part of the file, or NULL when it is not all there. */
static const void *part(const rill__module *module, uint64_t offset, uint64_t size)
{
    if (offset > module->file_size || size > module->file_size - offset || offset % 4 != 0)
        return NULL;
    return module->file + offset;
}

/* The fuller of the two symbol tables that a file may have. */
static const Elf64_Shdr *find_table(const rill__module *module, const Elf64_Shdr **ret_sections)
{
    const Elf64_Ehdr *elf = part(module, 0, sizeof *elf);
    if (!elf || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0)
        return NULL;
    const Elf64_Shdr *sections =
        part(module, elf->e_shoff, (uint64_t)elf->e_shnum * sizeof *sections);
    const Elf64_Shdr *found = NULL;
    for (int i = 0; sections && i < elf->e_shnum; i++) {
        const Elf64_Shdr *section = &sections[i];
        bool table = section->sh_type == SHT_SYMTAB || section->sh_type == SHT_DYNSYM;
        if (table && section->sh_link < elf->e_shnum && (!found || section->sh_type == SHT_SYMTAB))
            found = section;
    }
    *ret_sections = sections;
    return found;
}

static int by_address(const void *a, const void *b)
{
    const rill__symbol *left = a, *right = b;
    return (left->address > right->address) - (left->address < right->address);
}

static void read_symbols(const rill__process *process, rill__module *module)
{
    const Elf64_Shdr *sections = NULL;
    module->asked = true;
    const Elf64_Shdr *table = map_file(process, module) ? find_table(module, &sections) : NULL;
    if (!table)
        return;
    size_t count = table->sh_size / sizeof(Elf64_Sym);
    const Elf64_Sym *from = part(module, table->sh_offset, table->sh_size);
    const Elf64_Shdr *names = &sections[table->sh_link];
    if (names->sh_offset > module->file_size || names->sh_size == 0 ||
        names->sh_size > module->file_size - names->sh_offset)
        return;
    module->names = module->file + names->sh_offset;
    module->names_size = names->sh_size;
    module->symbols = from && count ? rill__alloc(count * sizeof *module->symbols) : NULL;
    for (size_t i = 0; module->symbols && i < count; i++)
        if (ELF64_ST_TYPE(from[i].st_info) == STT_FUNC && from[i].st_value != 0 &&
            from[i].st_name < names->sh_size)
            module->symbols[module->symbol_count++] =
                (rill__symbol){ from[i].st_value, from[i].st_size, from[i].st_name };
    if (module->symbols)
        qsort(module->symbols, module->symbol_count, sizeof *module->symbols, by_address);
}

void rill__symbols_free(rill__module *module)
{
    rill__free(module->symbols);
    if (module->file)
        munmap(module->file, module->file_size);
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
    if (!symbol)
        return;
    size_t len = strnlen(module->names + symbol->name, module->names_size - symbol->name);
    snprintf(frame->function, sizeof frame->function, "%.*s", (int)(len < 200 ? len : 200),
             module->names + symbol->name);
    frame->offset = frame->pc - module->bias - symbol->address;
}

/* What is mapped into a process: the program, its libraries, the kernel's vdso. */
#include "inspect/inspect_internal.h"

#include "base/alloc.h"
#include "base/fail.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define MODULES_MAX 4096
#define HEADERS_MAX 64

/* Reads what the program headers say: where the file's address 0 lies, its code, its unwind table.
 * Returns false for what is no ELF file. */
static bool read_headers(rill__process *process, rill__module *module)
{
    Elf64_Ehdr elf;
    if (!rill__process_read(process, module->from, &elf, sizeof elf) ||
        memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != ELFCLASS64)
        return false;
    uint64_t unwind = 0;
    bool loaded = false;
    for (int i = 0; i < elf.e_phnum && i < HEADERS_MAX; i++) {
        Elf64_Phdr header;
        uint64_t at = module->from + elf.e_phoff + (uint64_t)i * sizeof header;
        if (!rill__process_read(process, at, &header, sizeof header))
            return false;
        if (header.p_type == PT_LOAD && !loaded) {
            loaded = true;
            module->bias = module->from - (header.p_vaddr & ~UINT64_C(4095));
        }
        if (header.p_type == PT_LOAD && header.p_flags & PF_X) {
            module->code[0] = header.p_vaddr;
            module->code[1] = header.p_vaddr + header.p_memsz;
        }
        if (header.p_type == PT_GNU_EH_FRAME)
            unwind = header.p_vaddr;
    }
    module->code[0] += module->bias;
    module->code[1] += module->bias;
    module->unwind_header = unwind ? unwind + module->bias : 0;
    return loaded;
}

static bool add_module(rill__process *process, const rill__module *module)
{
    if (process->module_count % 32 == 0) {
        size_t size = (process->module_count + 32) * sizeof *module;
        rill__module *modules = rill__realloc(process->modules, size);
        if (!modules)
            return false;
        process->modules = modules;
    }
    process->modules[process->module_count++] = *module;
    return true;
}

/* Takes a line of the maps: the beginning of a file, or more of the last one. */
static bool take_line(rill__process *process, const char *line)
{
    rill__module found = { 0 };
    uint64_t offset = 0;
    int path_at = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &found.from, &found.to,
               &offset, &path_at) < 3 ||
        path_at == 0)
        return true;
    snprintf(found.path, sizeof found.path, "%s", line + path_at);
    found.path[strcspn(found.path, "\n")] = '\0';
    if (!found.path[0])
        return true;
    rill__module *last =
        process->module_count ? &process->modules[process->module_count - 1] : NULL;
    if (last && strcmp(last->path, found.path) == 0 && offset > 0) {
        last->to = found.to;
        return true;
    }
    if (offset > 0 || process->module_count == MODULES_MAX || !read_headers(process, &found))
        return true;
    return add_module(process, &found);
}

int rill__modules_read(rill__process *process)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", process->pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return rill__fail_errno(RILL_EOS, errno, "process %d: its mappings", process->pid);
    char *line = NULL;
    size_t size = 0;
    bool ok = true;
    while (ok && getline(&line, &size, file) > 0)
        ok = take_line(process, line);
    free(line); /* lint: allow free: getline's own */
    fclose(file);
    return ok ? 0 : rill__fail_nomem();
}

void rill__modules_free(rill__process *process)
{
    for (size_t i = 0; i < process->module_count; i++)
        rill__symbols_free(&process->modules[i]);
    rill__free(process->modules);
    process->modules = NULL;
    process->module_count = 0;
}

rill__module *rill__module_at(const rill__process *process, uint64_t address)
{
    size_t low = 0, high = process->module_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (process->modules[middle].to <= address)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < process->module_count && address >= process->modules[low].from;
    return found ? &process->modules[low] : NULL;
}

/*
 * The memory of a process, read page by page through /proc/PID/mem with a small cache: most of what
 * is asked for lies close to what was asked for before.
 */
#include "inspect/inspect_internal.h"

#include "base/alloc.h"
#include "base/fail.h"
#include "net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE ((uint64_t)4096)
#define CACHED 64
#define NOTHING 1
/* The pagemap has a word a page: present in memory, or swapped out. */
#define PAGE_HELD (UINT64_C(3) << 62)
/* Stacks are up to 8 MiB; their pages are asked for so many at a time. */
#define PAGES_AT_ONCE 64
/* What may be read of a process: a few seconds' worth, and so much more for each task. */
#define READS_MAX (UINT64_C(1) << 28)
#define READS_A_TASK (UINT64_C(1) << 15)
#define PAGES_MAX (UINT64_C(1) << 22)
#define PAGES_A_TASK (UINT64_C(1) << 10)

static int open_file(int pid, const char *name, int *ret_errno)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *ret_errno = fd < 0 ? errno : 0;
    return fd;
}

static int refuse(int pid, int error)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", pid);
    if (error == ENOENT || error == ESRCH || access(path, F_OK) != 0)
        return rill__fail(RILL_ENOTFOUND, "process %d: there is none", pid);
    if (error == EACCES || error == EPERM)
        return rill__fail_errno(RILL_EOS, error,
                                "process %d: its own user and root may read it; with "
                                "kernel.yama.ptrace_scope above 0 root alone",
                                pid);
    return rill__fail_errno(RILL_EOS, error, "process %d: reading its memory", pid);
}

static bool make_cache(rill__process *process)
{
    process->cache = rill__zalloc(CACHED * sizeof *process->cache);
    char *bytes = rill__alloc(CACHED * PAGE);
    if (!process->cache || !bytes) {
        rill__free(bytes);
        return false;
    }
    for (size_t i = 0; i < CACHED; i++)
        process->cache[i] = (struct rill__page){ NOTHING, bytes + i * PAGE };
    return true;
}

int rill__process_open(rill__process *process, int pid)
{
    int error;
    *process = (rill__process){ .pid = pid, .own = pid == getpid(), .pages = -1, .self = -1 };
    process->memory = open_file(pid, "mem", &error);
    if (process->memory < 0)
        return refuse(pid, error);
    rill__process_bound(process, 1);
    if (!make_cache(process))
        return rill__fail_nomem();
    process->pages = open_file(pid, "pagemap", &error);
    if (!process->own)
        process->self = (int)syscall(SYS_pidfd_open, pid, 0);
    return rill__modules_read(process);
}

void rill__process_close(rill__process *process)
{
    rill__modules_free(process);
    if (process->cache)
        rill__free(process->cache[0].bytes);
    rill__free(process->cache);
    const int open[] = { process->memory, process->pages, process->self };
    for (int i = 0; i < 3; i++)
        if (open[i] >= 0)
            close(open[i]);
}

/* ---- bounds ---- */

void rill__process_bound(rill__process *process, size_t tasks)
{
    uint64_t count = tasks < UINT32_MAX ? tasks : UINT32_MAX;
    process->reads_left = READS_MAX + count * READS_A_TASK;
    process->pages_left = PAGES_MAX + count * PAGES_A_TASK;
}

bool rill__process_is_exhausted(const rill__process *process)
{
    return process->reads_left == 0 || process->pages_left == 0;
}

bool rill__process_charge(rill__process *process, uint64_t reads)
{
    process->reads_left -= reads < process->reads_left ? reads : process->reads_left;
    return !rill__process_is_exhausted(process);
}

/* ---- memory ---- */

void rill__process_forget(rill__process *process)
{
    for (size_t i = 0; i < CACHED; i++)
        process->cache[i].address = NOTHING;
}

static const char *page_at(rill__process *process, uint64_t address)
{
    struct rill__page *page = &process->cache[address / PAGE % CACHED];
    if (page->address == address)
        return page->bytes;
    page->address = NOTHING;
    process->pages_left -= process->pages_left > 0;
    /* lint: allow pread: this file of the kernel's never has to wait */
    if (address > INT64_MAX || pread(process->memory, page->bytes, PAGE, (off_t)address) != PAGE)
        return NULL;
    page->address = address;
    return page->bytes;
}

bool rill__process_read(rill__process *process, uint64_t address, void *buf, size_t len)
{
    char *to = buf;
    if (process->copy && address >= process->copy_from &&
        address - process->copy_from < process->copy_len &&
        len <= process->copy_len - (address - process->copy_from)) {
        memcpy(buf, process->copy + (address - process->copy_from), len);
        return true;
    }
    if (!rill__process_charge(process, 1))
        return false;
    while (len > 0) {
        uint64_t offset = address % PAGE;
        const char *page = page_at(process, address - offset);
        if (!page)
            return false;
        size_t part = PAGE - offset < len ? PAGE - offset : len;
        memcpy(to, page + offset, part);
        to += part;
        address += part;
        len -= part;
    }
    return true;
}

void rill__process_text(rill__process *process, uint64_t address, char *buf, size_t size)
{
    size_t len = 0;
    while (address && len + 1 < size && rill__process_read(process, address + len, buf + len, 1) &&
           buf[len])
        len++;
    buf[len] = '\0';
}

uint32_t rill__process_u32(rill__process *process, uint64_t address)
{
    uint32_t value = 0;
    return rill__process_read(process, address, &value, sizeof value) ? value : 0;
}

uint64_t rill__process_u64(rill__process *process, uint64_t address)
{
    uint64_t value = 0;
    return rill__process_read(process, address, &value, sizeof value) ? value : 0;
}

int64_t rill__process_resident(rill__process *process, uint64_t from, uint64_t to)
{
    uint64_t words[PAGES_AT_ONCE];
    int64_t held = 0;
    if (process->pages < 0)
        return -1;
    for (uint64_t page = from / PAGE; page < (to + PAGE - 1) / PAGE;) {
        uint64_t count = (to + PAGE - 1) / PAGE - page;
        count = count < PAGES_AT_ONCE ? count : PAGES_AT_ONCE;
        size_t len = (size_t)count * sizeof words[0];
        /* lint: allow pread: this file of the kernel's never has to wait */
        if (pread(process->pages, words, len, (off_t)(page * sizeof words[0])) != (ssize_t)len)
            return -1;
        for (uint64_t i = 0; i < count; i++)
            held += words[i] & PAGE_HELD ? (int64_t)PAGE : 0;
        page += count;
    }
    return held;
}

/* ---- descriptors ---- */

/* What a socket is connected to, or else where it listens. */
static bool socket_text(int fd, char *text, size_t size)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    /* lint: allow getpeername: the kernel's, and perhaps another process's */
    if (getpeername(fd, (struct sockaddr *)&address, &len) < 0) {
        len = sizeof address;
        /* lint: allow getsockname: the same */
        if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
            return false;
    }
    if (len <= sizeof address.ss_family) /* a socket without a name */
        return false;
    rill__address_text(text, size, (struct sockaddr *)&address, len);
    return true;
}

/* Another process's descriptor is touched only if it is a socket: to close a copy of another file
 * may mean to wait for whoever is behind it. */
static bool is_socket(int pid, int fd)
{
    char path[64], target[8] = "";
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    return readlink(path, target, sizeof target - 1) == sizeof target - 1 &&
           memcmp(target, "socket:", sizeof target - 1) == 0;
}

void rill__process_peer(const rill__process *process, int fd, char *text, size_t size)
{
    bool told = false;
    if (process->own) {
        told = socket_text(fd, text, size);
    } else if (process->self >= 0 && is_socket(process->pid, fd)) {
        int copy = (int)syscall(SYS_pidfd_getfd, process->self, fd, 0);
        told = copy >= 0 && socket_text(copy, text, size);
        if (copy >= 0)
            close(copy);
    }
    if (!told)
        snprintf(text, size, "fd %d", fd);
}

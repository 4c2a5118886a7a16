/* What the files of files share: errors, and system calls that are made again when interrupted. */
#ifndef RILL_SRC_RUNTIME_FILE_H
#define RILL_SRC_RUNTIME_FILE_H

#include <errno.h>
#include <rill/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RILL__RETRY(call)                                                                          \
    __extension__({                                                                                \
        __typeof__(call) rill__rc;                                                                 \
        do                                                                                         \
            rill__rc = (call);                                                                     \
        while (rill__rc < 0 && errno == EINTR);                                                    \
        rill__rc;                                                                                  \
    })

/* The code for it. */
int rill__file_code(int os_errno);
/* Fails with what `os_errno` means: "open /etc/shadow: Permission denied". */
int rill__file_fail(int os_errno, const char *what, const char *path);
void rill__file_info_of(const struct stat *status, rill_file_info *ret_info);
rill_file_kind rill__file_kind_of(mode_t mode);
/* Writes all of it. 0 or an errno. */
int rill__file_write_fd(int fd, const void *bytes, size_t len);

#endif

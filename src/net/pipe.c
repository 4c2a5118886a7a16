/*
 * Streams over descriptors that exist: pipes, the standard streams, whatever the user has.
 *
 * A descriptor of our own is made non-blocking. One that is shared keeps its flags, which belong to
 * the open file and so to everybody: to set O_NONBLOCK and to put it back in the end would leave it
 * behind in a crash, and would surprise the others meanwhile. A socket needs no flag. A pipe or a
 * terminal is opened anew, which gives an open file of our own on the same thing. The last resort
 * is the driver's: RILL__FILE_POLLED.
 *
 * What epoll refuses is read and written by threads.
 */
#include "net/net_internal.h"

#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"

#include <errno.h>
#include <fcntl.h>
#include <rill/pipe.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* ---- by threads ---- */

struct transfer {
    int fd;
    char *at;
    size_t len, done;
    int error; /* an errno, or 0 */
};

static int read_some(void *arg)
{
    struct transfer *transfer = arg;
    ssize_t n;
    do
        n = read(transfer->fd, transfer->at, transfer->len); /* lint: allow read: on a thread */
    while (n < 0 && errno == EINTR);
    transfer->error = n < 0 ? errno : 0;
    transfer->done = n < 0 ? 0 : (size_t)n;
    return 0;
}

static int write_all(void *arg)
{
    struct transfer *transfer = arg;
    while (transfer->done < transfer->len) {
        const char *rest = transfer->at + transfer->done;
        size_t len = transfer->len - transfer->done;
        ssize_t n = write(transfer->fd, rest, len); /* lint: allow write: on a thread */
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            transfer->error = errno;
            return 0;
        }
        transfer->done += (size_t)n;
    }
    return 0;
}

int64_t rill__off_loop_read(int fd, void *buf, size_t len)
{
    struct transfer transfer = { .fd = fd, .at = buf, .len = len };
    RILL__TRY(rill_to_thread(read_some, &transfer));
    return transfer.error ? -transfer.error : (int64_t)transfer.done;
}

int64_t rill__off_loop_write(int fd, const void *bytes, size_t len, size_t *ret_written)
{
    struct transfer transfer = { .fd = fd, .at = (char *)(uintptr_t)bytes, .len = len };
    RILL__TRY(rill_to_thread(write_all, &transfer));
    *ret_written = transfer.done;
    return -transfer.error;
}

/* ---- streams of descriptors ---- */

/* What a stream will stand on. */
struct source {
    int fd;
    uint8_t kind;
    bool foreign; /* never to be closed */
    bool private; /* opened here: closed when nothing comes of it */
};

static bool is_terminal(int fd)
{
    int number;
    /* Opening the master's side again would make another terminal. */
    return isatty(fd) && ioctl(fd, TIOCGPTN, &number) < 0;
}

/* An open file of our own on the same pipe or terminal, or -1. */
static int open_anew(int fd, const struct stat *status)
{
    if (!S_ISFIFO(status->st_mode) && !is_terminal(fd))
        return -1;
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int access_mode = fcntl(fd, F_GETFL) & O_ACCMODE;
    return open(path, access_mode | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

static struct source shared_source(int fd, const struct stat *status)
{
    if (S_ISSOCK(status->st_mode))
        return (struct source){ .fd = fd, .kind = RILL__SOCKET, .foreign = true };
    int own = open_anew(fd, status);
    if (own >= 0)
        return (struct source){ .fd = own, .kind = RILL__FILE, .private = true };
    return (struct source){ .fd = fd, .kind = RILL__FILE_POLLED, .foreign = true };
}

static struct source own_source(int fd, const struct stat *status)
{
    return (struct source){ .fd = fd,
                            .kind = S_ISSOCK(status->st_mode) ? RILL__SOCKET : RILL__FILE };
}

static void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && !(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int put_on(rill_stream *stream, const struct source *source)
{
    rill__driver *driver = rill__loop_driver();
    int rc = driver->ops->adopt(driver, &stream->handle, source->fd);
    stream->off_loop = rc == -EPERM;
    if (rc < 0 && !stream->off_loop)
        return rill__fail_errno(rc == -ENOMEM ? RILL_ENOMEM : RILL_EOS, -rc, "open %s",
                                stream->peer);
    if (source->kind == RILL__FILE && !stream->off_loop)
        set_nonblocking(source->fd);
    stream->handle.fd = source->fd;
    stream->handle.kind = source->kind;
    stream->handle.foreign = source->foreign;
    return 0;
}

static int begin(rill_stream *stream, const rill_stream_fd_opts *opts)
{
    struct stat status;
    if (opts->name)
        snprintf(stream->peer, sizeof stream->peer, "%s", opts->name);
    else
        snprintf(stream->peer, sizeof stream->peer, "fd %d", opts->fd);
    if (fstat(opts->fd, &status) < 0)
        return rill__fail_errno(RILL_EOS, errno, "open %s", stream->peer);
    struct source source =
        opts->shared ? shared_source(opts->fd, &status) : own_source(opts->fd, &status);
    int rc = put_on(stream, &source);
    if (rc < 0 && source.private)
        close(source.fd);
    return rc;
}

rill_stream *rill_stream_of_fd_with(const rill_stream_fd_opts *given)
{
    rill_stream_fd_opts opts;
    rill__opts_read(opts, given);
    if (rill__need_task("stream of a descriptor") < 0)
        return NULL;
    rill_stream *stream = rill__stream_new();
    if (stream && begin(stream, &opts) < 0) {
        rill_stream_free(stream);
        return NULL;
    }
    if (stream)
        rill__born(&stream->birth, "stream", stream->peer, opts.file, opts.line);
    return stream;
}

/* One that is the library's own. */
static rill_stream *stream_of(int fd, const char *name, bool shared)
{
    return rill_stream_of_fd_with(&(rill_stream_fd_opts){
        .size = sizeof(rill_stream_fd_opts), .fd = fd, .name = name, .shared = shared });
}

int rill_pipe(rill_stream **ret_reader, rill_stream **ret_writer)
{
    int fds[2];
    RILL__TRY(rill__need_task("pipe"));
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
        return rill__fail_errno(RILL_EOS, errno, "pipe");
    rill_stream *reader = stream_of(fds[0], "pipe", false);
    rill_stream *writer = reader ? stream_of(fds[1], "pipe", false) : NULL;
    if (writer) {
        rill__born_from(&reader->birth, "stream", "pipe", __builtin_return_address(0));
        rill__born_from(&writer->birth, "stream", "pipe", __builtin_return_address(0));
        *ret_reader = reader;
        *ret_writer = writer;
        return 0;
    }
    close(fds[1]);
    if (!reader)
        close(fds[0]);
    rill_stream_free(reader);
    return rill_errcode();
}

/* ---- the standard streams ---- */

struct stdio {
    rill__loop_part part;
    rill_stream *streams[3];
};

static const char stdio_kind;

static void free_stdio(rill__loop_part *part)
{
    struct stdio *stdio = (struct stdio *)part;
    for (int i = 0; i < 3; i++) {
        if (stdio->streams[i])
            stdio->streams[i]->standard = false;
        rill_stream_free(stdio->streams[i]);
    }
    rill__free(stdio);
}

static struct stdio *loop_stdio(void)
{
    struct stdio *stdio = (struct stdio *)rill__loop_part_get(&stdio_kind);
    if (stdio)
        return stdio;
    stdio = rill__zalloc(sizeof *stdio);
    if (stdio)
        rill__loop_part_add(&stdio->part, &stdio_kind, free_stdio);
    else
        rill__fail_nomem();
    return stdio;
}

static rill_stream *standard(int fd, const char *name)
{
    if (rill__need_task(name) < 0)
        return NULL;
    struct stdio *stdio = loop_stdio();
    if (!stdio || stdio->streams[fd])
        return stdio ? stdio->streams[fd] : NULL;
    rill_stream *stream = stream_of(fd, name, true);
    if (stream)
        stream->standard = true;
    return stdio->streams[fd] = stream;
}

rill_stream *rill_stdin(void)
{
    return standard(STDIN_FILENO, "stdin");
}

rill_stream *rill_stdout(void)
{
    return standard(STDOUT_FILENO, "stdout");
}

rill_stream *rill_stderr(void)
{
    return standard(STDERR_FILENO, "stderr");
}

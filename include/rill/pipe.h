/*
 * Pipes, the standard streams and other descriptors, as streams (see net.h).
 *
 *     char line[256];
 *     ptrdiff_t n = rill_stream_read(rill_stdin(), line, sizeof line);
 *     rill_stream_write(rill_stdout(), line, (size_t)n);
 *
 * Everything that rill_stream_… does works on them: one task may read while another writes, waiting
 * can be cancelled, and a write to a pipe that nobody reads fails with RILL_ERESET instead of
 * ending the process by SIGPIPE. Pipes, terminals and sockets are waited for by the loop. What can
 * never be waited for, such as a file that standard input comes from, is read and written by a
 * thread; such a call, once begun, runs to its end even when it is cancelled.
 *
 * A descriptor that other processes share, as the shell shares its terminal, is not made
 * non-blocking: they would see it, even after this program has crashed. Pipes and terminals are
 * opened anew by way of /proc/self/fd instead. Where that is refused (no /proc, or it belongs to
 * another user), the shared descriptor is asked whether it is ready before each call, and written
 * to in small pieces; then the loop can be held up only by a process that takes away the very bytes
 * or the room that was there.
 */
#ifndef RILL_PIPE_H
#define RILL_PIPE_H

#include <rill/net.h>

RILL_BEGIN_DECLS

/* Makes a pipe: what is written to the one stream is read from the other. rill_stream_shutdown of
 * the writer, or its end, is the end of what the reader reads.
 * Returns 0, or RILL_EOS (no descriptors left), RILL_ENOMEM, RILL_ENOTASK; then nothing is made. */
RILL_API int rill_pipe(rill_stream **ret_reader, rill_stream **ret_writer);

/* The standard streams, made on first use. They belong to the loop: freeing one does nothing, and
 * the descriptors 0, 1 and 2 stay open as they are. They hold no buffer: what printf has written
 * comes first only after fflush(stdout).
 * Returns NULL with the error when the descriptor is closed (RILL_EOS), when memory is short, or
 * outside tasks (RILL_ENOTASK). */
RILL_API rill_stream *rill_stdin(void);
RILL_API rill_stream *rill_stdout(void);
RILL_API rill_stream *rill_stderr(void);

typedef struct rill_stream_fd_opts {
    size_t size;
    int fd;
    const char *name; /* for messages, copied up to 127 bytes. Default: "fd 7" */
    bool shared;      /* somebody else uses it as well: neither close it nor change its flags */
    const char *file; /* where it was made: filled by the macro */
    int line;
} rill_stream_fd_opts;

/* Makes a stream of a descriptor that exists: a pipe, a terminal, a connected socket, a file, a
 * device. Without `.shared` it is the stream's from then on, which makes it non-blocking and closes
 * it in the end; with it, the descriptor must stay open as long as the stream.
 *     rill_auto(rill_stream) stream = rill_stream_of_fd(fd, .name = "serial port");
 * Returns NULL with the error when it is not open or cannot be used (RILL_EOS), memory is short, or
 * outside tasks; then the descriptor is still the caller's. */
#define rill_stream_of_fd(...)                                                                     \
    rill_stream_of_fd_with(                                                                        \
        RILL_OPTS(rill_stream_fd_opts, .file = __FILE__, .line = __LINE__, .fd = __VA_ARGS__))
RILL_API rill_stream *rill_stream_of_fd_with(const rill_stream_fd_opts *opts);

RILL_END_DECLS

#endif

/*
 * The driver interface: how bytes move. Drivers know nothing of tasks.
 *
 * Its shape is completion: an operation (rill__op) is submitted to a handle and either completes at
 * once or later, when `done` is called from the driver's poll. A readiness driver (epoll) tries the
 * call first and again when the descriptor is ready; a completion driver hands it to the kernel; a
 * simulated one decides by its seed. Buffers and the op itself belong to the driver from submit
 * until it completed or was cancelled.
 *
 * A receive may come without a buffer: then `borrow` is asked for one when data is there, so that a
 * connection that only waits holds none.
 *
 * One operation may be under way per handle and direction; a second gets -EBUSY.
 */
#ifndef RILL_SRC_IO_DRIVER_H
#define RILL_SRC_IO_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

typedef enum rill__op_kind {
    RILL__OP_RECV,
    RILL__OP_SEND,     /* completes with what one writev took: the caller goes on */
    RILL__OP_ACCEPT,   /* completes with a new descriptor */
    RILL__OP_CONNECT,  /* completes with 0 */
    RILL__OP_READABLE, /* completes when reading would not block: for foreign descriptors */
    RILL__OP_WRITABLE,
} rill__op_kind;

typedef struct rill__op rill__op;
typedef struct rill__handle rill__handle;
typedef struct rill__driver rill__driver;

struct rill__op {
    rill__op_kind kind;
    bool pending;   /* submitted and not completed */
    int64_t result; /* >= 0, or -errno */
    rill__handle *handle;
    /* Called from poll when a pending op completed; not when submit completed it, nor on cancel. It
     * may submit, cancel and close anything. */
    void (*done)(rill__op *op);
    union {
        struct {
            void *ptr; /* NULL: borrow when data is there */
            size_t len;
            /* NULL return: -ENOMEM. The buffer is the op's only once it has completed with more
             * than 0 bytes: until then another op may be given the same one. */
            void *(*borrow)(rill__op *op, size_t *ret_len);
        } recv;
        struct {
            const struct iovec *iov;
            int count;
        } send;
        struct {
            struct sockaddr_storage *ret_address; /* may be NULL */
            socklen_t *ret_len;
        } accept;
        struct {
            const struct sockaddr *address;
            socklen_t len;
        } connect;
    };
};

/* A descriptor as the driver sees it. Zeroed except fd = -1 when closed. Must not move while open.
 */
struct rill__handle {
    int fd;
    uint8_t ready;    /* what is likely to succeed without waiting: RILL__READY_… */
    bool foreign;     /* the descriptor is somebody else's: never closed by the driver */
    rill__op *reader; /* pending receive, accept or readable */
    rill__op *writer; /* pending send, connect or writable */
};

enum {
    RILL__READY_READ = 1 << 0,
    RILL__READY_WRITE = 1 << 1,
    RILL__READY_HANGUP = 1 << 2, /* the peer closed, the socket failed or a byte is urgent: a short
                                     read is not the last */
};

struct rill__driver_ops {
    const char *name;
    /* Nanoseconds on the driver's clock. */
    uint64_t (*now)(rill__driver *driver);
    /* Waits up to timeout_ns (RILL__NEVER: until something happens) and completes what is ready.
     * Returns 0 or -errno. */
    int (*poll)(rill__driver *driver, uint64_t timeout_ns);
    /* Makes a poll that waits, or the next one, return. From any thread and from signal handlers.
     */
    void (*wake)(rill__driver *driver);
    /* Opens a non-blocking socket. Returns 0 or -errno. */
    int (*open)(rill__driver *driver, rill__handle *handle, int family, int type);
    /* Takes a descriptor that exists; it must be non-blocking. Returns 0 or -errno, and then the
     * descriptor is still the caller's. */
    int (*adopt)(rill__driver *driver, rill__handle *handle, int fd);
    /* Submits. Returns true when it completed at once (op->result says how; `done` is not called).
     */
    bool (*submit)(rill__driver *driver, rill__op *op);
    /* Takes a pending op back. Returns true when it will not happen; false when it must run to its
     * end, which calls `done`. */
    bool (*cancel)(rill__driver *driver, rill__op *op);
    /* Closes the descriptor. Pending ops of the handle complete with -ECANCELED through `done`,
     * which may free the handle once it has cancelled the other op. */
    void (*close)(rill__driver *driver, rill__handle *handle);
    void (*free)(rill__driver *driver);
};

struct rill__driver {
    const struct rill__driver_ops *ops;
    size_t pending; /* ops that were submitted and have not completed: kept by the driver */
};

/* The kernel's sockets by epoll, edge-triggered. NULL with errno set on failure. */
rill__driver *rill__epoll_new(void);

static inline bool rill__submit(rill__driver *driver, rill__op *op)
{
    return driver->ops->submit(driver, op);
}

#endif

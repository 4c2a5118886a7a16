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
 *
 * Whatever else comes from outside comes from the driver too: names, the clocks, randomness,
 * threads for what blocks. So what stands above runs unchanged on one that has no kernel under it:
 * a descriptor is then a number that means something to the driver alone.
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
    RILL__OP_RECVFROM, /* completes with the size of a datagram, which may be more than the room */
    RILL__OP_SENDTO,   /* completes with the size of the datagram that was sent */
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
        struct {
            void *ptr;
            size_t len;
            struct sockaddr_storage *ret_address;
            socklen_t *ret_len;
        } recvfrom;
        struct {
            const void *ptr;
            size_t len;
            const struct sockaddr *address; /* NULL: whom it is connected to */
            socklen_t address_len;
        } sendto;
    };
};

/* What calls a descriptor takes. */
enum {
    RILL__SOCKET,      /* recv and send */
    RILL__FILE,        /* read and write: a pipe or a terminal, non-blocking */
    RILL__FILE_POLLED, /* the same, but it blocks, since others who share it expect so: it is asked
                          whether it is ready before each call */
};

/* A descriptor as the driver sees it. Zeroed except fd = -1 when closed. Must not move while open.
 */
struct rill__handle {
    int fd;
    uint8_t ready;    /* what is likely to succeed without waiting: RILL__READY_… */
    uint8_t kind;     /* set by who adopts it, afterwards; a socket unless said otherwise */
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

typedef enum rill__option {
    RILL__OPTION_REUSE_ADDRESS,
    RILL__OPTION_REUSE_PORT,
    RILL__OPTION_BROADCAST,
    RILL__OPTION_NODELAY, /* of a listener: the connections inherit it */
    RILL__OPTION_V6_ONLY,
    RILL__OPTION_RESET_ON_CLOSE, /* closing drops what was not sent, and tells the peer */
    RILL__OPTION_KEEPALIVE,
    RILL__OPTION_KEEPALIVE_IDLE,     /* seconds */
    RILL__OPTION_KEEPALIVE_INTERVAL, /* seconds */
    RILL__OPTION_KEEPALIVE_COUNT,
} rill__option;

/* The file that binding a unix socket has made, so that only it is removed. Zeroed: none. */
typedef struct rill__bound {
    uint64_t device, inode;
    char path[108];
} rill__bound;

/* So many addresses of a name are used; the rest are not looked at. */
#define RILL__ADDRESSES_MAX 16

/* What a driver knows of a name. */
typedef struct rill__names {
    int status; /* 0; -ENOENT: no such name; -ETIMEDOUT: no answer; -EIO: the name server failed */
    uint64_t delay_ns; /* after which the answer comes */
    size_t count;
    struct sockaddr_storage addresses[RILL__ADDRESSES_MAX]; /* without ports */
} rill__names;

struct rill__driver_ops {
    const char *name;
    /* Nanoseconds on the driver's clock. */
    uint64_t (*now)(rill__driver *driver);
    /* Nanoseconds since 1970. */
    uint64_t (*wall)(rill__driver *driver);
    /* Fills in unpredictable bytes, or, on a simulated driver, those that its seed gives. */
    void (*random)(rill__driver *driver, void *bytes, size_t len);
    /* Finds the addresses of a name. NULL: the system's name servers are asked. */
    void (*resolve)(rill__driver *driver, const char *name, rill__names *ret_names);
    /* How long a thread takes for a job, in ns: then no thread is used, and the job is called by
     * the loop after that time. NULL: threads are used. */
    uint64_t (*job_time)(rill__driver *driver);
    /* Which of so many ready tasks is the next to run. NULL: the first, and tasks hand over to each
     * other without asking. */
    size_t (*pick)(rill__driver *driver, size_t count);
    /* With pick: is told who runs next, by a number that is the same in every equal run. */
    void (*note)(rill__driver *driver, uint64_t task);
    /* Waits up to timeout_ns (RILL__NEVER: until something happens) and completes what is ready.
     * Returns 0 or -errno. A driver without a world outside also says -EDEADLK, when nothing can
     * ever happen, and -ETIME, once, when the time that it was given is over. */
    int (*poll)(rill__driver *driver, uint64_t timeout_ns);
    /* Makes a poll that waits, or the next one, return. From any thread and from signal handlers.
     */
    void (*wake)(rill__driver *driver);
    /* A descriptor that can be read while a poll would complete something or was woken; NULL when
     * the driver has none. */
    int (*fd)(rill__driver *driver);
    /* Opens a non-blocking socket. Returns 0 or -errno. */
    int (*open)(rill__driver *driver, rill__handle *handle, int family, int type);
    /* Takes a descriptor that exists. One that recv and send do not take must be non-blocking, or
     * RILL__FILE_POLLED. Returns 0 or -errno, and then the descriptor is still the caller's; -EPERM
     * for what can never be waited for, such as a file on a disk. */
    int (*adopt)(rill__driver *driver, rill__handle *handle, int fd);
    /* Binds to a local address. ret_bound may be NULL; a stale file of a unix socket is replaced.
     */
    int (*bind)(rill__driver *driver, rill__handle *handle, const struct sockaddr *address,
                socklen_t len, rill__bound *ret_bound);
    /* Removes the file that bind has made, if it still is that one. */
    void (*unbind)(rill__driver *driver, const rill__bound *bound);
    int (*listen)(rill__driver *driver, rill__handle *handle, int backlog);
    /* The address that the handle is bound to. */
    int (*local)(rill__driver *driver, rill__handle *handle, struct sockaddr_storage *ret_address,
                 socklen_t *ret_len);
    /* 0 or -errno: an option that the socket does not have is no reason to give up. */
    int (*option)(rill__driver *driver, rill__handle *handle, rill__option option, int value);
    /* No more will be sent: the peer reads to its end. */
    int (*shutdown)(rill__driver *driver, rill__handle *handle);
    /* Closes a descriptor that an accept has brought and nobody adopted. */
    void (*discard)(rill__driver *driver, int fd);
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
    size_t pending;    /* ops that were submitted and have not completed: kept by the driver */
    const void *place; /* where what runs now is, in a world with places: a task's, else what called
                          back; new tasks are there, too */
    struct rill__closing *closing; /* handles whose ops are being ended: see handle.c */
};

/* The kernel's sockets by epoll, edge-triggered. NULL with errno set on failure. */
rill__driver *rill__epoll_new(void);

static inline bool rill__submit(rill__driver *driver, rill__op *op)
{
    return driver->ops->submit(driver, op);
}

#endif

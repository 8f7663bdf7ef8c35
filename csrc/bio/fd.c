/*
 * Socket and descriptor BIOs, BIO_s_socket(3) and BIO_s_fd(3): the only
 * system calls of the core. The descriptor's blocking mode is its owner's
 * affair; a write to a closed peer gives EPIPE and raises no signal.
 */
#include "bio/bio.h"

#include <errno.h>

#ifdef _WIN32

#include <io.h>
#include <stdio.h>
#include <winsock2.h>

typedef int transfer;

static int
sys_errno(bool socket)
{
    return socket ? WSAGetLastError() : errno;
}

static transfer
sys_read(int fd, uint8_t *out, size_t n, bool socket)
{
    if (socket)
        return recv((SOCKET)fd, (char *)out, (int)n, 0);
    return _read(fd, out, (unsigned)n);
}

static transfer
sys_send(int fd, const uint8_t *p, size_t n)
{
    return send((SOCKET)fd, (const char *)p, (int)n, 0);
}

static transfer
sys_write(int fd, const uint8_t *p, size_t n)
{
    return _write(fd, p, (unsigned)n);
}

/* A descriptor of the C library is never a socket here. */
static bool
sys_may_send(bool socket)
{
    return socket;
}

static bool
sys_not_socket(int err)
{
    return err == WSAENOTSOCK;
}

static void
sys_close(int fd, bool socket)
{
    if (socket) {
        (void)shutdown((SOCKET)fd, SD_BOTH);
        (void)closesocket((SOCKET)fd);
    } else {
        (void)_close(fd);
    }
}

static long
sys_seek(int fd, long offset, int whence)
{
    return _lseek(fd, offset, whence);
}

int
pys_bio_fd_non_fatal(int err)
{
    return err == EAGAIN || err == EINTR || err == WSAEWOULDBLOCK ||
        err == WSAEINTR || err == WSAEINPROGRESS || err == WSAEALREADY ||
        err == WSAENOTCONN;
}

#else

#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#define SEND_MAY_SIGNAL true
#else
#define SEND_MAY_SIGNAL false
#endif

typedef ssize_t transfer;

static int
sys_errno(bool socket)
{
    (void)socket;
    return errno;
}

static transfer
sys_read(int fd, uint8_t *out, size_t n, bool socket)
{
    return socket ? recv(fd, out, n, 0) : read(fd, out, n);
}

/* Takes one SIGPIPE that waits for this thread, if there is one. */
static void
sigpipe_take(const sigset_t *pipe_only)
{
#ifdef __APPLE__
    sigset_t waiting;
    int which;

    if (sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE) == 1)
        (void)sigwait(pipe_only, &which);
#else
    static const struct timespec at_once;

    while (sigtimedwait(pipe_only, NULL, &at_once) == -1 && errno == EINTR)
        continue;
#endif
}

/*
 * A write that may raise SIGPIPE, which is kept from the process: blocked in
 * this thread, taken if it came, unless one was waiting before.
 */
static transfer
guarded(int fd, const uint8_t *p, size_t n, bool socket)
{
    sigset_t pipe_only, before, waiting;
    bool waited, blocked;
    transfer ret;
    int err;

    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    waited = sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE) == 1;
    blocked = pthread_sigmask(SIG_BLOCK, &pipe_only, &before) == 0;
    ret = socket ? send(fd, p, n, MSG_NOSIGNAL) : write(fd, p, n);
    err = errno;
    if (ret == -1 && err == EPIPE && blocked && !waited)
        sigpipe_take(&pipe_only);
    if (blocked)
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = err;
    return ret;
}

static transfer
sys_send(int fd, const uint8_t *p, size_t n)
{
    if (SEND_MAY_SIGNAL)
        return guarded(fd, p, n, true);
    return send(fd, p, n, MSG_NOSIGNAL);
}

static transfer
sys_write(int fd, const uint8_t *p, size_t n)
{
    return guarded(fd, p, n, false);
}

static bool
sys_may_send(bool socket)
{
    (void)socket;
    return true;
}

static bool
sys_not_socket(int err)
{
    return err == ENOTSOCK;
}

static void
sys_close(int fd, bool socket)
{
    if (socket)
        (void)shutdown(fd, SHUT_RDWR);
    (void)close(fd);
}

static long
sys_seek(int fd, long offset, int whence)
{
    off_t at = lseek(fd, (off_t)offset, whence);

    return at > PYS_BIO_MOST ? PYS_BIO_MOST : (long)at;
}

int
pys_bio_fd_non_fatal(int err)
{
    return err == EAGAIN || err == EWOULDBLOCK || err == EINTR ||
        err == EINPROGRESS || err == EALREADY || err == ENOTCONN;
}

#endif

/* ---- the methods ------------------------------------------------------- */

/* FD-1: a retry if the errno says so. */
static long
failed(pys_bio *b, int writing, int err)
{
    pys_bio_save_errno(b, writing, err);
    if (pys_bio_fd_non_fatal(err))
        (void)pys_bio_again(b, writing);
    errno = err; /* for BIO_fd_should_retry(3) */
    return -1;
}

static long
fd_read(pys_bio *b, uint8_t *out, size_t n)
{
    pys_fd *f = &b->u.fd;
    bool socket = atomic_load(&f->socket);
    transfer got = sys_read(atomic_load(&f->fd), out, n, socket);

    if (got < 0)
        return failed(b, 0, sys_errno(socket));
    atomic_store(&f->eof, got == 0);
    return (long)got;
}

static long
fd_write(pys_bio *b, const uint8_t *p, size_t n)
{
    pys_fd *f = &b->u.fd;
    bool socket = atomic_load(&f->socket);
    int fd = atomic_load(&f->fd), err;
    transfer put = -1;

    if (sys_may_send(socket) && !atomic_load(&f->stream)) {
        put = sys_send(fd, p, n);
        if (put >= 0)
            return (long)put;
        err = sys_errno(socket);
        if (socket || !sys_not_socket(err))
            return failed(b, 1, err);
        atomic_store(&f->stream, true);
    }
    put = sys_write(fd, p, n);
    if (put < 0)
        return failed(b, 1, sys_errno(false));
    return (long)put;
}

static long
fd_seek(pys_bio *b, long offset, int whence)
{
    pys_fd *f = &b->u.fd;
    long at;

    if (!atomic_load(&b->init))
        return -1;
    at = sys_seek(atomic_load(&f->fd), offset, whence);
    if (at < 0)
        pys_bio_save_errno(b, 1, errno);
    else if (whence == SEEK_SET)
        atomic_store(&f->eof, false);
    return at;
}

static long
socket_ctrl(pys_bio *b, int cmd, long larg)
{
    (void)larg;
    switch (cmd) {
    case PYS_CTRL_GET_FD:
        return atomic_load(&b->init) ? atomic_load(&b->u.fd.fd) : -1;
    case PYS_CTRL_EOF:
        return atomic_load(&b->u.fd.eof);
    case PYS_CTRL_FLUSH:
        return 1;
    default:
        return 0;
    }
}

static long
fd_ctrl(pys_bio *b, int cmd, long larg)
{
    switch (cmd) {
    case PYS_CTRL_RESET:
        return fd_seek(b, 0, SEEK_SET);
    case PYS_CTRL_SEEK:
        return fd_seek(b, larg, SEEK_SET);
    case PYS_CTRL_INFO:
    case PYS_CTRL_TELL:
        return fd_seek(b, 0, SEEK_CUR);
    default:
        return socket_ctrl(b, cmd, larg);
    }
}

/* FD-4: the descriptor goes with the BIO if the close flag is set. */
static void
fd_wipe(pys_bio *b)
{
    pys_fd *f = &b->u.fd;

    if (atomic_load(&b->init) && atomic_load(&b->close) &&
        atomic_load(&f->fd) != -1)
        sys_close(atomic_load(&f->fd), atomic_load(&f->socket));
}

void
pys_bio_set_fd(pys_bio *b, int fd, int close)
{
    pys_fd *f = &b->u.fd;

    if (b->method != &pys_bio_method_socket && b->method != &pys_bio_method_fd)
        return;
    if (fd != atomic_load(&f->fd))
        fd_wipe(b);
    atomic_store(&f->fd, fd);
    atomic_store(&f->stream, false);
    atomic_store(&f->eof, false);
    atomic_store(&b->close, close != 0);
    atomic_store(&b->init, true);
}

const pys_bio_method pys_bio_method_socket = {
    .duplex = true,
    .read = fd_read,
    .write = fd_write,
    .ctrl = socket_ctrl,
    .wipe = fd_wipe,
};

const pys_bio_method pys_bio_method_fd = {
    .duplex = true,
    .read = fd_read,
    .write = fd_write,
    .ctrl = fd_ctrl,
    .wipe = fd_wipe,
};

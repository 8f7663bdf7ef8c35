/*
 * SSL_read(3) and SSL_write(3) of established connections: on memory BIOs and
 * pairs, which never wait, and on descriptors. Little work in memory is done
 * under the GIL, which costs less than letting it go; for more, what the bytes
 * belong to is kept as it is meanwhile.
 */
#include "quick/quick.h"

#include "api/quick.h"

/* Most bytes to seal or open while no other thread of Python runs. */
enum { BRIEF = 4096 };

const char pys_quick_doc_read[] =
    "read($self, /, buf, num=None)\n--\n\n"
    "Read application data, of one record at most.\n"
    "\n"
    "Args:\n"
    "    buf: Writable, contiguous, bytes-like.\n"
    "    num: Bytes to read at most; all of buf if left out.\n"
    "\n"
    "Returns:\n"
    "    How many bytes were read; 0 or -1 if none were, and `get_error`\n"
    "    tells why.\n"
    "\n"
    "Errors:\n"
    "    SSL_ERROR_ZERO_RETURN: the peer closed.\n"
    "    SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: call again.\n"
    "    SSL_ERROR_SSL: fatal, also the end of the transport.\n"
    "    SSL_ERROR_SYSCALL: the transport failed.\n"
    "\n"
    "Source: SSL_read(3); contract 5.1.";

const char pys_quick_doc_write[] =
    "write($self, /, data, num=None)\n--\n\n"
    "Write application data, all of it unless partial writes are on.\n"
    "\n"
    "Args:\n"
    "    data: Contiguous, bytes-like. After a call that wants to be\n"
    "        repeated, the very same object with the same bytes, unless\n"
    "        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER is set.\n"
    "    num: How many bytes of it; all if left out.\n"
    "\n"
    "Returns:\n"
    "    How many bytes were written; 0 for no bytes; -1 otherwise, and\n"
    "    `get_error` tells why.\n"
    "\n"
    "Errors:\n"
    "    SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: call again.\n"
    "    SSL_ERROR_SSL: fatal, or wrong use.\n"
    "    SSL_ERROR_SYSCALL: the transport failed.\n"
    "\n"
    "Source: SSL_write(3); contract 5.2.";

/* Says what came of a call that did something, and for whom. */
static PyObject *
done(pys_quick_conn *self, int writing, long n)
{
    self->want[writing] = PYS_NOTHING;
    self->caller[writing] = PyThread_get_thread_ident();
    self->last = writing;
    return PyLong_FromLong(n);
}

/* How many of the bytes that there are? False: a case for the long way. */
static bool
count_is(PyObject *num, size_t *size)
{
    if (num != Py_None) {
        long n = PyLong_Check(num) ? PyLong_AsLong(num) : -1;

        if (n < 0 || (size_t)n > *size) {
            PyErr_Clear(); /* it is said by whoever is called then */
            return false;
        }
        *size = (size_t)n;
    }
    return *size != 0;
}

/* May a call try without the lock, and with how many bytes? */
static bool
may_try(const pys_quick_conn *self, int writing, PyObject *num, size_t *size)
{
    return self->turn[writing] == PYS_QUICK && self->core != NULL &&
        self->inside[1 - writing] == 0 && count_is(num, size);
}

static const pys_quick_form read_form = {"O|O:read", {"buf", "num", NULL}, 1};
static const pys_quick_form write_form = {
    "O|O:write", {"data", "num", NULL}, 1};

/* ---- buffers ----------------------------------------------------------- */

/* PyObject_AsReadBuffer and its like: see quick.h. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static bool
span_is(pys_quick_span *s, const void *p, Py_ssize_t n)
{
    *s = (pys_quick_span){.p = (uint8_t *)p, .n = (size_t)n};
    return true;
}

/* What is wrong with a buffer is said by whoever is called then. */
static bool
span_failed(void)
{
    PyErr_Clear();
    return false;
}

/* Where to read into: the usual objects, which run no code to say so. */
static bool
room_of(PyObject *buf, pys_quick_span *s)
{
    void *p = NULL;
    Py_ssize_t n = 0;

    if (PyByteArray_Check(buf))
        return span_is(s, PyByteArray_AsString(buf), PyByteArray_Size(buf));
    if (!PyMemoryView_Check(buf))
        return false;
    if (PyObject_AsWriteBuffer(buf, &p, &n) != 0)
        return span_failed();
    return span_is(s, p, n);
}

/* What to write, of such objects. */
static bool
text_of(PyObject *data, pys_quick_span *s)
{
    const void *p = NULL;
    Py_ssize_t n = 0;

    if (PyBytes_CheckExact(data))
        return span_is(s, PyBytes_AsString(data), PyBytes_Size(data));
    if (PyByteArray_CheckExact(data))
        return span_is(s, PyByteArray_AsString(data), PyByteArray_Size(data));
    if (!PyMemoryView_Check(data))
        return false;
    if (PyObject_AsReadBuffer(data, &p, &n) != 0)
        return span_failed();
    return span_is(s, p, n);
}

/* ---- in memory --------------------------------------------------------- */

bool
pys_quick_span_of(PyObject *buf, int writing, pys_quick_span *s)
{
    return writing ? text_of(buf, s) : room_of(buf, s);
}

static long
work(pys_conn *core, int writing, pys_quick_span s, size_t most)
{
    if (!writing)
        return pys_quick_read(core, s.p, s.n, most);
    if (most != 0 && s.n > most)
        return PYS_QUICK_LATER;
    return pys_quick_write(core, s.p, s.n);
}

/* Keeps others from changing the size of a buffer; bytes have but one. */
static PyObject *
keep(PyObject *buf)
{
    if (!PyBytes_CheckExact(buf))
        return PyMemoryView_FromObject(buf);
    Py_INCREF(buf);
    return buf;
}

/*
 * The work without the GIL; false: an exception. Making an object may run any
 * code, so all is looked at again.
 */
static bool
work_apart(pys_quick_conn *self, int writing, PyObject *buf, PyObject *num,
    long *n)
{
    PyObject *kept = keep(buf), *owner;
    pys_quick_span s;

    if (kept == NULL)
        return false;
    owner = pys_quick_owner(self); /* so that nobody frees it meanwhile */
    if (owner == NULL) {
        Py_DECREF(kept);
        return false;
    }
    *n = 0;
    if (pys_quick_span_of(buf, writing, &s) &&
        may_try(self, writing, num, &s.n)) {
        pys_conn *core = self->core;
        PyThreadState *state = PyEval_SaveThread();

        *n = work(core, writing, s, 0);
        PyEval_RestoreThread(state);
    }
    Py_DECREF(owner);
    Py_DECREF(kept);
    return true;
}

/* What pys_quick_read and _write say; false: an exception. */
static bool
try_quick(pys_quick_conn *self, int writing, PyObject *buf, PyObject *num,
    long *n)
{
    pys_quick_span s;

    *n = 0;
    if (pys_quick_span_of(buf, writing, &s) &&
        may_try(self, writing, num, &s.n))
        *n = work(self->core, writing, s, BRIEF);
    return *n != PYS_QUICK_LATER || work_apart(self, writing, buf, num, n);
}

/* ---- on descriptors ---------------------------------------------------- */

/* Is the direction's lock free, and may this thread have it? */
static bool
may_wait(const pys_quick_conn *self, int writing)
{
    return self->core != NULL && self->turn[writing] != PYS_QUICK &&
        !self->lock[writing].taken &&
        self->inside[1 - writing] != PyThread_get_thread_ident() &&
        pys_quick_on_descriptor(self->core, writing);
}

/* Gives the lock back, if this thread has it. */
static void
leave(pys_quick_conn *self, int writing)
{
    if (self->inside[writing] != PyThread_get_thread_ident())
        return;
    self->inside[writing] = 0;
    pys_quick_lock_give(&self->lock[writing]);
}

/*
 * A read or write that the system may let wait: with the direction's lock,
 * which keeps the connection from being freed, and without the GIL. What is
 * to be told of its end is told before another call of this direction: then
 * the lock is left to Python.
 */
static long
work_waiting(pys_quick_conn *self, int writing, pys_quick_span s)
{
    PyThreadState *state;
    long n;

    self->lock[writing].taken = true;
    self->inside[writing] = PyThread_get_thread_ident();
    state = PyEval_SaveThread();
    n = writing ? pys_conn_write(self->core, s.p, s.n) :
                  pys_conn_read(self->core, s.p, s.n, false);
    PyEval_RestoreThread(state);
    if (n >= 0 || n == -(long)PYS_IO_WANT_READ)
        leave(self, writing);
    return n;
}

/*
 * What pys_conn_read and _write say on a descriptor, 0 if nothing was done;
 * false: an exception. Keeping a buffer may run any code.
 */
static bool
try_waiting(pys_quick_conn *self, int writing, PyObject *buf, PyObject *num,
    long *n)
{
    PyObject *kept;
    pys_quick_span s;

    *n = 0;
    if (!may_wait(self, writing) || !pys_quick_span_of(buf, writing, &s))
        return true;
    kept = keep(buf);
    if (kept == NULL)
        return false;
    if (pys_quick_span_of(buf, writing, &s) && count_is(num, &s.n) &&
        may_wait(self, writing))
        *n = work_waiting(self, writing, s);
    Py_DECREF(kept);
    return true;
}

/* One way or the other; 0: nothing was done. False: an exception. */
static bool
try_all(pys_quick_conn *self, int writing, PyObject *given[2], long *n)
{
    return try_quick(self, writing, given[0], given[1], n) &&
        (*n != 0 || try_waiting(self, writing, given[0], given[1], n));
}

/* In Python, which gives the lock back but for an exception on the way. */
static PyObject *
go_on(pys_quick_conn *self, int writing, PyObject *given[2], long n)
{
    PyObject *op = (PyObject *)self, *ret;

    ret = writing ?
        pys_quick_call(op, "_write", "(OOl)", given[0], given[1], n) :
        pys_quick_call(op, "_read", "(OOOl)", given[0], given[1], Py_False, n);
    if (n != 0)
        leave(self, writing);
    return ret;
}

/* Says that there is nothing to read yet. */
static PyObject *
nothing_yet(pys_quick_conn *self)
{
    self->want[0] = PYS_READING;
    self->caller[0] = PyThread_get_thread_ident();
    self->last = 0;
    return PyLong_FromLong(-1);
}

/* ---- the calls --------------------------------------------------------- */

PyObject *
pys_quick_read_call(PyObject *op, PyObject *const *args, Py_ssize_t n_args,
    PyObject *names)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *given[2]; /* buf, num */
    long n;

    if (!pys_quick_arguments(args, n_args, names, &read_form, given) ||
        !try_all(self, 0, given, &n))
        return NULL;
    if (n > 0)
        return done(self, 0, n);
    if (n == -(long)PYS_IO_WANT_READ)
        return nothing_yet(self);
    return go_on(self, 0, given, n);
}

PyObject *
pys_quick_write_call(PyObject *op, PyObject *const *args, Py_ssize_t n_args,
    PyObject *names)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *given[2]; /* data, num */
    long n;

    if (!pys_quick_arguments(args, n_args, names, &write_form, given) ||
        !try_all(self, 1, given, &n))
        return NULL;
    if (n > 0) {
        Py_CLEAR(self->part[PYS_PART_UNSENT]);
        return pys_quick_send_rest(self, done(self, 1, n));
    }
    return go_on(self, 1, given, n);
}

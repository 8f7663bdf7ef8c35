/*
 * SSL_read(3) and SSL_write(3) of established connections on memory BIOs and
 * pairs. Little work is done under the GIL, which costs less than letting it
 * go; for more, what the bytes belong to is kept as it is meanwhile.
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

bool
pys_quick_arguments(PyObject *const *args, Py_ssize_t n, PyObject *names,
    const pys_quick_form *form, PyObject **first, PyObject **second)
{
    PyObject *all = PyTuple_New(n);
    PyObject *named = PyDict_New();
    Py_ssize_t n_names = names == NULL ? 0 : PyTuple_Size(names);
    bool ok = all != NULL && named != NULL;

    for (Py_ssize_t i = 0; ok && i < n; i++) {
        Py_INCREF(args[i]);
        ok = PyTuple_SetItem(all, i, args[i]) == 0;
    }
    for (Py_ssize_t i = 0; ok && i < n_names; i++)
        ok = PyDict_SetItem(named, PyTuple_GetItem(names, i), args[n + i]) ==
            0;
    /* What is found is borrowed from the caller, who has it all. */
    ok = ok &&
        PyArg_ParseTupleAndKeywords(all, named, form->format,
            (char **)form->keys, first, second);
    Py_XDECREF(all);
    Py_XDECREF(named);
    return ok;
}

/* Says what came of a call that did something, and for whom. */
static PyObject *
done(pys_quick_conn *self, int writing, long n)
{
    self->want[writing] = PYS_NOTHING;
    self->caller[writing] = PyThread_get_thread_ident();
    self->last = writing;
    return PyLong_FromLong(n);
}

/* May a call try, and with how many of the bytes that there are? */
static bool
may_try(const pys_quick_conn *self, int writing, PyObject *num, size_t *size)
{
    if (self->turn[writing] != PYS_QUICK || self->core == NULL ||
        self->inside[1 - writing] != 0)
        return false;
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

static const pys_quick_form read_form = {"O|O:read", {"buf", "num", NULL}};
static const pys_quick_form write_form = {"O|O:write", {"data", "num", NULL}};

/* ---- reading ----------------------------------------------------------- */

/*
 * The same without the GIL; false: an exception. Making an object may run
 * any code, so all is looked at again.
 */
static bool
read_apart(pys_quick_conn *self, PyObject *buf, PyObject *num, long *n)
{
    PyObject *kept = PyMemoryView_FromObject(buf); /* it has one size now */
    size_t size;

    if (kept == NULL)
        return false;
    size = (size_t)PyByteArray_Size(buf);
    *n = 0;
    if (may_try(self, 0, num, &size)) {
        uint8_t *out = (uint8_t *)PyByteArray_AsString(buf);
        PyObject *owner = self->owner;
        pys_conn *core = self->core;
        PyThreadState *state;

        Py_INCREF(owner);
        state = PyEval_SaveThread();
        *n = pys_quick_read(core, out, size, 0);
        PyEval_RestoreThread(state);
        Py_DECREF(owner);
    }
    Py_DECREF(kept);
    return true;
}

PyObject *
pys_quick_read_call(PyObject *op, PyObject *const *args, Py_ssize_t n_args,
    PyObject *names)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *buf = NULL, *num = Py_None;
    long n = 0;

    if (n_args == 1 && names == NULL)
        buf = args[0];
    else if (!pys_quick_arguments(args, n_args, names, &read_form, &buf, &num))
        return NULL;
    if (PyByteArray_Check(buf)) {
        size_t size = (size_t)PyByteArray_Size(buf);

        if (may_try(self, 0, num, &size))
            n = pys_quick_read(self->core,
                (uint8_t *)PyByteArray_AsString(buf), size, BRIEF);
        if (n == PYS_QUICK_LATER && !read_apart(self, buf, num, &n))
            return NULL;
    }
    if (n > 0)
        return done(self, 0, n);
    return PyObject_CallMethod(op, "_read", "OOOl", buf, num, Py_False, n);
}

/* ---- writing ----------------------------------------------------------- */

static long
write_apart(pys_quick_conn *self, const uint8_t *p, size_t size)
{
    PyObject *owner = self->owner;
    pys_conn *core = self->core;
    PyThreadState *state;
    long n;

    Py_INCREF(owner);
    state = PyEval_SaveThread();
    n = pys_quick_write(core, p, size);
    PyEval_RestoreThread(state);
    Py_DECREF(owner);
    return n;
}

PyObject *
pys_quick_write_call(PyObject *op, PyObject *const *args, Py_ssize_t n_args,
    PyObject *names)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *data = NULL, *num = Py_None;
    long n = 0;

    if (n_args == 1 && names == NULL)
        data = args[0];
    else if (!pys_quick_arguments(args, n_args, names, &write_form, &data,
                 &num))
        return NULL;
    if (PyBytes_CheckExact(data)) {
        size_t size = (size_t)PyBytes_Size(data);
        const uint8_t *p = (const uint8_t *)PyBytes_AsString(data);

        if (may_try(self, 1, num, &size))
            n = size <= BRIEF ? pys_quick_write(self->core, p, size) :
                                write_apart(self, p, size);
    } else if (PyByteArray_CheckExact(data)) {
        size_t size = (size_t)PyByteArray_Size(data);

        if (may_try(self, 1, num, &size) && size <= BRIEF)
            n = pys_quick_write(self->core,
                (const uint8_t *)PyByteArray_AsString(data), size);
    }
    if (n > 0)
        return done(self, 1, n);
    return PyObject_CallMethod(op, "_write", "OOl", data, num, n);
}

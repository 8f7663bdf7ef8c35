/*
 * BIO_read(3) and BIO_write(3) of memory BIOs and pairs, which never wait:
 * under the GIL while there are few bytes. And how a pair begins.
 */
#include "bio/bio.h"
#include "quick/bio.h"

/* Most bytes to move while no other thread of Python runs. */
enum { MOST = 32 * 1024 };

const char pys_quick_doc_bio_read[] =
    "read($self, /, buf, n=None)\n--\n\n"
    "Read into a buffer.\n"
    "\n"
    "Args:\n"
    "    buf: writable, C-contiguous bytes-like object.\n"
    "    n: most bytes to read; the size of the buffer if not given.\n"
    "\n"
    "Returns:\n"
    "    Bytes read, maybe fewer than asked; 0 for n <= 0; else 0 or -1:\n"
    "    see `should_retry`; -2: the type does not read.\n"
    "\n"
    "Errors:\n"
    "    BIO_R_UNINITIALIZED, BIO_R_UNSUPPORTED_METHOD in the queue; an\n"
    "    exception of an operation in Python is passed on.\n"
    "\n"
    "Source: BIO_read(3) RETURN VALUES.";

const char pys_quick_doc_bio_write[] =
    "write($self, /, data, n=None)\n--\n\n"
    "Write from a buffer.\n"
    "\n"
    "Args:\n"
    "    data: C-contiguous bytes-like object.\n"
    "    n: bytes to write; all of the buffer if not given.\n"
    "\n"
    "Returns:\n"
    "    Bytes written, maybe fewer than given; else as `read`.\n"
    "\n"
    "Errors:\n"
    "    As `read`; BIO_R_WRITE_TO_READ_ONLY_BIO, BIO_R_BROKEN_PIPE.\n"
    "\n"
    "Source: BIO_write(3) RETURN VALUES.";

const char pys_quick_doc_bio_tie[] =
    "make_bio_pair($self, /, other)\n--\n\n"
    "Tie two halves together.\n"
    "\n"
    "Returns:\n"
    "    1, or 0 with BIO_R_IN_USE if either has its other half.";

static const pys_quick_form read_form = {"O|O:read", {"buf", "n", NULL}, 1};
static const pys_quick_form write_form = {"O|O:write", {"data", "n", NULL}, 1};
static const pys_quick_form tie_form = {"O:make_bio_pair", {"other", NULL}, 1};

/* The core's object, if nobody is to hear of what it does, or NULL. */
static pys_bio *
quick_core(const pys_quick_bio *self)
{
    bool quick = self->plain && self->refs > 0 && self->core != NULL &&
        !pys_quick_has_views(self) && pys_bio_is_quick(self->core);

    return quick ? self->core : NULL;
}

/* How many of the size bytes of a buffer; 0: that is Python's to say. */
static size_t
how_many(PyObject *num, size_t size)
{
    long n;

    if (num == Py_None)
        return size;
    n = PyLong_CheckExact(num) ? PyLong_AsLong(num) : -1;
    if (n >= 0 && (size_t)n <= size)
        return (size_t)n;
    PyErr_Clear();
    return 0;
}

/*
 * False: nothing was done. All that lies in a memory BIO may move when it is
 * written to.
 */
static bool
try_quick(const pys_quick_bio *self, int writing, PyObject *buf, PyObject *num,
    long *ret)
{
    pys_bio *core = quick_core(self);
    pys_quick_span s;
    size_t n;

    if (core == NULL || !pys_quick_span_of(buf, writing, &s))
        return false;
    n = how_many(num, s.n);
    if (n == 0 || (writing && n > MOST) ||
        pys_bio_ctrl(core, PYS_CTRL_PENDING, 0) > MOST)
        return false;
    *ret = writing ? pys_bio_write(core, s.p, n) : pys_bio_read(core, s.p, n);
    return true;
}

/* Puts the reason of a failure into the queue, if there is one. */
static PyObject *
result_of(PyObject *op, int writing, long ret)
{
    const pys_quick_bio *self = (pys_quick_bio *)op;

    if (ret <= 0 && pys_bio_fault(self->core, writing) != 0) {
        PyObject *done = pys_quick_call(op, "_fault", "(i)", writing);

        if (done == NULL)
            return NULL;
        Py_DECREF(done);
    }
    return PyLong_FromLong(ret);
}

/* Reads or writes; long_way is the method for all that is not usual. */
static PyObject *
move(PyObject *op, int writing, const char *long_way, PyObject *const *args,
    Py_ssize_t n, PyObject *names)
{
    PyObject *given[2]; /* a buffer, n */
    long ret;

    if (!pys_quick_arguments(args, n, names,
            writing ? &write_form : &read_form, given))
        return NULL;
    if (try_quick((pys_quick_bio *)op, writing, given[0], given[1], &ret))
        return result_of(op, writing, ret);
    return pys_quick_call(op, long_way, "(OO)", given[0], given[1]);
}

PyObject *
pys_quick_bio_read(PyObject *op, PyObject *const *args, Py_ssize_t n_args,
    PyObject *names)
{
    return move(op, 0, "_read", args, n_args, names);
}

PyObject *
pys_quick_bio_write(PyObject *op, PyObject *const *args, Py_ssize_t n_args,
    PyObject *names)
{
    return move(op, 1, "_write", args, n_args, names);
}

PyObject *
pys_quick_bio_pending(PyObject *op, PyObject *none)
{
    pys_bio *core = quick_core((pys_quick_bio *)op);

    (void)none;
    if (core == NULL)
        return pys_quick_call(op, "_pending", "()");
    return PyLong_FromLong(pys_bio_ctrl(core, PYS_CTRL_PENDING, 0));
}

/* ---- pairs ------------------------------------------------------------- */

/* A half that nobody has a view of, or NULL. */
static pys_quick_bio *
half_of(PyObject *op)
{
    pys_quick_bio *self = pys_quick_plain_bio(op);
    const pys_bio *core = self == NULL ? NULL : quick_core(self);

    return core != NULL && core->method == &pys_bio_method_pair ? self : NULL;
}

static void
set_views(pys_quick_bio *self, PyObject *views)
{
    PyObject *before = self->part[PYS_OF_BIO_VIEWS];

    Py_INCREF(views);
    self->part[PYS_OF_BIO_VIEWS] = views;
    Py_XDECREF(before);
}

PyObject *
pys_quick_bio_tie(PyObject *op, PyObject *const *args, Py_ssize_t n_args,
    PyObject *names)
{
    PyObject *given[2], *other, *views;
    pys_quick_bio *one, *two;
    int ret;

    if (!pys_quick_arguments(args, n_args, names, &tie_form, given))
        return NULL;
    other = given[0];
    views = PyList_New(0); /* which may run any code */
    if (views == NULL)
        return NULL;
    one = half_of(op);
    two = half_of(other);
    if (one == NULL || two == NULL) {
        Py_DECREF(views);
        return pys_quick_call(op, "_make_bio_pair", "(O)", other);
    }
    ret = pys_bio_make_pair(one->core, two->core);
    if (ret > 0) {
        set_views(one, views);
        set_views(two, views);
    }
    Py_DECREF(views);
    return result_of(op, 1, ret);
}

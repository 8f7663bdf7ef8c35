/*
 * SSL_do_handshake(3) and SSL_get_error(3) in their usual case: nothing is to
 * be prepared, no callback to be called, the queue of errors is empty.
 */
#include "quick/quick.h"

#include "api/quick.h"

const char pys_quick_doc_handshake[] =
    "do_handshake($self, /)\n--\n\n"
    "Start or continue the handshake, in the role that was set.\n"
    "\n"
    "Returns:\n"
    "    1 once it is complete; 0 if the peer closed before; -1\n"
    "    otherwise, and `get_error` tells why.\n"
    "\n"
    "Errors:\n"
    "    SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: move the BIO's bytes,\n"
    "        call again.\n"
    "    SSL_ERROR_WANT_X509_LOOKUP, SSL_ERROR_WANT_CLIENT_HELLO_CB: a\n"
    "        callback suspended the handshake; call again.\n"
    "    SSL_ERROR_SSL: it failed; a retry does not help.\n"
    "    SSL_ERROR_SYSCALL: the transport failed.\n"
    "\n"
    "Source: SSL_do_handshake(3); contract 1.1.";

const char pys_quick_doc_get_error[] =
    "get_error($self, /, ret)\n--\n\n"
    "Say what a return value of this thread's last call here means.\n"
    "\n"
    "Args:\n"
    "    ret: The value that the I/O call returned.\n"
    "\n"
    "Returns:\n"
    "    An SSL_ERROR_ constant.\n"
    "\n"
    "Source: SSL_get_error(3); contract 2.1.";

enum { ERROR_NONE = 0, ERROR_WANT_READ = 2 }; /* SSL_ERROR_ */

/* ---- what Python tells ------------------------------------------------- */

/* Under the GIL. It begins where no connection has heard it. */
static unsigned long asks = 1;

unsigned long
pys_quick_asks(void)
{
    return asks;
}

PyObject *
pys_quick_asks_changed(PyObject *module, PyObject *none)
{
    (void)module;
    (void)none;
    asks++;
    Py_RETURN_NONE;
}

PyObject *
pys_quick_heard(PyObject *op, PyObject *none)
{
    (void)none;
    ((pys_quick_conn *)op)->asks = asks;
    Py_RETURN_NONE;
}

/* Queues of this thread, one an interpreter, that hold entries. */
static _Thread_local int n_full;

PyObject *
pys_quick_queued(PyObject *module, PyObject *full)
{
    int is = PyObject_IsTrue(full);

    (void)module;
    if (is < 0)
        return NULL;
    n_full += is ? 1 : -1;
    Py_RETURN_NONE;
}

/* ---- do_handshake ------------------------------------------------------ */

/* Remembers an outcome that is about both directions. */
static PyObject *
both_end(pys_quick_conn *self, unsigned long me, enum pys_io io)
{
    self->caller[0] = self->caller[1] = me;
    self->want[0] = self->want[1] = io == PYS_IO_DONE ? PYS_NOTHING :
                                                        PYS_READING;
    return PyLong_FromLong(io == PYS_IO_DONE ? 1 : -1);
}

PyObject *
pys_quick_handshake(PyObject *op, PyObject *none)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    unsigned long me = PyThread_get_thread_ident();
    PyObject *owner, *ret, *did;
    PyThreadState *state;
    int io;

    (void)none;
    if (self->core == NULL || !self->fits || self->asks != asks ||
        n_full != 0 || !pys_quick_is_idle(self) ||
        !pys_quick_may_shake(self->core))
        return pys_quick_call(op, "_shake_hands", "(iO)", PYS_NO_ROLE,
            Py_False);
    if (!pys_quick_take(self, me))
        return NULL;
    state = PyEval_SaveThread();
    io = pys_conn_shake(self->core);
    PyEval_RestoreThread(state);
    if (io == PYS_IO_DONE || io == PYS_IO_WANT_READ)
        return pys_quick_give(self, both_end(self, me, (enum pys_io)io));
    owner = pys_quick_owner(self);
    ret = owner == NULL ? NULL :
                          pys_quick_call(op, "_go_on", "(Oi)", owner, io);
    Py_XDECREF(owner);
    ret = pys_quick_give(self, ret);
    if (ret == NULL)
        return NULL;
    did = pys_quick_call(op, "_raise_parked", "()");
    if (did == NULL)
        Py_CLEAR(ret);
    Py_XDECREF(did);
    return ret;
}

/* ---- get_error --------------------------------------------------------- */

/* SSL_want(3) of this thread's last call. */
static int
wanted(const pys_quick_conn *self, unsigned long me)
{
    bool reading = self->caller[0] == me;
    bool writing = self->caller[1] == me;
    bool mine = self->last ? writing || !reading : writing && !reading;

    return self->want[mine];
}

static const pys_quick_form form = {"O:get_error", {"ret", NULL, NULL}, 1};

PyObject *
pys_quick_get_error(PyObject *op, PyObject *const *args, Py_ssize_t n_args,
    PyObject *names)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *given[2]; /* ret */
    int overflow = 1;
    long n = 1;

    if (!pys_quick_arguments(args, n_args, names, &form, given))
        return NULL;
    if (self->core != NULL && PyLong_Check(given[0]))
        n = PyLong_AsLongAndOverflow(given[0], &overflow);
    if (overflow == 0 && n > 0)
        return PyLong_FromLong(ERROR_NONE);
    if (overflow == 0 && n_full == 0 && pys_quick_is_idle(self) &&
        wanted(self, PyThread_get_thread_ident()) == PYS_READING &&
        pys_quick_waits(self->core))
        return PyLong_FromLong(ERROR_WANT_READ);
    return pys_quick_call(op, "_get_error", "(O)", given[0]);
}

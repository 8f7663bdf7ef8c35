/*
 * What an SSL is told before its handshake, and as it ends: its role, its
 * BIOs, names, the shutdown state. Under both locks, as if by _exclusive; who
 * would have to wait, or is in a callback, goes the long way.
 */
#include "quick/quick.h"

#include <string.h>

#include "pki/verify.h"

const char pys_quick_doc_be_client[] =
    "set_connect_state($self, /)\n--\n\n"
    "Take the client role and begin anew.\n"
    "\n"
    "Source: SSL_set_connect_state(3); contract 1.4.";

const char pys_quick_doc_be_server[] =
    "set_accept_state($self, /)\n--\n\n"
    "Take the server role and begin anew.\n"
    "\n"
    "Source: SSL_set_accept_state(3); contract 1.4.";

const char pys_quick_doc_set_bio[] =
    "set_bio($self, /, rbio, wbio)\n--\n\n"
    "Read from one BIO and write to another, or the same.\n"
    "\n"
    "The BIOs given stay valid for the caller; those held before are let\n"
    "go.\n"
    "\n"
    "Source: SSL_set_bio(3); contract 4.1.";

const char pys_quick_doc_set_name[] =
    "set_tlsext_host_name($self, /, name)\n--\n\n"
    "Set the server name that a client sends; None for none.\n"
    "\n"
    "Args:\n"
    "    name: 1 to 255 bytes, ASCII.\n"
    "\n"
    "Returns:\n"
    "    1; 0 with SSL_R_SSL3_EXT_INVALID_SERVERNAME for another length.\n"
    "\n"
    "Source: SSL_set_tlsext_host_name(3); contract SNI-1.";

const char pys_quick_doc_set_host[] =
    "set1_host($self, /, name)\n--\n\n"
    "Set the name that the peer's certificate must match.\n"
    "\n"
    "Args:\n"
    "    name: Host name or IP address, in place of earlier ones; None or\n"
    "        empty for any certificate.\n"
    "\n"
    "Returns:\n"
    "    1, or 0 for a name that is too long.\n"
    "\n"
    "Source: SSL_set1_host(3); contract VFY-10.";

const char pys_quick_doc_set_shutdown[] =
    "set_shutdown($self, /, mode)\n--\n\n"
    "Overwrite what was sent and received, without I/O.\n"
    "\n"
    "Source: SSL_set_shutdown(3); contract SD-12, SD-13.";

/* Alive, and nobody is inside? Then taking the locks is not waiting. */
static bool
is_free(const pys_quick_conn *self)
{
    return self->core != NULL && pys_quick_is_idle(self) &&
        self->turn[0] != PYS_QUICK && self->turn[1] != PYS_QUICK;
}

/* ---- role -------------------------------------------------------------- */

static PyObject *
be(PyObject *op, enum pys_role role)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    unsigned long me = PyThread_get_thread_ident();
    PyObject *ctx = self->part[PYS_PART_SESSION_CTX];
    pys_quick_ctx *by = ctx == NULL ? NULL : pys_quick_ctx_of(ctx);

    if (!is_free(self) || by == NULL)
        return pys_quick_call(op, "_be", "(i)", (int)role);
    if (!pys_quick_take(self, me))
        return NULL;
    pys_conn_set_role(self->core, role);
    self->role = (int)role;
    self->fits = by->role == PYS_NO_ROLE || by->role == (int)role;
    Py_CLEAR(self->part[PYS_PART_UNSENT]);
    self->want[0] = self->want[1] = PYS_NOTHING;
    self->caller[0] = self->caller[1] = me;
    Py_INCREF(Py_None);
    return pys_quick_give(self, Py_None);
}

PyObject *
pys_quick_be_client(PyObject *op, PyObject *none)
{
    (void)none;
    return be(op, PYS_CLIENT);
}

PyObject *
pys_quick_be_server(PyObject *op, PyObject *none)
{
    (void)none;
    return be(op, PYS_SERVER);
}

/* ---- BIOs -------------------------------------------------------------- */

static const pys_quick_form bio_form = {
    "OO:set_bio", {"rbio", "wbio", NULL}, 2};

/* Attaches plain BIOs where none were; false for any other case. */
static bool
attach(pys_quick_conn *self, PyObject *rbio, PyObject *wbio)
{
    pys_bio *in, *out;

    if (!is_free(self) || self->part[PYS_PART_RBIO] != NULL ||
        self->part[PYS_PART_WBIO] != NULL ||
        !pys_quick_bio_hold(rbio, wbio, &in, &out, self->epoch))
        return false;
    Py_INCREF(rbio);
    self->part[PYS_PART_RBIO] = rbio;
    Py_INCREF(wbio);
    self->part[PYS_PART_WBIO] = wbio;
    pys_conn_set_bio(self->core, in, out);
    return true;
}

PyObject *
pys_quick_set_bio(PyObject *op, PyObject *const *args, Py_ssize_t n,
    PyObject *names)
{
    PyObject *given[2]; /* rbio, wbio */

    if (!pys_quick_arguments(args, n, names, &bio_form, given))
        return NULL;
    if (!attach((pys_quick_conn *)op, given[0], given[1]))
        return pys_quick_call(op, "_set_bio", "(OO)", given[0], given[1]);
    Py_RETURN_NONE;
}

/* ---- names ------------------------------------------------------------- */

typedef bool set_text(pys_conn *, const char *, size_t);

static const pys_quick_form name_form = {
    "O:set_tlsext_host_name", {"name", NULL, NULL}, 1};
static const pys_quick_form host_form = {
    "O:set1_host", {"name", NULL, NULL}, 1};

/* -1: it is a case for the long way, or an exception was raised. */
static int
set_name(pys_quick_conn *self, PyObject *name, set_text *set)
{
    PyObject *bytes;
    const char *p;
    Py_ssize_t n;
    int ret = -1;

    if (!PyUnicode_CheckExact(name))
        return -1;
    bytes = PyUnicode_AsASCIIString(name);
    if (bytes == NULL) {
        PyErr_Clear(); /* it is said by whoever is called then */
        return -1;
    }
    p = PyBytes_AsString(bytes);
    n = PyBytes_Size(bytes);
    if (n >= 1 && n <= PYS_NAME_MAX && memchr(p, 0, (size_t)n) == NULL &&
        is_free(self))
        ret = set(self->core, p, (size_t)n);
    Py_DECREF(bytes);
    return ret;
}

static PyObject *
name_call(PyObject *op, PyObject *name, set_text *set, const char *long_way)
{
    int ret = set_name((pys_quick_conn *)op, name, set);

    if (ret < 0)
        return pys_quick_call(op, long_way, "(O)", name);
    return PyLong_FromLong(ret);
}

PyObject *
pys_quick_set_name(PyObject *op, PyObject *const *args, Py_ssize_t n,
    PyObject *names)
{
    PyObject *given[2]; /* name */

    if (!pys_quick_arguments(args, n, names, &name_form, given))
        return NULL;
    return name_call(op, given[0], pys_conn_set_server_name, "_set_name");
}

PyObject *
pys_quick_set_host(PyObject *op, PyObject *const *args, Py_ssize_t n,
    PyObject *names)
{
    PyObject *given[2]; /* name */

    if (!pys_quick_arguments(args, n, names, &host_form, given))
        return NULL;
    return name_call(op, given[0], pys_conn_set_host, "_set_host");
}

/* ---- shutdown ---------------------------------------------------------- */

static const pys_quick_form mode_form = {
    "O:set_shutdown", {"mode", NULL, NULL}, 1};

PyObject *
pys_quick_set_shutdown(PyObject *op, PyObject *const *args, Py_ssize_t n,
    PyObject *names)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *given[2]; /* mode */
    int overflow = 1;
    long bits = 0;

    if (!pys_quick_arguments(args, n, names, &mode_form, given))
        return NULL;
    if (self->core != NULL && PyLong_Check(given[0]))
        bits = PyLong_AsLongAndOverflow(given[0], &overflow);
    if (overflow != 0)
        return pys_quick_call(op, "_set_shutdown", "(O)", given[0]);
    pys_conn_put_shutdown(self->core, (int)(bits & 3));
    Py_RETURN_NONE;
}

"""Objects that are gone, half made or of the wrong type: CV-2, CV-3.

Whatever a program does with them raises; nothing crashes.
"""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import pickle
import weakref
from typing import Any, Callable

import pytest

import pyssl as p
from tests.api.links import (
    MemLink,
    PairLink,
    PyBio,
    PyLink,
    connected,
    make_contexts,
    make_ends,
    outcome,
    reasons,
    use_identity,
)
from tests.clauses import clause
from tests.pki import ca

LEAF = ca.leaf()
CERT = p.X509.from_der(LEAF.cert_der)
KEY = p.EVP_PKEY.from_der(LEAF.key_der)

# Good values by the name of the parameter; by function where they differ.
GOOD: dict[str, Any] = {
    "CAfile": None,
    "CApath": None,
    "arg": None,
    "authorities": [CERT],
    "buf": bytearray(10),
    "callback": None,
    "cb": None,
    "certificate": CERT,
    "context": None,
    "d": LEAF.cert_der,
    "data": LEAF.cert_pem,
    "depth": 3,
    "fd": -1,
    "file": "/nowhere/at/all",
    "flags": 0,
    "index": 0,
    "label": "EXPORTER-test",
    "len": None,
    "level": 1,
    "mode": 0,
    "name": "name.test",
    "nids": [1034],
    "num": None,
    "options": 0,
    "out": bytearray(10),
    "pkey": KEY,
    "priority": 0,
    "protos": b"\x02h2",
    "rbio": None,
    "ret": -1,
    "result": 0,
    "store": p.SSL_CTX_get_cert_store(p.SSL_CTX(p.TLS_method())),
    "text": "X25519",
    "type": 1,
    "updatetype": 0,
    "use_context": 0,
    "userdata": None,
    "value": None,
    "version": 0,
    "wbio": None,
    "x": CERT,
    "yes": 0,
}
SPECIAL: dict[str, dict[str, Any]] = {
    "SSL_set_ciphersuites": {"text": "TLS_AES_128_GCM_SHA256"},
    "SSL_CTX_set_ciphersuites": {"text": "TLS_AES_128_GCM_SHA256"},
    "SSL_set1_sigalgs_list": {"text": "ed25519"},
    "SSL_CTX_set1_sigalgs_list": {"text": "ed25519"},
    "SSL_use_PrivateKey_mem": {"data": LEAF.key_pem},
    "SSL_CTX_use_PrivateKey_mem": {"data": LEAF.key_pem},
    "SSL_get_servername": {"type": 0},
    "SSL_write": {"data": b"data"},
    "SSL_write_ex": {"data": b"data"},
}
ANYTHING = {"arg", "userdata", "value"}

Function = Callable[..., Any]


def functions_of(kind: type) -> dict[str, Function]:
    """Give the C-named functions whose first argument is of a class."""
    prefix = {p.SSL: "SSL_", p.SSL_CTX: "SSL_CTX_"}[kind]
    others = (
        ("SSL_CTX_", "SSL_CIPHER_", "SSL_SESSION_") if kind is p.SSL else ()
    )
    found: dict[str, Function] = {}
    for name in dir(p):
        function = getattr(p, name)
        if (
            name.startswith(prefix)
            and not name.startswith(others)
            and inspect.isfunction(function)
            and next(iter(inspect.signature(function).parameters), "")
            == "self"
        ):
            found[name] = function
    return found


SSL_FUNCTIONS = functions_of(p.SSL)
CTX_FUNCTIONS = functions_of(p.SSL_CTX)
EVERY = [
    pytest.param(kind, name, function, id=name)
    for kind, functions in ((p.SSL, SSL_FUNCTIONS), (p.SSL_CTX, CTX_FUNCTIONS))
    for name, function in functions.items()
]


def arguments(name: str, function: Function) -> dict[str, Any]:
    """Give good arguments for all but the object."""
    own = SPECIAL.get(name, {})
    names = list(inspect.signature(function).parameters)[1:]
    return {one: own.get(one, GOOD.get(one)) for one in names}


def new(kind: type) -> Any:
    """Make an object of a class."""
    ctx = p.SSL_CTX(p.TLS_method())
    use_identity(ctx, LEAF)
    if kind is p.SSL_CTX:
        return ctx
    ssl, py = p.SSL(ctx), PyBio()
    p.SSL_set_bio(ssl, py.bio, py.bio)
    p.SSL_set_connect_state(ssl)
    return ssl


# ---- freed ----------------------------------------------------------------


def test_the_list_of_functions_is_long() -> None:
    assert len(SSL_FUNCTIONS) > 100
    assert len(CTX_FUNCTIONS) > 50


@pytest.mark.parametrize(("kind", "name", "function"), EVERY)
@clause("CV-3", "CTX-4")
def test_function_on_a_freed_object_raises_value_error(
    kind: type, name: str, function: Function
) -> None:
    it = new(kind)
    keep = p.SSL_get_SSL_CTX(it) if kind is p.SSL else None
    (p.SSL_free if kind is p.SSL else p.SSL_CTX_free)(it)
    del keep

    with pytest.raises(ValueError, match="freed"):
        function(it, *arguments(name, function).values())
    assert reasons() == []


@clause("CV-3", "CTX-4")
def test_free_gives_up_one_reference() -> None:
    link = connected()
    ssl = link.client
    assert p.SSL_up_ref(ssl) == 1
    p.SSL_free(ssl)
    link.send(ssl, b"still there")
    p.SSL_free(ssl)
    with pytest.raises(ValueError, match="freed"):
        p.SSL_free(ssl)
    with pytest.raises(ValueError, match="freed"):
        p.SSL_up_ref(ssl)
    assert "freed" in repr(ssl)


@clause("CV-3")
def test_freed_context_makes_no_connection() -> None:
    ctx = p.SSL_CTX(p.TLS_method())
    p.SSL_CTX_free(ctx)
    with pytest.raises(ValueError, match="freed"):
        p.SSL(ctx)
    with pytest.raises(ValueError, match="freed"):
        p.SSL_CTX_free(ctx)


@clause("CV-3", "OWN-2", "OWN-4", "METH-5")
def test_free_releases_the_bios_once_and_the_garbage_nothing() -> None:
    ssl, py = p.SSL(p.SSL_CTX(p.TLS_method())), PyBio()
    p.SSL_set_bio(ssl, py.bio, py.bio)
    p.BIO_free(py.bio)
    assert py.n_destroyed == 0

    p.SSL_free(ssl)

    assert py.n_destroyed == 1
    del ssl
    gc.collect()
    assert py.n_destroyed == 1
    with pytest.raises(ValueError, match="free"):
        p.BIO_read(py.bio, bytearray(1))


@clause("CV-3", "OWN-4", "METH-5")
def test_bio_given_up_by_the_program_works_for_its_ssl() -> None:
    link = PyLink(*make_ends())
    for py in (link.client_py, link.server_py):
        p.BIO_free(py.bio)
        with pytest.raises(ValueError, match="free"):
            p.BIO_write(py.bio, b"x")
        with pytest.raises(ValueError, match="free"):
            p.BIO_free(py.bio)

    link.established()
    link.send(link.client, b"held")
    with pytest.raises(ValueError, match="free"):
        p.SSL_set_bio(link.client, link.server_py.bio, None)
    link.send(link.server, b"still")


@clause("CV-3", "OWN-4")
def test_freed_half_of_a_pair_leaves_the_other_end_alive() -> None:
    link = PairLink(*make_ends())
    link.established()
    client, bio = link.client, link.client_bio
    p.SSL_free(client)
    p.BIO_free(bio)
    gc.collect()

    server = link.server
    ret = p.SSL_read(server, bytearray(1))
    assert outcome(server, ret)[1] in (1, 2, 5)
    ret = p.SSL_write(server, b"x")
    assert outcome(server, ret)[1] in (0, 1, 5)
    p.SSL_shutdown(server)
    reasons()


# ---- None and other types -------------------------------------------------


@clause("CV-2")
def test_free_functions_accept_none() -> None:
    p.SSL_free(None)
    p.SSL_CTX_free(None)
    p.BIO_free(None)
    p.BIO_free_all(None)
    assert reasons() == []


@pytest.mark.parametrize(("kind", "name", "function"), EVERY)
@clause("CV-2")
def test_object_of_another_type_is_a_type_error(
    kind: type, name: str, function: Function
) -> None:
    rest = list(arguments(name, function).values())
    other = new(p.SSL_CTX if kind is p.SSL else p.SSL)

    for wrong in (None, 0, "", b"", object(), kind, other, CERT):
        with pytest.raises(TypeError):
            function(wrong, *rest)
    with pytest.raises(TypeError):
        function()
    assert reasons() == []


# Parameters of methods in C, which have no annotations.
MAY_BE_NONE = {
    ("SSL_set1_host", "name"),
    ("SSL_set_tlsext_host_name", "name"),
    ("SSL_set_bio", "rbio"),
    ("SSL_set_bio", "wbio"),
    ("SSL_set_session", "session"),
}


def nullable(function: Function, name: str) -> bool:
    """Tell whether the annotation or the default of a parameter is None."""
    if (function.__name__, name) in MAY_BE_NONE:
        return True
    parameter = inspect.signature(function).parameters[name]
    return parameter.default is None or "None" in str(parameter.annotation)


BAD = [
    pytest.param(kind, name, function, one, id=f"{name}-{one}")
    for kind, functions in ((p.SSL, SSL_FUNCTIONS), (p.SSL_CTX, CTX_FUNCTIONS))
    for name, function in functions.items()
    for one in list(inspect.signature(function).parameters)[1:]
    if one not in ANYTHING
]


@pytest.mark.parametrize(("kind", "name", "function", "one"), BAD)
@clause("CV-2")
def test_argument_of_another_type_is_a_type_error(
    kind: type, name: str, function: Function, one: str
) -> None:
    it = new(kind)
    given = arguments(name, function)
    if one == "context":
        given["use_context"] = 1
    wrong: list[Any] = [object(), p.TLS_method()]
    if (name, one) != ("SSL_get_error", "ret"):  # which only compares
        wrong.append(1.5)
    if not nullable(function, one):
        wrong.append(None)

    for value in wrong:
        with pytest.raises((TypeError, ValueError)):
            function(it, *{**given, one: value}.values())
    assert reasons() == []
    if kind is p.SSL:
        assert p.SSL_in_before(it)
        bio = p.SSL_get_rbio(it)
        assert bio is p.SSL_get_wbio(it) is not None
        assert p.BIO_number_written(bio) == 0


@clause("CV-2")
@pytest.mark.parametrize("value", [2**70, -(2**70), 2**63])
@pytest.mark.parametrize(
    "name",
    [
        "options",
        "mode",
        "verify",
        "verify_depth",
        "security_level",
        "hostflags",
        "verify_result",
        "fd",
        "rfd",
        "wfd",
    ],
)
def test_number_of_too_many_bits_is_a_value_error(
    name: str, value: int
) -> None:
    ssl = new(p.SSL)
    setter = getattr(p, f"SSL_set_{name}")
    with pytest.raises(ValueError, match="range"):
        setter(ssl, value)
    assert p.SSL_get_verify_result(ssl) == 0
    assert p.SSL_get_fd(ssl) == -1


@clause("CV-2")
@pytest.mark.parametrize(
    "call",
    [p.SSL_read, p.SSL_peek, p.SSL_read_ex, p.SSL_peek_ex],
)
@pytest.mark.parametrize(
    "buf",
    [
        b"read-only",
        "text",
        memoryview(b"read-only"),
        memoryview(bytearray(10))[::2],
        None,
        7,
        [1, 2],
    ],
    ids=lambda value: type(value).__name__,
)
def test_output_buffer_must_be_writable_and_contiguous(
    call: Any, buf: Any
) -> None:
    link = connected()
    p.SSL_write(link.server, b"data")
    link.move()

    with pytest.raises(TypeError):
        call(link.client, buf)
    assert p.SSL_read(link.client, bytearray(10)) == 4
    assert reasons() == []


@clause("CV-2")
@pytest.mark.parametrize("call", [p.SSL_write, p.SSL_write_ex])
@pytest.mark.parametrize(
    "data",
    ["text", memoryview(bytearray(10))[::2], None, 7, [1, 2]],
    ids=lambda value: type(value).__name__,
)
def test_input_buffer_must_be_contiguous_bytes(call: Any, data: Any) -> None:
    link = connected()

    with pytest.raises(TypeError):
        call(link.client, data)
    assert link.move() == (0, 0)
    link.send(link.client, b"good")


@clause("CV-2")
def test_any_contiguous_buffer_will_do() -> None:
    import array
    import mmap

    link = connected()
    with mmap.mmap(-1, 4096) as pages:
        pages[:4] = b"mmap"
        for data in (
            b"bytes",
            bytearray(b"bytearray"),
            memoryview(b"a view of bytes")[2:6],
            array.array("i", [1, 2, 3]),
            memoryview(bytearray(12)).cast("B", (3, 4)),
        ):
            whole = bytes(data)
            assert p.SSL_write(link.client, data) == len(whole)
            link.move()
            room = array.array("b", bytes(20))
            assert p.SSL_read(link.server, room) == len(whole)
            assert bytes(room)[: len(whole)] == whole
        assert p.SSL_write(link.client, pages, 4) == 4
        link.move()
        assert p.SSL_read(link.server, pages) == 4
        assert pages[:4] == b"mmap"


@clause("CV-2")
@pytest.mark.parametrize("call", [p.SSL_read, p.SSL_peek, p.SSL_write])
@pytest.mark.parametrize("num", [11, 2**31, 2**63, 2**70])
def test_length_beyond_the_buffer_is_a_value_error(
    call: Any, num: int
) -> None:
    link = connected()
    with pytest.raises(ValueError, match="buffer"):
        call(link.client, bytearray(10), num)
    link.send(link.client, b"unharmed")


# ---- half made, copied, made twice ----------------------------------------


@clause("CV-3")
@pytest.mark.parametrize(
    ("kind", "use"),
    [
        (p.SSL, p.SSL_do_handshake),
        (p.SSL, lambda ssl: p.SSL_get_error(ssl, -1)),
        (p.SSL, p.SSL_free),
        (p.SSL_CTX, p.SSL_new),
        (p.SSL_CTX, p.SSL_CTX_free),
        (p.BIO, lambda bio: p.SSL_set_bio(new(p.SSL), bio, bio)),
        (p.BIO, lambda bio: p.BIO_read(bio, bytearray(1))),
        (p.BIO, p.BIO_free),
    ],
)
def test_object_that_was_never_made_raises(kind: Any, use: Any) -> None:
    empty = kind.__new__(kind)

    with pytest.raises((AttributeError, ValueError)):
        use(empty)
    del empty
    gc.collect()


@clause("CV-3")
@pytest.mark.parametrize("argument", [None, 7, "ctx", p.TLS_method()])
def test_construction_that_fails_leaves_nothing(argument: Any) -> None:
    with pytest.raises(TypeError):
        p.SSL(argument)
    gc.collect()
    assert reasons() == []


@clause("CV-3")
@pytest.mark.parametrize("kind", [p.SSL, p.SSL_CTX, p.BIO])
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_object_cannot_be_copied(kind: Any, way: Any) -> None:
    py = PyBio()
    it = py.bio if kind is p.BIO else new(kind)

    with pytest.raises(TypeError):
        way(it)
    gc.collect()
    assert py.n_destroyed == 0


@clause("CV-3")
def test_object_made_a_second_time_is_a_new_one() -> None:
    link = connected()
    ctx = p.SSL_get_SSL_CTX(link.client)
    link.client.__init__(ctx)  # type: ignore[misc]

    assert p.SSL_in_before(link.client)
    assert p.SSL_get_rbio(link.client) is None
    p.SSL_set_connect_state(link.client)
    assert p.SSL_clear(link.server) == 1
    link.attach()
    link.established()


# ---- cycles ---------------------------------------------------------------


def tie_context(link: PyLink) -> None:
    ctx = p.SSL_get_SSL_CTX(link.client)
    p.SSL_CTX_set_cert_cb(ctx, lambda *_: 1, link)

    def choose(ssl: p.SSL, _: Any = link) -> int:
        return 0

    p.SSL_CTX_set_client_cert_cb(ctx, choose)
    p.SSL_CTX_set_default_passwd_cb_userdata(ctx, link)
    p.SSL_CTX_set_tlsext_servername_arg(ctx, link)
    p.SSL_CTX_set_alpn_select_cb(ctx, lambda *_: 3, link)
    p.SSL_CTX_set_client_hello_cb(ctx, lambda *_: 1, link)


def tie_verify(link: PyLink) -> None:
    p.SSL_set_verify(link.client, p.SSL_VERIFY_NONE, None)
    p.SSL_set_cert_cb(link.client, lambda *_: 1, (link, link.client))


def tie_data(link: PyLink) -> None:
    index = p.SSL_get_ex_new_index()
    p.SSL_set_ex_data(link.client, index, link)
    p.SSL_set_ex_data(link.server, index, link.client)


def tie_bios(link: PyLink) -> None:
    p.BIO_set_data(link.client_py.bio, link)
    p.BIO_set_callback_arg(link.server_py.bio, link.server)
    p.BIO_set_callback_ex(link.server_py.bio, lambda *a, _=link: a[-2])


@pytest.mark.parametrize("tie", [tie_context, tie_verify, tie_data, tie_bios])
@pytest.mark.parametrize("used", [False, True])
@clause("CV-3", "METH-5")
def test_cycle_is_collected(tie: Any, used: bool) -> None:
    def make() -> list[Any]:
        link = PyLink(*make_ends())
        link.client_py.link = link  # type: ignore[attr-defined]
        tie(link)
        if used:
            link.step()
        return [
            weakref.ref(it)
            for it in (
                link.client,
                link.server,
                p.SSL_get_SSL_CTX(link.client),
                link.client_py.bio,
                link.server_py.bio,
            )
        ]

    seen = make()
    gc.collect()
    gc.collect()

    assert [ref() for ref in seen] == [None] * 5


class _Keeper:
    """Brings objects back when the collector has finished with them."""

    def __init__(self, kept: list[Any], objects: tuple[Any, ...]) -> None:
        self.kept = kept
        self.objects = objects

    def __del__(self) -> None:
        self.kept.extend(self.objects)


@clause("CV-3")
@pytest.mark.parametrize("attached", [True, False])
def test_object_brought_back_from_a_collected_cycle_is_freed(
    attached: bool,
) -> None:
    kept: list[Any] = []
    ssl = p.SSL(p.SSL_CTX(p.TLS_method()))
    rbio, wbio = p.BIO(p.BIO_s_mem()), p.BIO(p.BIO_s_mem())
    if attached:
        ssl.set_bio(rbio, wbio)
    rbio.set_data((ssl, _Keeper(kept, (ssl, rbio, wbio)), rbio, wbio))
    del ssl, rbio, wbio
    gc.collect()
    ssl, rbio, wbio = kept
    for use in (
        ssl.do_handshake,
        ssl.get_options,
        rbio.pending,
        functools.partial(wbio.write, b"x"),
    ):
        with pytest.raises(ValueError, match="was freed"):
            use()


# ---- from inside ----------------------------------------------------------

INSIDE: dict[str, Callable[[p.SSL], Any]] = {
    "do_handshake": p.SSL_do_handshake,
    "connect": p.SSL_connect,
    "accept": p.SSL_accept,
    "read": lambda ssl: p.SSL_read(ssl, bytearray(1)),
    "peek": lambda ssl: p.SSL_peek(ssl, bytearray(1)),
    "write": lambda ssl: p.SSL_write(ssl, b"x"),
    "shutdown": p.SSL_shutdown,
    "clear": p.SSL_clear,
    "free": p.SSL_free,
    "key_update": lambda ssl: p.SSL_key_update(ssl, 0),
    "set_bio": lambda ssl: p.SSL_set_bio(ssl, None, None),
    "set0_rbio": lambda ssl: p.SSL_set0_rbio(ssl, None),
    "set_fd": lambda ssl: p.SSL_set_fd(ssl, 0),
}


@pytest.mark.parametrize("use", INSIDE)
@pytest.mark.parametrize("operation", ["read", "write", "ctrl"])
@pytest.mark.parametrize("established", [False, True])
@clause("CV-3", "CV-8", "METH-8")
def test_io_from_inside_a_bio_operation_is_a_runtime_error(
    use: str, operation: str, established: bool
) -> None:
    link = PyLink(*make_ends())
    if established:
        link.established()
    ssl, method = link.client, link.client_py.method
    inner = getattr(p, f"BIO_meth_get_{operation}")(method)
    raised = []

    def op(*a: Any) -> Any:
        with pytest.raises(RuntimeError) as caught:
            INSIDE[use](ssl)
        raised.append(caught.value)
        return inner(*a)

    getattr(p, f"BIO_meth_set_{operation}")(method, op)
    if established:
        p.SSL_write(ssl, b"data")
        p.SSL_read(ssl, bytearray(9))
    else:
        assert outcome(ssl, p.SSL_do_handshake(ssl)) == (-1, 2)

    assert raised
    getattr(p, f"BIO_meth_set_{operation}")(method, inner)
    if not established:
        link.established()
    assert reasons() == []


@pytest.mark.parametrize("use", INSIDE)
@pytest.mark.parametrize("which", ["hello", "name", "cert", "alpn", "keylog"])
@clause("CV-3", "CV-8")
def test_io_from_inside_a_callback_is_a_runtime_error(
    use: str, which: str
) -> None:
    client_ctx, server_ctx = make_contexts()
    raised = []

    def callback(answer: Any) -> Callable[..., Any]:
        def inside(ssl: p.SSL, *_: Any) -> Any:
            with pytest.raises(RuntimeError) as caught:
                INSIDE[use](ssl)
            raised.append(caught.value)
            return answer

        return inside

    if which == "hello":
        p.SSL_CTX_set_client_hello_cb(server_ctx, callback(1), None)
    elif which == "name":
        p.SSL_CTX_set_tlsext_servername_callback(server_ctx, callback(0))
    elif which == "cert":
        p.SSL_CTX_set_cert_cb(server_ctx, callback(1), None)
    elif which == "alpn":
        p.SSL_CTX_set_alpn_protos(client_ctx, b"\x02h2")
        p.SSL_CTX_set_alpn_select_cb(server_ctx, callback(3), None)
    else:
        p.SSL_CTX_set_keylog_callback(server_ctx, callback(None))
    link = MemLink(*make_ends(client_ctx, server_ctx))
    link.established()

    assert raised
    link.send(link.server, b"goes on")


@clause("CV-3")
def test_last_names_may_go_inside_a_callback() -> None:
    client_ctx, server_ctx = make_contexts()
    held: list[Any] = [make_ends(client_ctx, server_ctx)]
    py = PyBio()
    client, server = held[0]
    p.SSL_set_bio(server, py.bio, py.bio)
    out = PyBio()
    p.SSL_set_bio(client, out.bio, out.bio)
    p.SSL_do_handshake(client)
    py.incoming += out.outgoing
    seen = weakref.ref(server)

    def drop(ssl: p.SSL, *_: Any) -> int:
        held.clear()
        gc.collect()
        p.SSL_CTX_free(server_ctx)
        return 0

    p.SSL_CTX_set_tlsext_servername_callback(server_ctx, drop)
    call = server.do_handshake
    del client, server
    ret = call()
    del call
    gc.collect()

    assert (ret, seen()) == (-1, None)
    assert len(py.outgoing) > 500  # the whole flight


@clause("CV-3", "OWN-4")
def test_objects_freed_in_any_order() -> None:
    for order in range(24):
        link = PyLink(*make_ends())
        link.step()
        ctx = p.SSL_get_SSL_CTX(link.client)
        parts: list[Callable[[], Any]] = [
            functools.partial(p.SSL_free, link.client),
            functools.partial(p.BIO_free, link.client_py.bio),
            functools.partial(p.SSL_CTX_free, ctx),
            functools.partial(p.BIO_meth_free, link.client_py.method),
        ]
        at = order
        while parts:
            parts.pop(at % len(parts))()
            at //= 2
        gc.collect()
        assert link.client_py.n_destroyed == 1

# Every command that a developer or CI runs. It needs Python 3, git and make;
# the rest is installed with apt-get where that is allowed, or named.
#
#   make demo     what the package does, on a page
#   make test     the whole suite
#   make check    lint + typecheck + test
#   make help     all of them

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMPS := build/stamps
C_FILES := $(shell find csrc -name '*.[ch]')
PY_DIRS := pyssl tests wheels setup.py

# make test T='tests/api/test_err.py -x' runs a part; J=0 in one process.
T ?= tests
J ?= 2
PARALLEL := $(if $(filter-out 0,$(J)),-n $(J) --dist loadgroup)

# The library that the primitives come from: awslc, or libcrypto if it is empty.
PRIMITIVES ?=
AWSLC := build/awslc
ifneq ($(PRIMITIVES),)
ifneq ($(PRIMITIVES),awslc)
$(error PRIMITIVES=$(PRIMITIVES): there is awslc only)
endif
SUPPLY := $(AWSLC)
SUPPLIED := PYSSL_PRIMITIVES=$(CURDIR)/$(AWSLC)
C_SUPPLY := -DPYS_AWSLC=1 -I$(AWSLC)/include
endif

C_WARN := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes \
	-Wmissing-prototypes -Wundef -Werror
C_LINT := -std=c11 -D_DEFAULT_SOURCE -DOPENSSL_NO_DEPRECATED= -O2 \
	$(C_WARN) -Icsrc -DPYS_VERSION='"lint"' $(C_SUPPLY) -fsyntax-only
C_PYTHON = -isystem \
	"$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("include"))')"
C_SOURCES = $$($(SUPPLIED) $(PY) -c 'import runpy; \
	recipe = runpy.run_path("pyssl/_build.py"); \
	print(*recipe["sources"](), *recipe["quick_sources"]())')

.PHONY: help build test check lint format typecheck asan tsan interop fuzz \
	clauses table cov bench bench-both bench-check demo sdist wheel \
	test-wheel clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#:\( *\)/  /p' Makefile

#: build      the virtual environment and the extension, in place
build: $(STAMPS)/build

#: test       the suite, on the test core (T=what to run, J=processes)
test: $(STAMPS)/build $(SUPPLY)
	$(SUPPLIED) $(PY) -m tests.build_core
	$(SUPPLIED) $(PY) -m pytest -q $(PARALLEL) $(T)

#: check      lint, typecheck, test; with PRIMITIVES=awslc, all of these, asan,
#: -          tsan and interop take the primitives from AWS-LC, as the wheel does
check: lint typecheck test

#: lint       C compiles without a warning, formats are kept, ruff is content
lint: $(STAMPS)/venv $(SUPPLY)
	$(BIN)/ruff check $(PY_DIRS)
	$(BIN)/ruff format --check $(PY_DIRS)
	$(or $(CC),cc) $(C_LINT) $(C_PYTHON) $(C_SOURCES)
	$(or $(CC),cc) $(C_LINT) $(C_PYTHON) -DPYS_TEST $(C_SOURCES)
	find csrc -name '*.[ch]' -exec $(BIN)/clang-format -n -Werror {} +

#: format     rewrites C and Python in the project's format
format: $(STAMPS)/venv
	$(BIN)/ruff check --fix $(PY_DIRS)
	$(BIN)/ruff format $(PY_DIRS)
	find csrc -name '*.[ch]' -exec $(BIN)/clang-format -i {} +

#: typecheck  mypy, strict
typecheck: $(STAMPS)/venv
	$(BIN)/mypy

# Leaks: the interpreter keeps what it allocated until the end, so the leak
# check would report Python itself; a test measures memory instead. Sizes that
# no allocation meets must answer NULL as malloc does.
ASAN_RUN = LD_PRELOAD="$$($(or $(CC),cc) -print-file-name=libasan.so)" \
	ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1 \
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	PYTHONMALLOC=malloc PYSSL_TEST_CORE=build/asan
# The thread sanitizer needs addresses where it expects them.
FIXED = $(shell setarch -R true 2>/dev/null && echo setarch -R)
TSAN_RUN = LD_PRELOAD="$$($(or $(CC),cc) -print-file-name=libtsan.so)" \
	TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=tests/tsan.supp \
	PYSSL_TEST_CORE=build/tsan

#: asan       the suite under the address and undefined-behaviour sanitizers
asan: $(STAMPS)/build $(SUPPLY)
	$(SUPPLIED) $(PY) -m tests.build_core --asan
	$(SUPPLIED) $(ASAN_RUN) $(PY) -m pytest -q $(PARALLEL) $(T)

#: tsan       the tests marked "threads" under the thread sanitizer
tsan: $(STAMPS)/venv $(SUPPLY)
	$(SUPPLIED) $(PY) -m tests.build_core --tsan
	$(SUPPLIED) $(TSAN_RUN) $(FIXED) $(PY) -m pytest -q -m threads $(T)

#: interop    every peer that can be had, all of the matrix, as a table
interop: $(STAMPS)/build $(STAMPS)/peers $(SUPPLY)
	$(SUPPLIED) $(PY) -m tests.build_core
	$(SUPPLIED) INTEROP=all $(PY) -m pytest -q $(PARALLEL) tests/peer/test_interop.py

#: fuzz       libFuzzer on the core (SECONDS=600 for each target, clang)
fuzz: $(STAMPS)/venv
	command -v clang >/dev/null || WITH=clang sh wheels/system.sh
	$(PY) -m tests.fuzz --seconds $(or $(SECONDS),600)

#: clauses    clauses of docs/contract.md that no test cites
clauses: $(STAMPS)/build
	$(PY) -m tests.build_core
	$(PY) -m tests.clauses

#: table      the legal orders of handshake messages, from the core's steps
table: $(STAMPS)/venv
	$(PY) -m tests.build_core
	$(PY) -m tests.flight

#: cov        line coverage of the Python part
cov: $(STAMPS)/venv
	$(PY) -m pip install -q coverage
	$(PY) -m tests.build_core
	$(PY) -m coverage run --source=pyssl -m pytest -q $(T)
	$(PY) -m coverage report --skip-covered

#: bench      measures us against other packages (ARGS=its options)
bench: $(STAMPS)/build
	-$(PY) -m pip install -q --disable-pip-version-check \
		--only-binary :all: 'pyssl-tls[bench]'
	$(PY) -m pyssl.bench $(addprefix --beside ,$(BESIDE)) $(ARGS)

#: bench-both  the same, with the wheel's libraries beside the system's
bench-both: $(STAMPS)/build $(AWSLC)
	rm -rf build/beside
	PYSSL_PRIMITIVES=$(CURDIR)/$(AWSLC) \
		PYSSL_LIBCRYPTO="$$($(PY) wheels/libcrypto.py | tail -n 1)" \
		$(PY) setup.py -q build --force \
		--build-lib build/beside/lib --build-temp build/beside/tmp
	$(MAKE) bench BESIDE=build/beside/lib

# With the system's libcrypto and with the wheel's, against tests/bench/guard.json;
# ARGS=--accept writes the counts there, ARGS=--system leaves the wheel's out.
#: bench-check  counts instructions of the main paths (ARGS=--accept)
bench-check: $(STAMPS)/build
	command -v valgrind >/dev/null || WITH=valgrind sh wheels/system.sh
	$(PY) -m tests.bench.guard $(ARGS)

#: demo       a handshake over each kind of BIO, told step by step
demo: $(STAMPS)/build
	$(PY) -m pyssl.demo

#: sdist      the source archive, in dist/
sdist: $(STAMPS)/venv
	$(PY) -m pip install -q build
	$(PY) -m build --sdist

#: wheel      the wheel, libraries inside, audited and built twice, in dist/
wheel: $(STAMPS)/venv $(AWSLC)
	rm -rf dist
	$(PY) wheels/make.py

#: test-wheel the wheel in a clean environment of every Python there is
test-wheel: $(STAMPS)/venv
	test -n "$$(ls dist/*.whl 2>/dev/null)" || $(MAKE) wheel
	$(PY) wheels/try_wheel.py

#: clean      removes all that was built
clean:
	rm -rf build dist $(VENV) *.egg-info pyssl/_pyssl.c pyssl/_pyssl*.so

# ---- what the commands stand on -------------------------------------------

# Compiler, libcrypto, Python's headers; openssl and curl are the tests' peers.
$(STAMPS)/system: wheels/system.sh
	@mkdir -p $(STAMPS)
	PYTHON=$(PYTHON) sh wheels/system.sh
	@touch $@

# The environment, with the package installed from here in editable form.
$(STAMPS)/venv: pyproject.toml setup.py MANIFEST.in | $(STAMPS)/system
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --disable-pip-version-check \
		'setuptools>=77' 'cffi>=1.16'
	$(PY) -m pip install -q --disable-pip-version-check \
		--no-build-isolation -e '.[dev,test]'
	@touch $@

$(STAMPS)/build: $(C_FILES) pyssl/_build.py $(STAMPS)/venv
	$(PY) setup.py -q build_ext --inplace
	@touch $@

# AWS-LC as the wheel has it, from the cache of wheels/awslc.py.
$(AWSLC): wheels/awslc.py wheels/awslc.pin wheels/supply.py | $(STAMPS)/venv
	command -v cmake >/dev/null || WITH=cmake sh wheels/system.sh
	@mkdir -p build
	prefix="$$($(PY) wheels/awslc.py | tail -n 1)" && ln -sfn "$$prefix" $@

# The peers of the matrix, in a place of their own.
$(STAMPS)/peers: tests/peer/install.sh $(wildcard tests/peer/peers/agents/*)
	PYTHON=$(PYTHON) sh tests/peer/install.sh build/interop
	@touch $@

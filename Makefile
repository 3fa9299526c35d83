# make run    serve on http://127.0.0.1:8080/ with the state in ./state
# make test   every test that CI runs        make check   lint, types, changelog
# make bench  speed and size beside peers    make ledger CYCLES=1000
# make faults                                each system call fails in each way, not a third
# make races ROUNDS=1000                     1000 waiters a round, 2000 slow readers
# make evidence  the long runs, see EVIDENCE.md; TESTS=tests/evidence/test_damage.py for one
# make fuzz SECONDS=3600                     bytes of any kind, each target so long
# make soak   memory and descriptors while clusters come and go; N=1000000 for long
#
# make deb    a Debian package in dist      make dist-directory  the same for anywhere
# make wheels a directory for an installation without network, dist/wheels
# make deb-test  install the package in a new Debian; SUITE=trixie for another
# make pins   requirements/run.txt anew from setup.py and constraints.txt
#
# Everything is installed into .venv; PYTHON names the interpreter to begin with, JOBS
# says how many tests run at the same time.

PYTHON ?= python3
JOBS ?= 2
CYCLES ?= 1000
ROUNDS ?= 1000
SECONDS ?= 3600
N ?= 120000
TESTS ?= tests/evidence tests/e2e/test_faults.py tests/e2e/test_clock.py \
    tests/e2e/test_agent_clock.py
PYTHONS ?= 3.11 3.12 3.13 3.14
SUITE ?= bookworm
SOURCES := $(shell find cvmpair agent twisted -name '*.py' -o -name '*.sql' -o -path '*/assets/*') setup.py pyproject.toml README.md
BIN := .venv/bin

.PHONY: run test check bench soak ledger faults races evidence fuzz clean test-packages \
    pins wheels dist-directory deb deb-test

run: .venv/installed
	$(BIN)/twistd -n --pidfile= cvmpair --state-dir state $(ARGS)

test: .venv/installed-test test-packages
	$(BIN)/python -m pytest --numprocesses=$(JOBS) --dist=worksteal $(ARGS)

check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --strict tools
	$(BIN)/python -m tools.pins
	$(BIN)/python -m pytest -q tests/test_house.py
	@tools/check-changelog $(BIN)/towncrier

bench: .venv/installed-bench
	@tools/need-packages time wrk curl etcd-server nginx-light redis-server
	$(BIN)/python -m bench $(ARGS)

soak: .venv/installed-test
	$(BIN)/python -m bench.soak --clusters $(N)

ledger: .venv/installed-test
	$(BIN)/python -m tests.e2e.ledger --cycles $(CYCLES)

faults: .venv/installed-test test-packages
	CVMPAIR_EVIDENCE=full $(BIN)/python -m pytest -s tests/e2e/test_faults.py

races: .venv/installed-test
	CVMPAIR_RACES=$(ROUNDS) CVMPAIR_RACERS=1000 CVMPAIR_SLOW_READERS=2000 \
	$(BIN)/python -m pytest tests/web/test_waiting_races.py tests/e2e/test_waiting.py

evidence: .venv/installed-test test-packages
	CVMPAIR_EVIDENCE=full $(BIN)/python -m pytest -s $(TESTS) $(ARGS)

fuzz: .venv/installed-test
	CVMPAIR_FUZZ_SECONDS=$(SECONDS) $(BIN)/python -m pytest -s tests/evidence/test_fuzzing.py

test-packages: .venv/installed-test
	@tools/need-packages curl strace faketime openssl time wrk \
	    genisoimage dosfstools mtools systemd python3 groff-base iproute2 prometheus
	@tools/fetch-cloud-init .venv/cloud-init
	@tools/need-browser $(BIN)/playwright

pins: .venv/installed-test
	$(BIN)/pip install --quiet uv
	$(BIN)/python -m tools.pins --write

wheels: .venv/installed-test
	$(BIN)/python -m tools.wheels dist/wheels --python $(PYTHONS)

dist-directory: wheels
	@$(BIN)/python -m tools.stage dist/wheels dist

deb: wheels
	@$(BIN)/python -m tools.deb dist/wheels dist

deb-test: deb test-packages
	@tools/need-packages debootstrap
	@tools/make-root $(SUITE) .venv/$(SUITE)
	CVMPAIR_DEBIAN=.venv/$(SUITE) $(BIN)/python -m pytest tests/release/test_in_debian.py

clean:
	rm -rf .venv build *.egg-info

.venv/created:
	@tools/make-venv $(PYTHON) .venv
	@touch $@

.venv/wheels: .venv/created requirements/run.txt
	@rm -rf $@
	$(BIN)/pip download --quiet --no-deps --require-hashes --dest $@ \
	    --requirement requirements/run.txt
	@touch $@

.venv/installed: .venv/wheels $(SOURCES)
	@rm -rf build
	$(BIN)/pip install --quiet --no-index --find-links .venv/wheels --no-deps \
	    --require-hashes --requirement requirements/run.txt
	$(BIN)/pip install --quiet --upgrade --no-deps .
	@touch $@

.venv/installed-test: .venv/installed constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt '.[test]'
	@touch $@

.venv/installed-bench: .venv/installed-test
	@$(BIN)/pip install --quiet --constraint constraints.txt '.[bench]'
	@touch $@

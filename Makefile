# Every target sets up what it needs. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCKS  := requirements/bootstrap.lock requirements/dev.lock requirements/faces.lock
STAMP  := $(VENV)/.setup-stamp
PCSC   := $(VENV)/.pcsc-stamp
MODBUS := $(VENV)/.modbus-stamp
OSDP   := $(VENV)/.osdp-stamp
PKCS11 := $(VENV)/.pkcs11-stamp
ATHERIS := $(VENV)/.fuzz-stamp
INSIGHTFACE := $(VENV)/peer-insightface
PEER   := $(VENV)/peer-pymrtd
SBOM   ?= $(VENV)/sbom
MRZ_PEERS := passporteye fastmrz rapidocr mrz
PYMRTD_COMMIT := 3731a0e45999d7924499393a0da5826436dffd38
TRAIN  := $(VENV)/train-mrz
TORCH  ?= --torch-backend cpu
SEED   ?= 1
OUT    ?= build/train-mrz
ROOMS  := gate mrz pki faceverify hardware
ARGS   ?=
TRIAL  ?= .state/simulation
TESTS  ?= tests
WORKERS ?= 2
SESSIONS ?= 1000
SECONDS ?= 60

export ORT_DISABLE_TELEMETRY := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo-fleet package package-test sbom setup-pcsc setup-modbus setup-pkcs11 setup-osdp setup-osdp-peer setup-fuzz setup-insightface setup-peers setup-mrz-peers train-mrz firmware modbus-controller demo test interop fuzz check model-check kill-test kill-syscalls fire-test outage soak bench conformity bench-report bench-check bench-lane bench-serial bench-mrz bench-watchlist bench-screens bench-lanes bench-fleet chaos-fleet trial fmt lint types layers lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make the environment from the hash-pinned locks

$(STAMP): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "autogate needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV) || { echo 'The venv module is missing: install your system'"'"'s python3-venv package.' >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	UV_COMPILE_BYTECODE=1 $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(LOCKS)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	$(BIN)/python -m compileall -q $(ROOMS)
	@touch $@

setup-pcsc: $(PCSC) ## add pyscard, for chips in PC/SC readers (builds it: wants swig, a C compiler, headers of PC/SC and Python)

$(PCSC): $(STAMP) requirements/pcsc.lock requirements/pcsc-build.lock
	@$(BIN)/python requirements/missing.py
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps \
	    --build-constraints requirements/pcsc-build.lock -r requirements/pcsc.lock
	@touch $@

setup-modbus: $(MODBUS) ## add pymodbus, for gate controllers on Modbus RTU

$(MODBUS): $(STAMP) requirements/modbus.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/modbus.lock
	@touch $@

setup-pkcs11: $(PKCS11) ## add python-pkcs11, for the audit's key in a token

$(PKCS11): $(STAMP) requirements/pkcs11.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/pkcs11.lock
	@touch $@

# libosdp's own waits (300 s after a bad frame, 9 s for a frame that was lost) are fixed when it is compiled. uv keeps what it built without
# asking with which flags, hence no cache.
setup-osdp: $(OSDP) ## add libosdp, for the lamp, buzzer and inputs of readers (builds it with short waits: wants a C compiler, headers of Python)

$(OSDP): $(STAMP) requirements/osdp.lock requirements/pcsc-build.lock
	@$(BIN)/python requirements/missing.py libosdp
	CFLAGS='-DOSDP_ONLINE_RETRY_WAIT_MAX_MS=200u -DOSDP_CMD_RETRY_WAIT_MS=50 -DOSDP_CMD_MAX_RETRIES=3' \
	    $(BIN)/uv pip install --quiet --python $(BIN)/python --no-cache --reinstall --require-hashes --no-deps --no-binary libosdp \
	    --build-constraints requirements/pcsc-build.lock -r requirements/osdp.lock
	@touch $@

setup-osdp-peer: $(STAMP) ## add libosdp as it comes ready-made, in an environment of its own, for `make bench-serial`
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/peer-libosdp
	$(BIN)/uv pip install --quiet --python $(VENV)/peer-libosdp/bin/python --require-hashes --no-deps --only-binary libosdp -r requirements/osdp.lock

setup-fuzz: $(ATHERIS) ## add atheris, which steers fuzzing by what it reaches (Linux, Python 3.11 to 3.13)

$(ATHERIS): $(STAMP) requirements/fuzz.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/fuzz.lock
	@touch $@

setup-insightface: $(INSIGHTFACE)/.setup-stamp ## add the face backend and peer insightface, in an environment of its own that runs autogate too

$(INSIGHTFACE)/.setup-stamp: $(STAMP) requirements/serve.lock requirements/insightface.lock
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(INSIGHTFACE)
	$(BIN)/uv pip sync --quiet --python $(INSIGHTFACE)/bin/python --require-hashes requirements/serve.lock requirements/faces.lock requirements/insightface.lock
	$(BIN)/uv pip install --quiet --python $(INSIGHTFACE)/bin/python --no-deps --editable .
	@touch $@

setup-peers: $(STAMP) ## add pymrtd (LGPL) in an environment of its own, for `make bench` (PYMRTD=CLONE of ZeroPass/pymrtd)
	@test -n "$(PYMRTD)" || { echo 'Say where a clone of ZeroPass/pymrtd is: make setup-peers PYMRTD=FOLDER' >&2; exit 1; }
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(PEER)
	$(BIN)/uv pip sync --quiet --python $(PEER)/bin/python --require-hashes requirements/peers-pymrtd.lock
	git -C $(PYMRTD) archive -o $(abspath $(PEER))/pymrtd.tar $(PYMRTD_COMMIT) src LICENSE.LGPL
	tar -xf $(PEER)/pymrtd.tar -C $(PEER)

train-mrz: $(STAMP) ## train the OCR-B line model anew, under twenty minutes on two idle cores (SEED=1 OUT=build/train-mrz; wants fonts-ocr-b)
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(TRAIN)
	$(BIN)/uv pip install --quiet --python $(TRAIN)/bin/python $(TORCH) -r mrz/training/requirements.txt
	$(TRAIN)/bin/python -W ignore -m mrz.training --seed $(SEED) --out $(OUT) $(ARGS)

setup-mrz-peers: $(STAMP) ## add other readers of pictures and zones (MIT, AGPL, Apache, GPL) in environments of their own, for `make bench` and `make bench-mrz`
	for peer in $(MRZ_PEERS); do \
	    $(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/peers-mrz/$$peer && \
	    $(BIN)/uv pip sync --quiet --python $(VENV)/peers-mrz/$$peer/bin/python --require-hashes requirements/peers-mrz-$$peer.lock || exit 1; \
	done

demo: $(STAMP) ## twelve travellers through a simulated lane (ARGS="--headless --once --json out.json")
	$(BIN)/autogate demo $(ARGS)

firmware: ## the gate controller's reference firmware in C, plain and with sanitizers (wants a C compiler; with libmodbus that on Modbus, too)
	$(MAKE) --no-print-directory -C hardware/firmware

modbus-controller: ## the gate controller on Modbus RTU in C (wants libmodbus-dev)
	$(MAKE) --no-print-directory -C hardware/firmware modbus

# Where there is no C compiler, the tests of the firmware in C are skipped and say why.
test: $(STAMP) $(if $(shell command -v cc),firmware) ## all tests (TESTS=tests/mrz for some)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --benchmark-disable $(TESTS) $(ARGS)

interop: $(STAMP) ## a thousand sessions of each protocol variant against independent implementations
	$(BIN)/python -m pytest tests/interop --sessions $(SESSIONS) $(ARGS)

fuzz: $(STAMP) ## any bytes into whatever parses a chip's (SECONDS=60 in all; ARGS="--only dg2" for some)
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(SECONDS) $(ARGS)

# Where every real component is required, atheris, insightface, pymodbus, python-pkcs11 and libosdp are among them.
check: $(if $(filter 1,$(AUTOGATE_REQUIRE_ALL)),$(MODBUS) $(PKCS11) $(OSDP) $(ATHERIS) $(INSIGHTFACE)/.setup-stamp) lint types layers test ## what CI runs; twenty interoperability sessions a variant, a minute of fuzzing and fifty killed hosts come last
	$(MAKE) interop SESSIONS=20 ARGS="--numprocesses $(WORKERS) -q -q"
	$(MAKE) fuzz ARGS=
	$(MAKE) kill-test ARGS="--trials 54 --lanes 14 --at-least 50 --most-void 0.5"
	$(MAKE) fire-test ARGS="--trials 28 --lanes 14 --most-void 0.5"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

model-check: $(STAMP) ## every reachable state of lane, controller, plant and people under two faults (ARGS=--quick: under one, telemetry in time)
	$(BIN)/python -m benchmarks.model_check $(ARGS)

kill-test: $(STAMP) $(if $(shell command -v cc),firmware) ## hosts killed and stopped at a thousand random moments: what the doors do then (ARGS="--trials 54 --lanes 14")
	$(BIN)/python -m benchmarks.kill_test $(ARGS)

kill-syscalls: $(STAMP) ## every process with lasting state killed at every write and sync, one run a call (wants strace; ARGS='--only "audit: checkpoints"')
	$(BIN)/python -m benchmarks.kill_syscalls $(ARGS)

fire-test: $(STAMP) $(if $(shell command -v cc),firmware) ## fire with the host alive, dead and stopped: how soon both doors are free
	$(BIN)/python -m benchmarks.fire_test $(ARGS)

outage: $(STAMP) ## two days without the national data centre, and a thousand killed writers of crossings (ARGS="--began 2026-06-20")
	$(BIN)/python -m benchmarks.outage $(ARGS)
	$(BIN)/python -m benchmarks.kill_outbox

soak: $(STAMP) $(OSDP) ## the long suites at full count, with a JSON report
	$(BIN)/python -m benchmarks.soak $(ARGS)

bench: $(STAMP) ## speed, side by side with its floors and peers, saved with the machine's facts (ARGS=--quick, ARGS=--full, ARGS="-k chip")
	$(BIN)/python -m benchmarks.history run $(ARGS)

bench-report: $(STAMP) ## the saved runs as one page: figures, ratios over time, peers that were not run
	$(BIN)/python -m benchmarks.history report $(ARGS)

bench-check: $(STAMP) ## fail where the newest run's ratios grew beyond what is allowed over the recorded ones
	$(BIN)/python -m benchmarks.history check $(ARGS)

bench-lane: $(STAMP) ## what the lane costs and how late its loop is: compute of a traveller, 200 gates, lag (ARGS=--quick)
	$(BIN)/python -m benchmarks.lane_load $(ARGS)

bench-serial: $(MODBUS) $(OSDP) firmware modbus-controller ## serial links, clean and bad: how long a command takes, and that it is done once
	$(BIN)/python -m benchmarks.serial_table $(ARGS)

bench-mrz: $(STAMP) ## readers of pictures beside one another (IMAGES=DIR; ARGS="--tessdata DIR --json FILE --overlays DIR")
	@test -n "$(IMAGES)" || { echo 'Say where the pictures are: make bench-mrz IMAGES=FOLDER (see benchmarks/README.md)' >&2; exit 1; }
	$(BIN)/python -m benchmarks.mrz_table $(IMAGES) --peers $(VENV)/peers-mrz $(ARGS)

bench-watchlist: $(STAMP) ## namesakes on a list of a million: needless referrals, misses, milliseconds, memory (ARGS="--entries 100000", ARGS=--calibrate)
	$(BIN)/python -m benchmarks.watchlist $(ARGS)

bench-screens: $(STAMP) ## the pages: first paint, a change of the lane until it stands on the screen, the console before ten lanes (wants Chromium)
	$(BIN)/python -m benchmarks.screens
	$(BIN)/python -m benchmarks.screens_console $(ARGS)

demo-fleet: $(STAMP) ## twenty gates, broker, database, collector and the fleet page on this machine (ARGS="--minutes 2"; wants nats-server, PostgreSQL)
	$(BIN)/autogate fleet demo $(ARGS)

bench-fleet: $(STAMP) ## 3,000 gates at their pace: records a second, receipts, processor and memory, one back after 14 days (ARGS=--quick; wants nats-server, PostgreSQL)
	$(BIN)/python -m benchmarks.fleet_bench $(ARGS)

chaos-fleet: $(STAMP) ## two million records while messages are lost and doubled, and broker, collectors, database and gates are killed (ARGS="--events 10000000 --minutes 60")
	$(BIN)/python -m benchmarks.fleet_chaos $(ARGS)

bench-lanes: $(STAMP) ## how many lanes this machine carries before travellers feel it (ARGS="--lanes 1,4,7,10 --travellers 15")
	$(BIN)/python -m benchmarks.lanes_per_machine $(ARGS)

trial: $(STAMP) ## a simulated trial and the report on it (ARGS="--days 7 --airport CGK --seed 1"; into .state/simulation, TRIAL=DIR elsewhere)
	rm -rf $(TRIAL)
	$(BIN)/autogate simulate --state $(TRIAL) $(ARGS)
	$(BIN)/autogate report trial --state $(TRIAL)/*-*/ --out $(TRIAL)/trial-report.html \
	    --json $(TRIAL)/trial-report.json --csv $(TRIAL)/trial-report.csv

conformity: $(STAMP) ## run the tests that show clauses of standards and make docs/conformity.md of them (ARGS=write: without running them)
	$(BIN)/python -m benchmarks.conformity $(ARGS)

$(SBOM)/.setup-stamp: $(STAMP) requirements/sbom.lock
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(SBOM)
	$(BIN)/uv pip sync --quiet --python $(SBOM)/bin/python --require-hashes requirements/sbom.lock
	@touch $@

package: $(SBOM)/.setup-stamp ## the Debian packages of what is committed, into build/packages (wants dpkg-deb, gcc, python3-dev, swig, libpcsclite-dev)
	$(BIN)/python packaging/build_deb.py --out build/packages --bill-tool $(SBOM)/bin/python $(ARGS)

package-test: $(SBOM)/.setup-stamp ## as root: the packages in a Debian of their own, installed, upgraded, rolled back, purged, in a container (wants debootstrap, buildah, strace)
	$(BIN)/python packaging/package_test.py --bill-tool $(SBOM)/bin/python $(ARGS)

sbom: $(SBOM)/.setup-stamp ## the bill of materials of what would be packaged (CycloneDX), with the libraries inside wheels
	$(BIN)/python packaging/build_deb.py --out build/packages --bill-tool $(SBOM)/bin/python --bill-alone $(ARGS)

fmt: $(STAMP) ## format and mend what can be mended by rule
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(STAMP) ## renew the locks (hashes, no addresses)
	$(BIN)/python requirements/lock.py

clean: ## remove the environment and all state
	rm -rf $(VENV) .state

# The front door. Two commands are enough: `make demo` and `make test`.
#
#   make deps                check the tools, install what is missing (Debian, Ubuntu)
#   make build               build/lib (libiotx and libiotx_hal, static and shared), build/bin (examples,
#                            local platform, command-line tool)
#   make demo [CERT=...]     run the X.509 example against the local platform;
#                            CERT=expired|not-yet|wrong-host|unknown-ca shows the refusal
#   make test                every test; the counts are in the last lines
#   make fuzz [TIME=60] [TARGET="engine pem"]
#                            seconds of fuzzing for each target of fuzz/, or for those named
#   make sanitize [STEP="c thread"]
#                            sanitizers, valgrind, Miri, as far as the machine has them
#   make lint                format, clippy, shell and C warnings
#   make bench [BENCH_ARGS=...]
#                            benchmarks (ratios against other clients): benches/run.py BENCH_ARGS;
#                            BENCH_COREMQTT=/path/to/coreMQTT/source adds that client (2.x)
#   make small               the libraries built for size, in build/small
#   make small-std           smaller still, with a nightly compiler, in build/small-std
#   make soak [MINUTES=30] [SEED=1]
#                            1000 reconnects, then mixed traffic under random faults: tests/soak
#   make install PREFIX=/usr/local [DESTDIR=...] [LIBDIR=lib] [LEGACY_NAMES=1]
#                            LEGACY_NAMES: libiot_sdk, libiot_hal, libiot_tls as names of libiotx
#   make deb                 build/deb: libiotx0 and libiotx-dev, for Debian and Ubuntu
#   make clean

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
SHELL := /bin/bash

CARGO ?= cargo
CMAKE ?= cmake
PREFIX ?= /usr/local
DESTDIR ?=
CERT ?=
LEGACY_NAMES ?=
LIBDIR ?= lib
BENCH_ARGS ?=
TIME ?= 60
TARGET ?=
STEP ?=
MINUTES ?= 30
SEED ?= 1

BUILD := build
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

RUST_SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src include -type f 2>/dev/null)
CLI_SOURCES := $(shell find cli -type f)
PLATFORM_SOURCES := Cargo.toml Cargo.lock $(shell find tests/platform -type f -not -path '*/target/*')
EXAMPLE_SOURCES := $(wildcard c_examples/*.c c_examples/*.h) c_examples/CMakeLists.txt
HEADERS := $(wildcard include/*.h)

.PHONY: deps build libraries examples platform cli demo test fuzz sanitize soak lint bench small small-std install deb clean

deps:
	@cmake/deps.sh $(BUILD)

build: deps
	@$(MAKE) --no-print-directory libraries platform cli examples

libraries: $(BUILD)/lib/libiotx.a
platform: $(BUILD)/bin/iotx-platform
cli: $(BUILD)/bin/iotx
examples: $(BUILD)/bin/mqtt_example

$(BUILD)/lib/libiotx.a: $(RUST_SOURCES) cmake/exports.txt cmake/build-libraries.sh cmake/link-libraries.sh cmake/core-archive.sh
	@echo "== libraries (release)"
	@CARGO=$(CARGO) CARGO_TARGET_DIR=$(TARGET_DIR) cmake/build-libraries.sh $(BUILD)/lib

$(BUILD)/bin/iotx-platform: $(PLATFORM_SOURCES)
	@echo "== local platform"
	@$(CARGO) build --locked --release -p iotx-platform
	@mkdir -p $(BUILD)/bin
	@install -m 755 $(TARGET_DIR)/release/iotx-platform $@

$(BUILD)/bin/iotx: $(RUST_SOURCES) $(CLI_SOURCES)
	@echo "== command-line tool"
	@$(CARGO) build --locked --release -p iotx-cli
	@mkdir -p $(BUILD)/bin
	@install -m 755 $(TARGET_DIR)/release/iotx $@

$(BUILD)/bin/mqtt_example: $(BUILD)/lib/libiotx.a $(EXAMPLE_SOURCES) $(HEADERS)
	@echo "== examples"
	@$(CMAKE) -S c_examples -B $(BUILD)/examples -DCMAKE_BUILD_TYPE=Release \
	    -DCMAKE_RUNTIME_OUTPUT_DIRECTORY=$(abspath $(BUILD)/bin) >$(BUILD)/cmake.log || { cat $(BUILD)/cmake.log; exit 1; }
	@$(CMAKE) --build $(BUILD)/examples
	@touch $@

demo: build
	@c_examples/demo.sh $(BUILD) $(CERT)

test: build
	@.ci/test $(BUILD)

fuzz: deps
	@.ci/fuzz $(TIME) $(TARGET)

sanitize: build
	@.ci/sanitize $(BUILD) $(STEP)

lint: deps
	@.ci/lint

BENCHES := $(addprefix $(BUILD)/bin/bench_,iotx mosquitto paho rumqttc raw $(if $(BENCH_COREMQTT),coremqtt))
BENCH_CFLAGS := -O2 -Wall -Wextra

# The peers are not part of `build`: only the benchmarks need them.
bench: build
	@benches/deps.sh
	@$(MAKE) --no-print-directory small $(BENCHES)
	@python3 benches/run.py $(BENCH_ARGS)

soak: build
	@$(BUILD)/venv/bin/python tests/soak/reconnects.py --build $(BUILD) --count 1000
	@$(BUILD)/venv/bin/python tests/soak/run.py --build $(BUILD) --minutes $(MINUTES) --seed $(SEED) --json $(BUILD)/soak.json

$(BUILD)/bin/bench_iotx: benches/peer_iotx.c benches/peer.h $(BUILD)/lib/libiotx.a $(HEADERS)
	$(CC) $(BENCH_CFLAGS) -Iinclude -o $@ $< -Wl,--gc-sections $(BUILD)/lib/libiotx.a $$(cat $(BUILD)/lib/native-libs.txt)

$(BUILD)/bin/bench_mosquitto: benches/peer_mosquitto.c benches/peer.h
	$(CC) $(BENCH_CFLAGS) -o $@ $< -lmosquitto -lpthread

$(BUILD)/bin/bench_paho: benches/peer_paho.c benches/peer.h
	$(CC) $(BENCH_CFLAGS) -o $@ $< -lpaho-mqtt3cs -lpthread

$(BUILD)/bin/bench_raw: benches/peer_raw.c benches/peer.h
	$(CC) $(BENCH_CFLAGS) -o $@ $< -lmbedtls -lmbedx509 -lmbedcrypto

$(BUILD)/bin/bench_coremqtt: benches/peer_coremqtt.c benches/peer.h
	$(CC) $(BENCH_CFLAGS) -DMQTT_DO_NOT_USE_CUSTOM_CONFIG -I$(BENCH_COREMQTT)/include -I$(BENCH_COREMQTT)/interface \
	    -o $@ $< $(wildcard $(BENCH_COREMQTT)/*.c)

$(BUILD)/bin/bench_rumqttc: Cargo.lock $(wildcard benches/rumqttc_peer/Cargo.toml benches/rumqttc_peer/src/*.rs)
	$(CARGO) build --locked --release -p rumqttc-peer
	@install -m 755 $(TARGET_DIR)/release/rumqttc-peer $@

# The library for little flash, in build/small.
small: $(BUILD)/small/libiotx.a

$(BUILD)/small/libiotx.a: $(RUST_SOURCES) cmake/exports.txt cmake/build-libraries.sh cmake/link-libraries.sh cmake/core-archive.sh
	@echo "== libraries (release-small)"
	@CARGO=$(CARGO) CARGO_TARGET_DIR=$(TARGET_DIR) IOTX_CARGO_PROFILE=release-small cmake/build-libraries.sh $(BUILD)/small

# The same with a standard library compiled for size as well, in build/small-std. Nightly only.
small-std: $(BUILD)/small-std/libiotx.a

$(BUILD)/small-std/libiotx.a: $(RUST_SOURCES) cmake/exports.txt cmake/build-libraries.sh cmake/link-libraries.sh cmake/core-archive.sh
	@echo "== libraries (release-small, standard library from its sources)"
	@RUSTUP_TOOLCHAIN=$${RUSTUP_TOOLCHAIN:-nightly} IOTX_BUILD_STD=1 CARGO=$(CARGO) CARGO_TARGET_DIR=$(TARGET_DIR)/small-std \
	    IOTX_CARGO_PROFILE=release-small cmake/build-libraries.sh $(BUILD)/small-std

install: build
	@LEGACY_NAMES=$(LEGACY_NAMES) LIBDIR=$(LIBDIR) cmake/install.sh $(BUILD) "$(DESTDIR)" "$(PREFIX)" "$(VERSION)"

deb: build
	@cmake/deb.sh $(BUILD) "$(VERSION)"

clean:
	rm -rf $(BUILD) fuzz/target fuzz/artifacts
	$(CARGO) clean

# The front door. Two commands are enough: `make demo` and `make test`.
#
#   make deps                check the tools, install what is missing (Debian, Ubuntu)
#   make build               build/lib (libiotx.a, libiotx.so), build/bin (examples, local platform)
#   make demo [CERT=...]     run the X.509 example against the local platform;
#                            CERT=expired|not-yet|wrong-host|unknown-ca shows the refusal
#   make test                every test; the counts are in the last lines
#   make lint                format, clippy, shell and C warnings
#   make bench               benchmarks (ratios against other clients)
#   make install PREFIX=/usr/local [DESTDIR=...]
#   make clean

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
SHELL := /bin/bash

CARGO ?= cargo
CMAKE ?= cmake
PREFIX ?= /usr/local
DESTDIR ?=
CERT ?=

BUILD := build
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

RUST_SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src include -type f 2>/dev/null)
PLATFORM_SOURCES := Cargo.toml Cargo.lock $(shell find tests/platform -type f -not -path '*/target/*')
EXAMPLE_SOURCES := $(wildcard c_examples/*.c c_examples/*.h) c_examples/CMakeLists.txt
HEADERS := $(wildcard include/*.h)

.PHONY: deps build libraries examples platform demo test lint bench install clean

deps:
	@cmake/deps.sh $(BUILD)

build: deps
	@$(MAKE) --no-print-directory libraries platform examples

libraries: $(BUILD)/lib/libiotx.a
platform: $(BUILD)/bin/iotx-platform
examples: $(BUILD)/bin/mqtt_example

# The raw archive and the system libraries its users must add, as the compiler states them.
$(BUILD)/raw-libs.txt: $(RUST_SOURCES)
	@mkdir -p $(BUILD)
	@echo "== library (release)"
	@set -o pipefail; $(CARGO) rustc --color never --locked --release -p iotx --lib --crate-type staticlib -- \
	    --print native-static-libs 2>&1 | tee $(BUILD)/cargo.log | { grep -v native-static-libs || true; }
	@sed -n 's/^note: native-static-libs: //p' $(BUILD)/cargo.log | tail -n 1 >$@
	@test -s $@ || { echo "cargo did not state the native libraries" >&2; rm -f $@; exit 1; }

$(BUILD)/lib/libiotx.a: $(BUILD)/raw-libs.txt cmake/exports.txt cmake/link-libraries.sh cmake/core-archive.sh
	@echo "== link"
	@cmake/core-archive.sh $(TARGET_DIR)/release/libiotx.a $(BUILD)/lib
	@cmake/link-libraries.sh $(TARGET_DIR)/release/libiotx.a $(BUILD)/lib "$$(cat $(BUILD)/raw-libs.txt)"

$(BUILD)/bin/iotx-platform: $(PLATFORM_SOURCES)
	@echo "== local platform"
	@$(CARGO) build --locked --release -p iotx-platform
	@mkdir -p $(BUILD)/bin
	@install -m 755 $(TARGET_DIR)/release/iotx-platform $@

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

lint: deps
	@.ci/lint

bench: build
	$(CARGO) bench --locked -p iotx

install: build
	@cmake/install.sh $(BUILD) "$(DESTDIR)" "$(PREFIX)" "$(VERSION)"

clean:
	rm -rf $(BUILD)
	$(CARGO) clean

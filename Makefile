# The usual way into the project; the work is done by CMake (CMakePresets.json) and tools/.
#
#   make              release build in build/         make test      everything quick, 3 minutes
#   make demo         the show, no root needed        make check     sanitizers, fuzzers, peers ...
#   make help         all targets

SHELL := /bin/bash
DEBUG := build-debug
PREFIX ?= /usr/local
ONLY ?=
PART ?=
FUZZ_SECONDS ?= 600
run_tests = tools/run-tests $(if $(ONLY),--only '$(ONLY)')

.PHONY: all profiled demo test check conform conform-mutate fuzz bench bench-quick bench-paths \
        bench-wire long install deps deps-test tidy format coverage clean help
.NOTPARALLEL:
.DEFAULT_GOAL := all

all: ## release build in build/
	@tools/deps need build
	@tools/build release

profiled: ## release build guided by a training run, for this processor, in build-profiled/ (gcc)
	@tools/deps need build
	@tools/build profiled

demo: ## serve with salut, fetch with the kernel's curl, show every state
	@tools/deps need demo
	@tools/build release
	@build/salut demo

test: ## unit tests, tables, scripts, tidy (ONLY=word selects)
	@tools/deps need test
	@tools/build debug
	@$(run_tests) --logs $(DEBUG)/test-logs $$(ls tests/test.d/*.list)

check: ## everything that takes longer (PART=n, ONLY=word select)
	@tools/deps need check
	@$(run_tests) --logs build-check-logs \
	    $$(ls tests/check.d/$(or $(PART),*)/*.list)

conform: ## requirement ids, their tests, results, and the clauses cited in code
	@tools/deps need test
	@tools/build debug
	@tests/conform/run $(DEBUG)

conform-mutate: ## change every row of the tables in turn: each must then fail
	@tools/deps need test
	@tools/build debug
	@tests/conform/run --mutate $(DEBUG)

fuzz: ## every fuzzer for FUZZ_SECONDS (600)
	@tools/deps need check
	@tools/build fuzz
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(run_tests) --logs build-fuzz/logs build-fuzz/fuzz.list

bench: ## salut and the kernel side by side (a quiet machine, some minutes)
	@tools/deps need demo
	@tools/build profiled
	@build-profiled/salut bench

bench-quick: ## the same in a minute: ratios and the memory gates
	@tools/deps need demo
	@tools/build release
	@build/salut bench --quick

bench-paths: ## salut and the kernel over bad networks (root; two hours, may be interrupted)
	@tools/deps need demo
	@tools/build release
	@bench/paths.py

bench-wire: ## over such networks: BBR, sharing, short transfers, what is sent in vain (20 minutes)
	@tools/deps need demo
	@tools/build release
	@failed=0; rm -f bench/paths-bbr.tsv; \
	    bench/paths.py --bbr --text bench/results/bbr.txt || failed=1; \
	    bench/share.py --out bench/results/share.txt || failed=1; \
	    bench/paths.py --short 1000 --out bench/results/short.txt || failed=1; \
	    bench/paths.py --spurious 10 --out bench/results/spurious.txt || failed=1; \
	    exit $$failed

long: ## what takes an hour
	@tools/deps need check
	@tools/build release
	@$(run_tests) --logs build-long-logs $$(ls tests/long.d/*.list)

install: all ## headers, libraries, program and pages below PREFIX (/usr/local), under DESTDIR
	@DESTDIR='$(DESTDIR)' cmake --install build --prefix '$(PREFIX)'

deps: ## what the build and its tests need (Debian, Ubuntu; as root)
	@tools/deps install check

deps-test: ## real servers and tools for the tests against real peers
	@tools/deps install peers

tidy: ## the rules of the house alone
	@tools/tidy --build $(DEBUG)

format: ## clang-format every C file
	@find src include cli tests bench examples -name '*.[ch]' -print0 | \
	    xargs -0 -r "$$(command -v clang-format-14 || command -v clang-format)" -i

coverage: ## line coverage of the unit tests, by file
	@tools/deps need test
	@tools/build coverage
	@$(run_tests) --logs build-coverage/logs build-coverage/tests.list
	@cd build-coverage && find . -name '*.c.gcda' -path '*src*' -print0 | \
	    xargs -0 gcov -n 2>/dev/null | grep -A1 "^File.*/src/" | grep -v '^--' | paste - - | sort

clean: ## remove every build directory
	@rm -rf build build-*

help:
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 18
